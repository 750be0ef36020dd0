"""Reading JSON: at most so deep, numbers that a float holds, no key twice. What is wrong is a `ValueError` in words."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from coabench.base import reading

DEPTH = 64
"""How deep lists and objects may lie in one another. Nothing that the bench writes is deeper than ten."""
DIGITS = 300
"""Digits of a whole number, so that it can become a float."""


def _integer(text: str) -> int:
    if len(text) > DIGITS:
        raise ValueError(f"a number of {len(text):,} digits")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"a number that is too large: {text[:20]}")
    return number


def _constant(text: str) -> Any:
    raise ValueError(f"{text}, which is no number")


def each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; `ValueError` where it has a key twice."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} twice")
    return made


FINITE = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=_constant)
"""Reads numbers that are finite."""
EXACT = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=_constant, object_pairs_hook=each_once)
"""Reads numbers that are finite, and objects that have every key once."""
FOREIGN = json.JSONDecoder()
"""Reads what other programs write into their configs: NaN and Infinity too."""


def parse_json(text: str | bytes, decoder: json.JSONDecoder = EXACT) -> Any:
    """Return what a text holds.

    Raises:
        ValueError: it is no JSON, no UTF-8, deeper than `DEPTH`, or holds what the decoder refuses.
    """
    text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    try:
        value = decoder.decode(text)
    except RecursionError:
        raise _too_deep() from None
    if text.count("[") + text.count("{") > DEPTH and _is_deep(value):
        raise _too_deep()
    return value


def read_json(path: Path, decoder: json.JSONDecoder = EXACT, limit: int = reading.JSON) -> Any:
    """Return what a file holds.

    Raises:
        OSError: it cannot be read, or has more than *limit* bytes.
        ValueError: see `parse_json`.
    """
    return parse_json(reading.read_bytes(path, limit), decoder)


def _too_deep() -> ValueError:
    return ValueError(f"lists or objects in one another, more than {DEPTH} deep")


def _is_deep(value: Any) -> bool:
    level: Iterable[Any] = (value,)
    for _ in range(DEPTH + 1):
        containers = [each for each in level if isinstance(each, list | dict)]
        if not containers:
            return False
        level = [item for each in containers for item in (each.values() if isinstance(each, dict) else each)]
    return True
