"""From a response to a label, or to INVALID: never by guessing.

The rules are tried in order and the one that matched is logged. None looks for a label anywhere inside a text: "not
happy" must not become happiness.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from coabench.labels import fold
from coabench.parser import Parsed, Parser, Response

VERSION = 1
"""Raised whenever a rule changes what a response means; part of a run's identity."""

_QUOTES = "\"'`*“”‘’«»"
_ANCHOR = re.compile(
    r"^(?:(?:my|the|so|therefore|thus|hence|final|,)\s+)*"
    r"(?:answer|label|emotion|expression|emotion label|facial expression|primary emotion|final answer)"
    r"\s*(?:is|would be|:|=)\s*(?P<rest>.+)$"
)
_SENTENCE_END = re.compile(r"(?:[.!?]\s+|\n+)")
_LIST_MARK = re.compile(r"^(?:[-–—•*]|\(?(?:\d{1,2}|[a-z])[.)])\s+", re.IGNORECASE)
_BECAUSE = re.compile(r"^(?P<head>[^,;:.!?(–—\n]+?),?\s+(?:because|since)\s+(?P<rest>.+)$", re.DOTALL | re.IGNORECASE)
_MARK = re.compile(  # no colon: "Fear: none at all" is a row of a table, not an answer
    r"^(?P<head>.+?)(?:[,;.!(–—\n]|\s-{1,2}\s)[\s\"'`*“”‘’«»]*+(?P<rest>[^\W\d_]\S*\s+\S.*)$", re.DOTALL
)
_TAKEN_BACK = re.compile(
    r"\?|n['’]t\b|\b(?:or|nor|either|neither|not|no|never|none|nothing|absent|cannot|but|however|although|though|yet"
    r"|rather|instead|actually|wait|maybe|perhaps|possibly|probably|unsure|uncertain|unclear|wrong|incorrect|sorry)\b"
)


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
    match = _ANCHOR.match(fold(sentences[-1])) if sentences else None
    return names.get(_strip(match["rest"])) if match else None


def _tidied(response: str) -> str:
    """Return the response without empty lines and superfluous spaces."""
    return "\n".join(" ".join(line.split()) for line in response.splitlines() if line.strip())


def _without_mark(response: str) -> str:
    """Return the response, tidied, without the list mark that it begins with, if any."""
    return _LIST_MARK.sub("", _tidied(response), count=1)


def _listed(response: str, names: Mapping[str, str]) -> str | None:
    """The response is one list mark ("1.", "(b)", "-") and a label or a synonym, with nothing after it."""
    rest = _without_mark(response)
    return names.get(_strip(rest)) if rest != _tidied(response) else None


def _because(response: str, names: Mapping[str, str]) -> str | None:
    """A label, then "because" or "since" and a reason that names no other label; further sentences take nothing back.

    The reason itself may say "not": "…because the corners of the mouth are not down".
    """
    match = _BECAUSE.match(_without_mark(response))
    label = names.get(_strip(match["head"])) if match else None
    if not match or not label or any(map(_TAKEN_BACK.search, _SENTENCE_END.split(fold(match["rest"]))[1:])):
        return None
    return None if _others(label, match["rest"], names) else label


def _explained(response: str, names: Mapping[str, str]) -> str | None:
    """A label, then a punctuation mark and two words or more that name no other label and take nothing back."""
    match = _MARK.match(_without_mark(response))
    label = names.get(_strip(match["head"])) if match else None
    if not match or not label or _TAKEN_BACK.search(fold(match["rest"])):
        return None
    return None if _others(label, match["rest"], names) else label


def _others(label: str, text: str, names: Mapping[str, str]) -> bool:
    """Whether *text* names a label beside *label*. It only ever refuses: no label is taken from here."""
    spellings = "|".join(re.escape(spelling) for spelling, name in names.items() if name != label)
    return bool(spellings) and re.search(rf"(?<!\w)(?:{spellings})(?!\w)", fold(text)) is not None


RULES: Mapping[str, Rule] = {
    "exact": _exact,
    "folded": _folded,
    "synonym": _synonym,
    "anchored": _anchored,
    "listed": _listed,
    "because": _because,
    "explained": _explained,
}

PARSERS: Mapping[str, tuple[str, ...]] = {
    "exact": ("exact", "folded"),
    "standard": ("exact", "folded", "synonym", "anchored"),
    "lenient": ("exact", "folded", "synonym", "anchored", "listed", "because", "explained"),
}
"""Parser -> the rules it tries, in order. ``exact`` is what the published pipeline compared; ``lenient`` also reads a
label that opens a response that explains it afterwards."""


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


def _reader(name: str) -> Parser:
    def read(response: Response) -> Parsed:
        return parse(response.text, response.spellings, name)

    return read


exact, standard, lenient = map(_reader, PARSERS)
BUILT_IN: Mapping[str, Parser] = {"exact": exact, "standard": standard, "lenient": lenient}
"""Name -> parser."""
