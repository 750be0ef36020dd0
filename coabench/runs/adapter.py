"""The training that made an adapter, as the manifest beside it records it, and what follows for an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from coabench.base.vocabulary import COMPLETE
from coabench.errors import UserError
from coabench.runs.folder import Manifest, read_manifest
from coabench.runs.identity import StrategyIdentity, TrainingIdentity, differences

MANIFEST = "training.json"


@dataclass(frozen=True)
class TrainingManifest(Manifest):
    """The fields that every training's manifest has."""

    kind = "training"
    file = MANIFEST

    options: Mapping[str, Any]
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class TrainingRecord:
    """What is known of the training of an adapter, or of a model that was trained as a whole.

    Attributes:
        folder: the adapter.
        identity: None for an adapter without a manifest, which something else has made.
        options: of the backbone.
        facts: `Backbone.identity` of the training.
    """

    folder: Path | None
    identity: TrainingIdentity | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, adapter: str | Path | None) -> TrainingRecord:
        """Read the manifest of an adapter, where it is a folder and has one.

        Raises:
            UserError: the manifest is damaged, or the training is not finished.
        """
        folder = Path(adapter).expanduser() if adapter is not None else None
        if folder is None or not (folder / MANIFEST).is_file():
            return cls(folder)
        manifest = read_manifest(folder, TrainingManifest)
        if manifest["status"] != COMPLETE:
            raise UserError(
                f"the training in {folder} is not finished",
                found=f"status {manifest['status']}",
                remedy="run the same `coabench train` command again: it continues from the last checkpoint",
            )
        try:
            identity = TrainingIdentity.read(manifest["identity"])
        except ValueError as error:
            raise UserError(
                f"the manifest {folder / MANIFEST} is damaged", found=str(error), remedy="restore it"
            ) from None
        return cls(folder, identity, manifest["options"], manifest["facts"])

    def assignments(self, typed: Mapping[str, str], declared: type) -> dict[str, str]:
        """Return the ``--set`` assignments: what the user typed, and the options of the training for the rest."""
        known = {each.name for each in fields(declared)} - {key.rpartition(".")[2] for key in typed}
        return {**typed, **{f"backbone.{name}": str(v) for name, v in self.options.items() if name in known}}

    def check_split(self, dataset: str, split: str, fingerprint: str, allowed: bool) -> list[str]:
        """Return a note where the adapter was trained on this very split, if that is allowed.

        Raises:
            UserError: it was, and it is not allowed.
        """
        for part in self.identity.data if self.identity else ():
            if (part.dataset, part.split) == (dataset, split) or part.fingerprint == fingerprint:
                if not allowed:
                    raise UserError(
                        f"what is in {self.folder} was trained on {dataset}, split {split!r}",
                        expected="a split that it has never seen",
                        remedy="choose another --split, or pass --allow-trained-split to score it nonetheless",
                    )
                return [f"it was trained on this split of {dataset}: these numbers say nothing about others"]
        return []

    def notes(self, backbone: Mapping[str, Any], strategy: StrategyIdentity) -> list[str]:
        """Return in what the evaluation differs from the training, in sentences.

        Args:
            backbone: `Backbone.identity` of the evaluation.
        """
        if self.identity is None:
            return []
        then = {k: v for k, v in self.facts.items() if k != "adapter"}
        now = {k: v for k, v in backbone.items() if k in then}
        notes = [f"this run differs from the adapter's training in {line}" for line in differences(then, now)]
        trained = self.identity.strategies
        if not any(other.sha256 == strategy.sha256 for other in trained):
            names = ", ".join(other.name for other in trained)
            notes.append(f"the adapter was trained on the questions of {names}, not of {strategy.name}")
        return notes
