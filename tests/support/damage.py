"""Damage to the fields of JSON files, one after another, and what comes of it."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from typing import Any

from coabench.errors import CoabenchError

ABSENT = object()
DEEP: Any = "bottom"
for _ in range(50):
    DEEP = [DEEP]
VALUES = (ABSENT, None, "odd", -1, 7, float("inf"), 10**400, True, [], {}, DEEP)
"""What may stand in a field instead; 1e400 reads as infinity."""
ALL = "COABENCH_ALL_DAMAGE" in os.environ
"""Whether every field is tried with every value (minutes), or each with some."""


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every field and the first entry of every list."""
    items = data.items() if isinstance(data, dict) else enumerate(data[:1]) if isinstance(data, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def damaged(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(data)
    *parents, last = path
    inside = changed
    for key in parents:
        inside = inside[key]
    if value is ABSENT:
        del inside[last]
    else:
        inside[last] = value
    return changed


def damages(data: Any, seed: int) -> Iterator[tuple[str, Any]]:
    """Yield what was done, and the result: of each field two values, or all."""
    for number, path in enumerate(places(data)):
        chosen = (
            VALUES if ALL else (VALUES[(number + seed) % len(VALUES)], VALUES[(3 * number + seed + 5) % len(VALUES)])
        )
        for value in chosen:
            shown = "absent" if value is ABSENT else repr(value)[:20]
            yield f"{'.'.join(map(str, path))} = {shown}", damaged(data, path, value)


def outcome(job: Callable[[], Any]) -> str | None:
    """Return what went wrong otherwise than in words."""
    try:
        job()
    except CoabenchError as error:
        return f"{error}" if "Error:" in str(error) else None
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None
