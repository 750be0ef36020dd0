"""JSON: one object per line, or one document with a list of objects."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coabench.base.json import each_once, parse_json
from coabench.base.lazy import Lazy
from coabench.scoring.formats.table import Content, Row, unreadable

SAMPLES = "samples"
"""The key of the list in a document that has more to say."""


def read_lines(path: Path, text: str) -> Content:
    """Return the objects of a file that has one per line; empty lines do not count.

    Raises:
        UserError: a line that holds no object.
    """
    starts, ends, numbers, columns = array("q"), array("q"), array("q"), dict[str, None]()

    def row(i: int) -> Row:
        line = text[starts[i] : ends[i]]
        return Row(numbers[i], parse_object(path, line, f"line {numbers[i]}", "one JSON object per line"))

    for number, (start, end) in enumerate(_lines(text), start=1):
        if text[start:end].strip():
            for each, value in ((starts, start), (ends, end), (numbers, number)):
                each.append(value)
            columns.update(dict.fromkeys(row(-1).values))
    return Content(Lazy(len(numbers), row), columns=list(columns))


def _lines(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each line begins and ends."""
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield start, end
        start = end + 1
    yield start, len(text)


def read_document(path: Path, text: str) -> Content:
    """Return the objects of a document that is a list, or has one under ``samples``; and what else it says.

    Raises:
        UserError: it is no such document.
    """
    expected = f"a list of objects, or an object with one under {SAMPLES!r}"
    try:
        document = parse_json(text, _DECODER)
    except ValueError as error:
        raise unreadable(path, "the file", expected, str(error)) from None
    about = {key: value for key, value in document.items() if key != SAMPLES} if isinstance(document, dict) else {}
    samples = document.get(SAMPLES) if isinstance(document, dict) else document
    if not isinstance(samples, list):
        raise unreadable(path, "the file", expected, f"an object with {', '.join(map(repr, list(document)[:8]))}"
                         if isinstance(document, dict) else type(document).__name__)  # fmt: skip
    wrong = [number for number, sample in enumerate(samples, start=1) if not isinstance(sample, dict)]
    if wrong:
        raise unreadable(path, f"sample {wrong[0]}", "an object", type(samples[wrong[0] - 1]).__name__)
    return Content([Row(number, sample) for number, sample in enumerate(samples, start=1)], about)


def parse_object(path: Path, text: str | bytes, where: str, expected: str) -> dict[str, Any]:
    """Return the object that a text holds; `UserError` for anything else."""
    try:
        value = parse_json(text, _DECODER)
    except ValueError as error:
        raise unreadable(path, where, expected, str(error)) from None
    if not isinstance(value, dict):
        raise unreadable(path, where, expected, type(value).__name__)
    return value


def _number(text: str) -> float | str:
    """Return a number that JSON can hold again; one that it cannot stays text, as NaN and Infinity do."""
    return float(text) if math.isfinite(float(text)) else text


_DECODER = json.JSONDecoder(parse_constant=str, parse_float=_number, object_pairs_hook=each_once)
