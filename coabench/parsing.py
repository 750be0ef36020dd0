"""From a response to a label, or to INVALID: never by guessing.

The rules are tried in order and the one that matched is logged. None looks for a label anywhere inside a text: "not
happy" must not become happiness.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from coabench.labels import fold

VERSION = 1
"""Raised whenever a rule changes what a response means; part of a run's identity."""

_QUOTES = "\"'`*“”‘’«»"
_ANCHOR = re.compile(
    r"^(?:(?:my|the|so|therefore|thus|hence|final|,)\s+)*"
    r"(?:answer|label|emotion|expression|emotion label|facial expression|primary emotion|final answer)"
    r"\s*(?:is|would be|:|=)\s*(?P<rest>.+)$"
)
_SENTENCE_END = re.compile(r"(?:[.!?]\s+|\n+)")


class Parsed(NamedTuple):
    """The label understood and the rule that matched; both None for INVALID."""

    label: str | None
    match: str | None


Rule = Callable[[str, Mapping[str, str]], "str | None"]


def _strip(text: str) -> str:
    """Return *text* without the quotes, asterisks and full stops that models wrap a label in."""
    return fold(text).strip(_QUOTES + ".!:, ")


def _exact(response: str, names: Mapping[str, str]) -> str | None:
    """The response is the label, letter by letter."""
    text = response.strip()
    return text if text in names.values() else None


def _folded(response: str, names: Mapping[str, str]) -> str | None:
    """The response is the label but for case, quotes and final punctuation."""
    text = _strip(response)
    return next((name for name in names.values() if fold(name) == text), None)


def _synonym(response: str, names: Mapping[str, str]) -> str | None:
    """The response is a spelling in the closed synonym table."""
    return names.get(_strip(response))


def _anchored(response: str, names: Mapping[str, str]) -> str | None:
    """The last sentence says "the answer is X" and X is a label or a synonym, with nothing after it."""
    sentences = [part for part in _SENTENCE_END.split(response.strip()) if part.strip()]
    found = _ANCHOR.match(fold(sentences[-1])) if sentences else None
    return names.get(_strip(found["rest"])) if found else None


RULES: Mapping[str, Rule] = {"exact": _exact, "folded": _folded, "synonym": _synonym, "anchored": _anchored}

PARSERS: Mapping[str, tuple[str, ...]] = {
    "exact": ("exact", "folded"),
    "standard": ("exact", "folded", "synonym", "anchored"),
}
"""Parser -> the rules it tries, in order. ``exact`` is what the published pipeline compared."""


def parse(response: str, spellings: Mapping[str, str], parser: str = "standard") -> Parsed:
    """Read a label off a response.

    Args:
        response: the raw text.
        spellings: folded spelling -> label, from `LabelSpace.spellings`.
        parser: a name in `PARSERS`.
    """
    for match in PARSERS[parser]:
        label = RULES[match](response, spellings)
        if label is not None:
            return Parsed(label, match)
    return Parsed(None, None)
