"""What an adapter is, from what, on what, and how it did: as its folder says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

from coabench.base.reading import exists
from coabench.base.text import plural
from coabench.runs.adapter import MANIFEST, TrainingManifest, TrainingRecord
from coabench.runs.folder import read_manifest
from coabench.runs.training_identity import VARIANTS
from coabench.support.adapter_config import lora_ranks
from coabench.support.adapter_folder import AdapterFolder


def describe(folder: Path) -> list[tuple[str, str]]:
    """Return (name, text) rows; `UserError` where there is no adapter, or its training is not finished."""
    files, training = AdapterFolder.read(folder), TrainingRecord.read(folder)
    return [*_weights(files), *_training(folder, files.config or {}, training)]


def _weights(files: AdapterFolder) -> Iterator[tuple[str, str]]:
    config, entries = files.config or {}, files.tensors.entries
    ranks = lora_ranks(entries)
    more = f", rank {'/'.join(map(str, sorted(set(ranks.values()))))}, alpha {config['lora_alpha']:g}" if ranks else ""
    variants = "".join(f", {name}" for field, name in VARIANTS.items() if config.get(f"use_{field}"))
    yield "adapter", f"{config.get('peft_type')}{more}{variants}"
    if ranks:
        kinds = Counter(map(_kind, ranks))
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        yield "targets", f"{plural(len(ranks), 'module')}: {counts}"
    whole = config.get("modules_to_save")
    if whole and isinstance(whole, list):
        shown = ", ".join(map(str, whole[:3])) + " …" * (len(whole) > 3)
        yield "trained whole", f"{plural(len(whole), 'module')}: {shown}"
    size = files.tensors.path.stat().st_size / 2**20
    numbers = sum(prod(entry.shape) for entry in entries.values())
    yield "size", f"{plural(numbers, 'parameter')} in {plural(len(entries), 'tensor')}, {size:.1f} MiB"


def _kind(module: str) -> str:
    """Return the last part of a module's name, with the one before where it is a number."""
    return ".".join(module.split(".")[-2 if module.rpartition(".")[2].isdigit() else -1 :])


def _size(count: int | None) -> str:
    return "an unknown number of" if count is None else f"{count:,}"


def _training(folder: Path, config: dict[str, Any], training: TrainingRecord) -> Iterator[tuple[str, str]]:
    identity = training.identity
    if identity is None or not exists(folder / MANIFEST):
        yield "base", str(config.get("base_model_name_or_path") or "not said")
        yield "training", "not known: something else than coabench has made it"
        return
    manifest = read_manifest(folder, TrainingManifest)
    backbone = identity.backbone
    yield "base", backbone.name + (f":{backbone.model}" if backbone.model else "")
    yield "questions of", ", ".join(strategy.name for strategy in identity.strategies)
    for part in identity.data:
        fold = f", without fold {part.fold}" if part.fold else ""
        yield (
            "trained on",
            f"{part.dataset}, {part.split}: {_size(part.fit)} images, {_size(part.dev)} to select by{fold}",
        )
    if "soup" in identity.more:
        yield "made of", f"{plural(len(identity.more['soup']), 'adapter')}; the recipe is that of the first"
        yield from _greedy(manifest.get("soup"))
    recipe = identity.recipe
    yield "recipe", f"{manifest.get('steps')} steps of {recipe.get('batch_size')}, {recipe.get('learning_rate')} " \
        f"{recipe.get('schedule')}, seed {identity.seed}"  # fmt: skip
    if isinstance(rates := recipe.get("part_lr"), dict):
        yield "learning rates", ", ".join(f"{part} {rate}" for part, rate in rates.items())
    if "lora_plus" in recipe:
        yield "LoRA+", f"the learning rate of B is that of A times {recipe['lora_plus']}"
    for name, value in (manifest.get("dev") or {}).items():
        if name.startswith(("uar", "invalid")):
            yield f"dev {name}", f"{value:.2%}"
    if manifest.get("selected_step") is not None:
        yield "step selected", f"{manifest['selected_step']} of {manifest.get('steps')}"
    learnt = training.learnt
    yield "images learnt from", "not recorded" if learnt is None else f"{len(learnt.hashes):,} recorded"


def _greedy(soup: Mapping[str, Any] | None) -> Iterator[tuple[str, str]]:
    """Yield how a greedy soup was selected."""
    if soup is None:
        return
    for part in soup["selected_on"]:
        yield "selected on", f"{part['dataset']}, {part['split']}: {plural(part['samples'], 'image')}"
    for step in soup["steps"]:
        verdict = "taken" if step["taken"] else "left out"
        yield step["adapter"], f"{verdict}: alone {step['uar']:.2%}, the soup with it {step['soup_uar']:.2%}"
