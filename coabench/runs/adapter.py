"""The training that made an adapter, as the manifest beside it records it, and what follows for an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from coabench.base.reading import exists, user_path
from coabench.base.schema import Count, Number
from coabench.base.text import plural
from coabench.base.vocabulary import COMPLETE
from coabench.errors import UserError
from coabench.inference.contents import Content
from coabench.runs.dataset_identity import FoldIdentity
from coabench.runs.folder import Manifest, read_manifest
from coabench.runs.identity import StrategyIdentity, differences
from coabench.runs.learnt import LearntImages
from coabench.runs.training_identity import TrainingIdentity
from coabench.support.images import READER

MANIFEST = "training.json"
EXAMPLES = 3
"""How many ids an error shows."""


@dataclass(frozen=True, kw_only=True)
class TrainingManifest(Manifest):
    """The fields of a training's manifest that are read again."""

    kind = "training"
    file = MANIFEST

    identity: TrainingIdentity
    options: Mapping[str, Any]
    facts: Mapping[str, Any]
    examples: Count | None = None
    trainable: Count | None = None
    steps: Count | None = None
    selected_step: Count | None = None
    dev: Mapping[str, Number] | None = None
    stopped_early: Mapping[str, Any] | None = None
    soup: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class TrainingRecord:
    """What is known of the training of an adapter, or of a model that was trained as a whole.

    Attributes:
        folder: the adapter.
        identity: None for an adapter without a manifest, which something else has made.
        options: of the backbone.
        facts: `Backbone.identity` of the training.
        learnt: the images that it learnt from; None where 0.1.0 made it, which kept no record of them.
        earlier: those that the adapters before it learnt from, where it began with one.
    """

    folder: Path | None
    identity: TrainingIdentity | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    learnt: LearntImages | None = None
    earlier: tuple[LearntImages | None, ...] = ()

    @classmethod
    def read(cls, adapter: str | Path | None) -> TrainingRecord:
        """Read the manifest of an adapter, where it is a folder and has one.

        Raises:
            UserError: the manifest is damaged, or the training is not finished.
        """
        folder = user_path(adapter) if adapter is not None else None
        if folder is None or not exists(folder / MANIFEST):
            return cls(folder)
        manifest = read_manifest(folder, TrainingManifest)
        if manifest["status"] != COMPLETE:
            raise UserError(
                f"the training in {folder} is not finished",
                found=f"status {manifest['status']}",
                remedy="run the same `coabench train` command again: it continues from the last checkpoint",
            )
        identity = TrainingIdentity.read(manifest["identity"])
        learnt = LearntImages.read(manifest["learnt"], folder / MANIFEST) if "learnt" in manifest else None
        earlier = tuple(
            images and LearntImages.read(images, folder / MANIFEST) for images in manifest.get("learnt_earlier", ())
        )
        return cls(folder, identity, manifest["options"], manifest["facts"], learnt, earlier)

    def summary(self) -> dict[str, Any] | None:
        """Return what a run's manifest keeps of the training; see `coabench.runs.run.TrainingSummary`."""
        if self.identity is None:
            return None
        shared = self.identity.any_seed
        folds = {str(part.fold): None for part in self.identity.data if part.fold}
        held = {"fold": ", ".join(folds)} if folds else {}
        whole = {} if self.identity.recipe.get("full") is not True else {"whole": True}
        return {"seed": self.identity.seed, "recipe": shared.digest, **held, **whole}

    def assignments(self, typed: Mapping[str, str], declared: type) -> dict[str, str]:
        """Return the ``--set`` assignments: what the user typed, and the options of the training for the rest."""
        known = {each.name for each in fields(declared)} - {key.rpartition(".")[2] for key in typed}
        return {**typed, **{f"backbone.{name}": str(v) for name, v in self.options.items() if name in known}}

    def check_unseen(
        self,
        dataset: str,
        split: str,
        fingerprint: str,
        images: Callable[[], Mapping[str, Content]],
        allowed: bool,
        fold: FoldIdentity | None = None,
    ) -> list[str]:
        """Return a note where the adapter was trained on this very split or on some of its images, if that is allowed.

        Args:
            images: reads the images that are to be evaluated on.
            fold: the fold of the split that they are.

        Raises:
            UserError: it was, and it is not allowed.
        """
        for part in self.identity.seen if self.identity else ():
            if (part.dataset, part.split) == (dataset, split) or part.fingerprint == fingerprint:
                if fold is not None and part.fold == fold:
                    continue
                if not allowed and part.fold is not None:
                    raise self._another_fold(f"{dataset}, split {split!r}", part.fold, fold)
                if not allowed:
                    raise UserError(
                        f"what is in {self.folder} was trained on {dataset}, split {split!r}",
                        expected="a split that it has never seen",
                        remedy="choose another --split, or pass --allow-trained-split to score it nonetheless",
                    )
                return [f"it was trained on this split of {dataset}: these numbers say nothing about others"]
        return self._check_images(images, allowed) if self.identity else []

    def _another_fold(self, where: str, held: FoldIdentity, asked: FoldIdentity | None) -> UserError:
        """Return the error for samples that are not those of the fold that the training left out."""
        found = "all of them" if asked is None else f"fold {asked}"
        if asked is not None and asked.assignment != held.assignment:
            found += ", of folds with other samples: another --fold-seed, other data, or another scikit-learn"
        return UserError(
            f"what is in {self.folder} was trained on {where}, all folds but {held}",
            expected=f"the fold that it has never seen: {held.options}",
            found=found,
            remedy="evaluate that fold, or pass --allow-trained-split to score others nonetheless",
        )

    def _check_images(self, images: Callable[[], Mapping[str, Content]], allowed: bool) -> list[str]:
        every = (self.learnt, *self.earlier)
        known = [learnt for learnt in every if learnt is not None]
        unknown = (
            ""
            if len(known) == len(every)
            else (
                f"the training in {self.folder}"
                + (" began with one that" if self.learnt else "")
                + " kept no record of its images: whether it saw these is not known"
            )
        )
        contents = images() if known else {}
        seen = {id: other for learnt in known for id, other in learnt.among(contents).items()}
        if not seen:
            return [unknown] if unknown else []
        number = f"{len(seen):,} of the {plural(len(contents), 'image')}"
        if not allowed:
            shown = ", ".join(f"{id} (as {other})" for id, other in list(seen.items())[:EXAMPLES])
            raise UserError(
                f"what is in {self.folder} was trained on {number}, whatever they are called",
                expected="images that it has never seen",
                found=shown + (" …" if len(seen) > EXAMPLES else ""),
                remedy="take them out of the data set, choose another --split, or pass --allow-trained-split to score "
                "them nonetheless",
            )
        return [f"it was trained on {number}: these numbers say little about others"]

    def prepared_otherwise(self, now: Sequence[Mapping[str, Any]] | None) -> Iterator[str]:
        """Yield in what the images of an evaluation are prepared otherwise than those of the training, in sentences.

        Args:
            now: the preparation of the evaluation, as in `coabench.runs.identity.RunIdentity`.
        """
        if self.identity is None:
            return
        then, steps = ({step["step"]: step for step in side or ()} for side in (self.identity.preparation, now))
        for name in {**then, **steps}:
            before, after = then.get(name), steps.get(name)
            if before is None or after is None:
                used = [f"without --{name}" if s is None else f"with --{name} {s.get('spec')}" for s in (before, after)]
                yield f"the adapter was trained {used[0]}, this run evaluates it {used[1]}"
            else:
                for line in differences(before, after):
                    yield f"this run differs from the training in {name}.{line}"

    def facts_changed(self, backbone: Mapping[str, Any]) -> list[str]:
        """Return the facts of the training's backbone that are others now: ``field: then -> now``.

        What an earlier version did not record is not compared; that a base is quantised is always recorded.

        Args:
            backbone: `Backbone.identity` of what uses the adapter.
        """
        then = {name: value for name, value in self.facts.items() if name != "adapter"}
        return differences(then, {name: value for name, value in backbone.items() if name in {*then, "load"}})

    def notes(self, backbone: Mapping[str, Any], strategy: StrategyIdentity) -> list[str]:
        """Return in what the evaluation differs from the training, in sentences.

        Args:
            backbone: `Backbone.identity` of the evaluation.
        """
        if self.identity is None:
            return []
        notes = [f"this run differs from the adapter's training in {line}" for line in self.facts_changed(backbone)]
        if self.identity.images != READER and (self.learnt is None or self.learnt.changed):
            versions = f"version {self.identity.images or 1} of the image reader, this run uses version {READER}"
            notes.append(
                f"the adapter's training used {versions}: turned, deep grey, transparent images look different"
            )
        trained = self.identity.strategies
        if not any(other.sha256 == strategy.sha256 for other in trained):
            names = ", ".join(other.name for other in trained)
            notes.append(f"the adapter was trained on the questions of {names}, not of {strategy.name}")
        return notes
