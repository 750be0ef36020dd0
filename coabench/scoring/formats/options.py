"""The options of a question, where a file lists them, by their letters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

KEYS = ("options", "choices")
"""Where an object may list them."""


def lettered(texts: Sequence[Any]) -> Mapping[str, str]:
    """Return letter -> option of a list, whose first is A."""
    return {letter: str(text).strip() for letter, text in zip(ascii_uppercase, texts, strict=False)}


def options_of(values: object) -> Mapping[str, str]:
    """Return letter -> option of an object that lists them under one of `KEYS`, or each under its letter."""
    if not isinstance(values, Mapping):
        return {}
    for key in KEYS:
        if isinstance(values.get(key), list):
            return lettered(values[key])
    letters = (letter for letter in ascii_uppercase if isinstance(values.get(letter), str))
    return {letter: values[letter].strip() for letter in letters if values[letter].strip()}
