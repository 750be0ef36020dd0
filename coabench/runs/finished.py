"""A finished run read back: its manifest, its records, and the label space that it was made with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coabench.base.text import plural
from coabench.base.vocabulary import COMPLETE
from coabench.errors import UserError
from coabench.labels import Choices, Label, LabelSpace
from coabench.registry.catalog import find_labels, is_file
from coabench.runs.identity import RunIdentity
from coabench.runs.run import LOG, MANIFEST, read_manifest
from coabench.runs.stored import records_in

_LABELS = ("space", "names", "pairs", "basic", "neutral")


@dataclass(frozen=True)
class RecordedRun:
    """A complete run."""

    directory: Path
    manifest: Mapping[str, Any]
    identity: RunIdentity
    records: Sequence[Mapping[str, Any]]

    def typed(self, option: str) -> str | None:
        """Return the value of an option on the run's command line, as far as it is recorded."""
        return next(iter(self.typed_values(option)), None)

    def typed_values(self, option: str) -> list[str]:
        """Return every value of a repeatable option on the command line that first names it; as far as recorded."""
        for session in self.manifest.get("sessions") or ():
            words = [str(word) for word in session.get("command") or ()]
            values = [
                following if word == option else word.partition("=")[2]
                for word, following in zip(words, [*words[1:], ""], strict=False)
                if word == option or word.startswith(f"{option}=")
            ]
            if values:
                return values
        return []

    def space(self, labels: str | None, *, exact: bool) -> LabelSpace:
        """Return the label space of the run.

        Args:
            labels: what the user typed for ``--labels``; None to look for the data set's name.
            exact: codes and aliases must be those of the run, too. Without it, the labels that the manifest lists
                are enough.

        Raises:
            UserError: *labels* are others, or an exact space is wanted and not found.
        """
        wanted = self.identity.dataset.labels
        if labels is not None:
            space = find_labels(labels)
            if space.digest == wanted or (not exact and _alike(space.describe(), self.manifest["labels"])):
                return space
            raise UserError(
                f"the labels of {labels} are not those of the run {self.directory}",
                expected=", ".join(self.manifest["labels"]["names"]),
                found=", ".join(space.names) + (" (codes or aliases may differ)" if exact else ""),
                remedy="correct --labels",
            )
        typed = self.typed("--dataset") or ""
        for spec in (self.identity.dataset.name, *([typed] if is_file(typed) else [])):
            with suppress(UserError):
                space = find_labels(spec)
                if space.digest == wanted:
                    return space
        if not exact:
            return _listed(self.manifest["labels"])
        raise UserError(
            f"the label space that the run {self.directory} was made with is not found here",
            expected=f"the data set {self.identity.dataset.name!r}, or its card, unchanged since",
            remedy="pass --labels CARD.yaml",
        )


def read_run(directory: Path, each: Callable[[Mapping[str, Any]], object] | None = None) -> RecordedRun:
    """Read a complete run.

    Args:
        each: called with every record as the log is read.

    Raises:
        UserError: there is none, it is not finished, or it is damaged.
    """
    manifest = read_manifest(directory)
    if manifest["status"] != COMPLETE:
        raise UserError(
            f"the run {directory} is not finished",
            expected="a complete run",
            found=str(manifest["status"]),
            remedy="finish it first: the same `coabench evaluate` command continues it",
        )
    identity = RunIdentity.read(manifest["identity"])
    if identity.dataset.labels is None:
        raise _damaged(directory, expected="the field 'identity.dataset.labels'")
    missing = [name for name in _LABELS if name not in manifest["labels"]]
    if missing:
        raise _damaged(directory, expected=f"the field 'labels.{missing[0]}'")
    records = records_in(directory / LOG, each)
    if len(records) != identity.dataset.samples:
        raise UserError(
            f"{directory / LOG} is not the log of the whole run",
            expected=plural(identity.dataset.samples, "record"),
            found=str(len(records)),
            remedy="restore the log",
        )
    return RecordedRun(directory, manifest, identity, records)


def _damaged(directory: Path, *, expected: str | None = None, found: str | None = None) -> UserError:
    path = directory / MANIFEST
    return UserError(f"the manifest {path} is damaged", expected=expected, found=found, remedy="restore it")


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two label spaces have the same labels, whatever their names."""
    return all(one[part] == other[part] for part in ("names", "pairs", "basic", "neutral"))


def _listed(labels: Mapping[str, Any]) -> LabelSpace:
    """Return the label space as a manifest lists it: without codes and aliases."""
    pairs = {name: (str(pair[0]), str(pair[1])) for name, pair in labels["pairs"].items()}
    return LabelSpace(
        name=str(labels["space"]),
        labels=tuple(Label(name, pair=pairs.get(name)) for name in labels["names"]),
        basic=Choices(labels["basic"]),
        neutral=labels["neutral"],
    )
