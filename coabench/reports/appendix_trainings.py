"""The trainings of an appendix: what their manifests and logs record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coabench.base.text import date
from coabench.reports.appendix_facts import (
    COMPUTE,
    DATA,
    MODEL,
    RECIPE,
    SELECTION,
    SOFTWARE,
    Facts,
    Source,
    check_complete,
    commands_of,
    distinct,
    fold_facts,
    hours,
    leaves,
    machine,
    numbered,
    origin,
    software,
)
from coabench.reports.damage import damage_reported
from coabench.runs.adapter import TrainingManifest
from coabench.runs.folder import read_manifest
from coabench.runs.identity import precision
from coabench.runs.training_identity import TrainingData, TrainingIdentity
from coabench.runs.training_log import TrainingLog


@dataclass(frozen=True)
class Trained(Source):
    """A training."""

    identity: TrainingIdentity

    def made(self, summary: Mapping[str, Any] | None) -> bool:
        """Whether it made the weights whose training a run's manifest sums up, whatever folder they are in."""
        return (summary or {}).get("recipe") == self.identity.any_seed.digest and (
            self.identity.seed == (summary or {}).get("seed")
        )


def read_training(directory: Path, name: str) -> Trained:
    """Read a training.

    Raises:
        UserError: there is none, it is not complete, or it is damaged.
    """
    manifest = read_manifest(directory, TrainingManifest)
    check_complete(directory, manifest, "training", "coabench train")
    with damage_reported(f"the training {directory}"):
        identity = TrainingIdentity.read(manifest["identity"])
        sessions = manifest.get("sessions") or []
        backbone = identity.backbone
        model: Facts = {"backbone": f"{backbone.name}:{backbone.model}" if backbone.model else backbone.name}
        model |= origin("backbone from", backbone.plugin, backbone.plugin_version) | leaves("", backbone.facts or {})
        if identity.start is not None:
            model |= leaves("began with", {"recipe": identity.start.recipe, "weights": identity.start.weights})
        groups = {
            SOFTWARE: software(identity.coabench, sessions),
            MODEL: model,
            DATA: _learnt(identity, manifest),
            RECIPE: _recipe(identity, manifest),
            SELECTION: _selection(manifest),
            COMPUTE: _compute(directory, identity, manifest, sessions),
        }
        return Trained(name, directory, manifest, groups, commands_of(sessions), identity)


def _learnt(identity: TrainingIdentity, manifest: Mapping[str, Any]) -> Facts:
    facts: Facts = {f"{part.dataset}, {part.split}": _part(part) for part in identity.data}
    for part in identity.data:
        facts |= {f"fingerprint of {part.dataset}, {part.split}": part.fingerprint}
        facts |= {f"{name} of {part.dataset}": value for name, value in fold_facts(part.fold).items()}
        facts |= leaves(f"{part.dataset}", part.more)
    strategies = [f"{it.name} ({it.sha256})" if it.sha256 else it.name for it in identity.strategies]
    facts |= {"questions of": "; ".join(strategies)}
    examples = manifest.get("examples")
    facts |= {"examples in an epoch": None if examples is None else f"{examples:,}"}
    hashes = (manifest.get("learnt") or {}).get("hashes")
    facts |= {"images whose hashes are recorded": None if hashes is None else f"{len(hashes):,}"}
    facts |= numbered("image preparation", identity.preparation)
    return facts | numbered("augmentation", identity.augmentation)


def _part(part: TrainingData) -> str:
    fit, dev = ("an unknown number of" if count is None else f"{count:,}" for count in (part.fit, part.dev))
    weight = "" if part.weight is None else f", seen {part.weight:g} times as often"
    return f"{fit} images learnt from, {dev} kept to select by{weight}"


def _recipe(identity: TrainingIdentity, manifest: Mapping[str, Any]) -> Facts:
    recipe = {name: value for name, value in identity.recipe.items() if name != "steps"}  # they stand below
    facts: Facts = {"trained": identity.trained, "seed": None if identity.seed is None else str(identity.seed)}
    facts |= leaves("", recipe) | leaves("trainer", identity.trainer)
    facts |= leaves("backbone", identity.backbone.training or {})
    for name, title in (("steps", "optimizer steps"), ("trainable", "trained parameters")):
        count = manifest.get(name)
        facts |= {title: None if count is None else f"{count:,}"}
    for part in manifest.get("learning") or ():
        parameters = f"{part['parameters']:,} parameters, learning rate {part['learning_rate']:g}"
        facts |= {f"{part['part']}, {part['trained']}": parameters}
    return facts


def _selection(manifest: Mapping[str, Any]) -> Facts:
    """Return the step that was selected and its scores, with their intervals."""
    step, dev = manifest.get("selected_step"), manifest.get("dev") or {}
    facts: Facts = {"step selected": None if step is None else f"{step:,}"}
    for name, value in dev.items():
        if name.startswith(("uar", "invalid")):
            low, high = (dev.get(f"{bound} {name}") for bound in ("low", "high"))
            interval = "" if low is None or high is None else f" [{low:.2%}, {high:.2%}]"
            facts |= {f"dev {name}".replace("uar", "UAR"): f"{value:.2%}{interval}"}
    return facts


def _compute(
    directory: Path, identity: TrainingIdentity, manifest: Mapping[str, Any], sessions: Sequence[Mapping[str, Any]]
) -> Facts:
    return {
        **machine(sessions),
        "precision": precision(identity.backbone.facts or {}) or str(identity.recipe.get("dtype")),
        "processes": distinct(session.get("processes") for session in sessions),
        "micro-batch": distinct(session.get("micro_batch") for session in sessions),
        "time, up to the last step": hours(TrainingLog.read(directory).seconds),
        "started": date(manifest.get("started")),
        "ended": date(manifest.get("ended")),
    }
