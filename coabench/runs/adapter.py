"""What an adapter says about itself: the manifest of the training that made it, and what follows for an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from coabench.errors import UserError
from coabench.runs.folder import differences, read_manifest

MANIFEST = "training.json"
REQUIRED = {"identity": dict, "status": str, "options": dict, "facts": dict}


@dataclass(frozen=True)
class Told:
    """An adapter's manifest, or the absence of one.

    Attributes:
        folder: the adapter.
        manifest: what its ``training.json`` says; None for an adapter made elsewhere.
    """

    folder: Path | None
    manifest: Mapping[str, Any] | None

    @classmethod
    def by(cls, adapter: str | Path | None) -> Told:
        """Read the manifest of an adapter, where it is a folder and has one.

        Raises:
            UserError: the manifest is damaged, or the training is not finished.
        """
        folder = Path(adapter).expanduser() if adapter is not None else None
        if folder is None or not (folder / MANIFEST).is_file():
            return cls(folder, None)
        manifest = read_manifest(folder / MANIFEST, REQUIRED, "training")
        if manifest["status"] != "complete":
            raise UserError(
                f"the training in {folder} is not finished",
                found=f"status {manifest['status']}",
                remedy="run the same `coabench train` command again: it goes on from the last checkpoint",
            )
        return cls(folder, manifest)

    def assignments(self, given: Mapping[str, str], declared: type) -> dict[str, str]:
        """Return the ``--set`` assignments: what the user gave, and the options of the training for the rest."""
        told = self.manifest["options"] if self.manifest else {}
        known = {f.name for f in fields(declared)}
        taken = {key.rpartition(".")[2] for key in given}
        return {**given, **{f"backbone.{k}": str(v) for k, v in told.items() if k in known and k not in taken}}

    def check_split(self, dataset: str, split: str, fingerprint: str, allowed: bool) -> list[str]:
        """Return a note where the adapter was trained on this very split, if that is allowed.

        Raises:
            UserError: it was, and it is not allowed.
        """
        for part in self.manifest["identity"]["data"] if self.manifest else ():
            if (part["dataset"], part["split"]) == (dataset, split) or part["fingerprint"] == fingerprint:
                if not allowed:
                    raise UserError(
                        f"what is in {self.folder} was trained on {dataset}, split {split!r}",
                        expected="a split that it has never seen",
                        remedy="choose another --split, or pass --allow-trained-split to score it nonetheless",
                    )
                return [f"it was trained on this split of {dataset}: these numbers say nothing about others"]
        return []

    def notes(self, backbone: Mapping[str, Any], strategy: Mapping[str, Any]) -> list[str]:
        """Return in what the evaluation differs from the training, in sentences.

        Args:
            backbone: `Backbone.identity` of the evaluation.
            strategy: name and identity of the strategy.
        """
        if self.manifest is None:
            return []
        there = {k: v for k, v in self.manifest["facts"].items() if k != "adapter"}
        here = {k: v for k, v in backbone.items() if k in there}
        notes = [f"this run differs from the adapter's training in {line}" for line in differences(there, here)]
        trained = self.manifest["identity"]["strategies"]
        if not any(other.get("sha256") == strategy.get("sha256") for other in trained):
            names = ", ".join(other["name"] for other in trained)
            notes.append(f"the adapter was trained on the questions of {names}, not of {strategy['name']}")
        return notes
