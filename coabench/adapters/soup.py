"""The mean of several LoRAs' updates, as one LoRA (Wortsman et al. 2022, arXiv 2203.05482, uniform soup)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from coabench.adapters.export import new_folder, write_weights
from coabench.adapters.history import joined
from coabench.adapters.updates import Updates, module_of
from coabench.base.files import write_json
from coabench.errors import UserError
from coabench.runs.adapter import MANIFEST, TrainingRecord
from coabench.support.adapter_folder import CONFIG


def soup(adapters: Sequence[Path], output: Path) -> int:
    """Write the uniform mean of the updates into a new folder, with what all have learnt from; return its rank.

    The factors stand one after the other, so the mean is exact and the rank is the sum of the ranks.

    Raises:
        UserError: they are fewer than two, no plain LoRAs, or not of the same base and modules; nothing was written.
    """
    ingredients = read_ingredients(adapters)
    tensors, config = mean([part for part, _ in ingredients])
    manifest = manifest_of([record for _, record in ingredients])
    with new_folder(output) as folder:
        write_soup(folder, tensors, config, manifest)
    return int(config["r"])


def read_ingredients(adapters: Sequence[Path]) -> list[tuple[Updates, TrainingRecord]]:
    """Return the updates of each adapter and what is known of its training; `UserError` where they make no soup."""
    if len(adapters) < 2:
        raise UserError("a soup is made of several adapters", found=f"{len(adapters)}", remedy="name two or more")
    parts = [Updates.read(folder) for folder in adapters]
    records = [TrainingRecord.read(folder) for folder in adapters]
    _check_alike(parts, records)
    return list(zip(parts, records, strict=True))


def mean(parts: Sequence[Updates]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the config of the mean; `UserError` where its modules would have several ranks."""
    tensors: dict[str, Tensor] = {}
    for name, (partner, *_) in parts[0].factors.items():
        tensors[name] = torch.cat([part.factors[name][1] for part in parts])
        tensors[partner] = torch.cat([part.factors[name][2] / len(parts) for part in parts], dim=1)
    ranks = {len(tensors[name]) for name in parts[0].factors}
    if len(ranks) > 1:
        raise UserError("modules of these adapters have several ranks", remedy="use adapters of one rank each")
    rank = ranks.pop()
    config = {**parts[0].config, "r": rank, "lora_alpha": rank, "use_rslora": False, "rank_pattern": {}}
    return tensors, config


def manifest_of(records: Sequence[TrainingRecord]) -> dict[str, Any] | None:
    """Return the manifest of a soup of these; None where none has one."""
    manifest = joined(records)
    if manifest is None:
        return None
    manifest["identity"]["soup"] = [record.identity.digest for record in records if record.identity]
    manifest.pop("soup", None)  # of the first
    return {**manifest, **dict.fromkeys(("dev", "selected_step"))}  # of one of them, not of the soup


def write_soup(
    folder: Path, tensors: Mapping[str, Tensor], config: Mapping[str, Any], manifest: Mapping[str, Any] | None = None
) -> None:
    """Write an adapter, with its manifest where it has one."""
    write_weights(tensors, folder)
    write_json(folder / CONFIG, config)
    if manifest is not None:
        write_json(folder / MANIFEST, manifest)


def _check_alike(parts: Sequence[Updates], records: Sequence[TrainingRecord]) -> None:
    first = parts[0]
    for part in parts[1:]:
        if odd := {*first.factors} ^ {*part.factors}:
            raise UserError(
                f"{first.folder} and {part.folder} update different modules",
                expected="adapters with the same --targets",
                found=f"{module_of(min(odd))} in one alone ({len(odd)} in all)",
                remedy="leave one out",
            )
        if any(_sides(*part.factors[name][1:]) != _sides(*first.factors[name][1:]) for name in part.factors):
            raise UserError(f"{first.folder} and {part.folder} belong to models of two sizes", remedy="leave one out")
    bases = {str(record.facts["checkpoint"]): record.folder for record in records if record.facts.get("checkpoint")}
    if len(bases) > 1:
        raise UserError(
            "these adapters were trained on different bases",
            found=", ".join(f"{folder} on {base[:12]}…" for base, folder in bases.items()),
            remedy="leave one out",
        )


def _sides(a: Tensor, b: Tensor) -> tuple[int, int]:
    return a.shape[1], len(b)
