"""What tells runs of the same names apart: options, precision, weights, prompts, seed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from coabench.base.text import last_part
from coabench.reports.entries import RunRow

DIGEST = re.compile(r"[0-9a-f]{40,}")


def distinguish(rows: Sequence[RunRow]) -> list[RunRow]:
    """Return the rows, each with the settings in which it differs from others that a table shows under its names."""
    alike: dict[tuple[object, ...], list[RunRow]] = {}
    for row in rows:
        alike.setdefault(_names(row), []).append(row)
    return [replace(row, options=_options(row, alike[_names(row)])) for row in rows]


def _names(row: RunRow) -> tuple[object, ...]:
    shown = row.backbone, last_part(row.model), last_part(row.adapter), row.strategy, row.decode, row.parser
    return row.dataset, row.split, row.fingerprint, *shown


def _options(row: RunRow, others: Sequence[RunRow]) -> str | None:
    names = dict.fromkeys(name for other in others for name in other.settings)
    differing = [name for name in names if any(o.settings.get(name) != row.settings.get(name) for o in others)]
    short = [name.partition(".")[2] or name for name in differing]  # as --set takes them, without their owner
    titles = short if len({*short}) == len(short) else differing
    return (
        ", ".join(f"{title}={_shown(row.settings.get(name))}" for title, name in zip(titles, differing, strict=True))
        or None
    )


def _shown(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text[:12] if DIGEST.fullmatch(text) else text
