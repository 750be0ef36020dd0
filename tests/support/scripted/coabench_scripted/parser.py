"""A parser: the last line is the label."""

from coabench.labels import fold
from coabench.parser import Parsed


def last_line(response):
    lines = [line for line in response.text.splitlines() if line.strip()]
    label = response.spellings.get(fold(lines[-1])) if lines and "\n-" not in response.text else None
    return Parsed(label, "last-line") if label else Parsed(None, None)
