"""Two adapters side by side: their settings, and how far apart their updates are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coabench.adapters.updates import Updates, module_of
from coabench.base.text import plural
from coabench.errors import UserError
from coabench.runs.adapter import TrainingRecord
from coabench.runs.identity import differences

Row = Mapping[str, Any]


def compare(one: Path, other: Path) -> tuple[list[str], list[Row]]:
    """Return in which settings two adapters differ, in lines, and a row for all modules together and for each.

    A row has the cosine of the two updates and their norms (Frobenius).

    Raises:
        UserError: one is no plain LoRA, or they have no module in common.
    """
    first, second = Updates.read(one), Updates.read(other)
    trainings = [TrainingRecord.read(folder).identity for folder in (one, other)]
    lines = differences(_settings(first), _settings(second))
    if trainings[0] and trainings[1]:
        lines += differences(trainings[0].to_json(), trainings[1].to_json(), "training")
    shared = [name for name in first.factors if name in second.factors]
    if not shared:
        raise UserError(f"{one} and {other} have no module in common", remedy="compare adapters of one base")
    if apart := len({*first.factors} ^ {*second.factors}):
        lines.append(f"{plural(apart, 'module')} with an update in one of the two alone")
    sums = [0.0, 0.0, 0.0]
    rows: list[Row] = []
    for name in shared:
        products = [first.product(second, name), first.product(first, name), second.product(second, name)]
        sums = [a + b for a, b in zip(sums, products, strict=True)]
        rows.append(_row(module_of(name), *products))
    rows.sort(key=lambda row: (row["cosine"] is not None, row["cosine"]))
    return lines, [_row(f"all {plural(len(shared), 'module')}", *sums), *rows]


def _settings(updates: Updates) -> dict[str, Any]:
    kept = ("peft_type", "r", "lora_alpha", "lora_dropout", "use_rslora", "base_model_name_or_path")
    return {name: updates.config.get(name) for name in kept}


def _row(name: str, product: float, mine: float, theirs: float) -> Row:
    norms = math.sqrt(max(mine, 0)), math.sqrt(max(theirs, 0))
    cosine = product / (norms[0] * norms[1]) if all(norms) else None
    return {"module": name, "cosine": cosine, "norm": norms[0], "other norm": norms[1]}
