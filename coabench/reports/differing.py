"""What tells runs of the same names apart: options, precision, weights, prompts, seed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from coabench.base.text import last_part
from coabench.reports.run_row import RunRow

DIGEST = re.compile(r"[0-9a-f]{40,}")
VOTES = "dataset.votes"
"""The setting that not every run on the same samples records: 0.1.0 did not, and pooled folds have one each."""


def distinguish(rows: Sequence[RunRow]) -> list[RunRow]:
    """Return the rows, each with the settings in which it differs from others that a table shows under its names."""
    alike: dict[tuple[object, ...], list[RunRow]] = {}
    for row in rows:
        alike.setdefault(_names(row), []).append(row)
    titles = {names: _titles(own) for names, own in alike.items()}
    return [replace(row, options=_options(row, titles[_names(row)])) for row in rows]


def _names(row: RunRow) -> tuple[object, ...]:
    shown = row.backbone, last_part(row.model), last_part(row.adapter), row.strategy, row.decode, row.parser
    return row.dataset, row.split, row.fingerprint, row.preparation, *shown


def _titles(rows: Sequence[RunRow]) -> dict[str, str]:
    """Return the settings in which rows differ, each with its title: as ``--set`` takes it, without the owner."""
    names = dict.fromkeys(name for row in rows for name in row.settings)
    differing = [name for name in names if _differ(name, [row.settings.get(name) for row in rows])]
    short = [name.partition(".")[2] or name for name in differing]
    return dict(zip(differing, short if len({*short}) == len(short) else differing, strict=True))


def _differ(name: str, values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None or name != VOTES]
    return any(value != known[0] for value in known)


def _options(row: RunRow, titles: Mapping[str, str]) -> str | None:
    return ", ".join(f"{title}={_shown(row.settings.get(name))}" for name, title in titles.items()) or None


def _shown(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text[:12] if DIGEST.fullmatch(text) else text
