"""The run directory: a manifest, an append-only log of records, and one writer at a time.

``run.json`` records exactly what ran, ``predictions.jsonl`` holds one record per sample in the order of the data set.
The log is always a prefix of the data set, so a run that was killed continues where it stopped. Where several processes
fill a run, each writes a log of its own in ``parts/``, and the first merges them into the run's log in the end.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from coabench.base.jsonlines import Digest
from coabench.base.schema import EachOnce, NotEmpty, Number, at_least, others
from coabench.base.text import plural
from coabench.base.vocabulary import COMPLETE
from coabench.errors import JobError, UserError
from coabench.runs import folder
from coabench.runs.folder import LOCK, JobFolder, Manifest
from coabench.runs.identity import RunIdentity
from coabench.runs.log import LogWriter, read_log
from coabench.runs.parts import FOLDER as PARTS
from coabench.runs.parts import Parts

MANIFEST, LOG, METRICS = "run.json", "predictions.jsonl", "metrics.json"
PENDING = "pending"
"""Where a backbone keeps answers whose records are not written yet; deleted when the run is complete."""


@dataclass(frozen=True, kw_only=True)
class Labels:
    """The labels of a run; those that `coabench.runs.finished` needs, the log of an older run may lack."""

    space: str
    names: Annotated[tuple[str, ...], NotEmpty, EachOnce]
    pairs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    basic: tuple[str, ...] = ()
    neutral: str | None = None
    more: Mapping[str, Any] = others()


@dataclass(frozen=True, kw_only=True)
class TrainingSummary:
    """The training of a run's weights.

    Attributes:
        recipe: the digest of all that decides it, but for the seed and the number of the fold.
        fold: the fold that was held out, as in ``3/10``.
        whole: whether the model was trained, not an adapter.
    """

    seed: int | None
    recipe: str
    fold: str | None = None
    whole: bool = False


@dataclass(frozen=True, kw_only=True)
class RunManifest(Manifest):
    """The fields of a run's manifest that are read again."""

    kind = "run"
    file = MANIFEST

    identity: RunIdentity
    labels: Labels
    training: TrainingSummary | None = None
    seconds: Annotated[Number, at_least(0)] | None = None
    images_per_second: Annotated[Number, at_least(0)] | None = None


def read_manifest(directory: Path) -> dict[str, Any]:
    """Return the manifest of a run; see `coabench.runs.folder.read_manifest`."""
    return folder.read_manifest(directory, RunManifest)


def read_records(directory: Path, digest: Digest | None = None) -> Iterator[dict[str, Any]]:
    """Yield the records of a run's log, in order; see `coabench.runs.log.read_log`."""
    return (line.data for line in read_log(directory / LOG, digest))


@dataclass(frozen=True)
class Batch:
    """Samples that go through the model together.

    Attributes:
        positions: theirs, in order.
        known: those that are recorded already. They are computed again, so that a resumed run does the same
            arithmetic as one that was never stopped.
    """

    positions: range
    known: Sequence[int] = ()

    def to_json(self) -> list[Any]:
        """Return it as another process reads it."""
        return [self.positions.start, self.positions.stop, list(self.known)]

    @classmethod
    def read(cls, data: Sequence[Any]) -> Batch:
        """Return what `to_json` describes."""
        start, stop, known = data
        return cls(range(start, stop), known)


class Records(Collection[dict[str, Any]]):
    """The records that a run holds, read anew by every iteration.

    Args:
        number: how many of them are in the log.
        parts: where the others are.
    """

    def __init__(self, directory: Path, number: int, parts: Parts) -> None:
        self._directory, self._number, self._parts = directory, number, parts

    def __len__(self) -> int:
        return self._number + self._parts.count(self._number)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from islice(read_records(self._directory), self._number)
        yield from self._parts.records(self._number)

    def __contains__(self, record: object) -> bool:
        return any(record == each for each in self)


@dataclass(frozen=True)
class SharedRun:
    """A run that another process has opened."""

    directory: Path
    manifest: Mapping[str, Any]

    @property
    def pending(self) -> Path:
        """See `Run.pending`."""
        return self.directory / PENDING


class Run(JobFolder):
    """A run directory opened for writing.

    Attributes:
        done: how many records the log already holds.
        parts: what other processes have recorded beyond that.
    """

    declared = RunManifest
    contents = (MANIFEST, LOG, METRICS, PENDING, PARTS, LOCK)

    def __init__(self, directory: Path, manifest: dict[str, Any], ids: Sequence[str], *, overwrite: bool = False):
        """Create the run, or resume the one in the folder.

        Args:
            directory: the folder; made where it is absent.
            manifest: ``identity``, ``labels`` and ``notes`` of the run about to start.
            ids: the ids of the samples, in the order in which records will come.
            overwrite: delete the run in the folder.

        Raises:
            UserError: what `JobFolder` refuses, or a damaged log.
        """
        self._log: LogWriter | None = None
        self._ids = ids
        self._wipe = overwrite  # only when start() has everything it needs is the old run deleted
        super().__init__(directory, manifest, overwrite=overwrite)
        try:
            self.done = self._check_log(ids)
            self.parts = Parts(directory / PARTS, () if self._wipe else ids)
        except BaseException:
            self.close()
            raise

    @property
    def pending(self) -> Path:
        """The folder for `coabench.backbone.Backbone.remember`."""
        return self.directory / PENDING

    def _check_log(self, ids: Sequence[str]) -> int:
        """Return the number of records, after checking that they are the first samples in order."""
        if self._wipe:
            return 0
        count = 0
        for count, record in enumerate(read_records(self.directory), start=1):
            if count > len(ids) or record["id"] != ids[count - 1]:
                raise UserError(
                    f"{self.directory / LOG}: line {count} is not the record that belongs there",
                    expected=ids[count - 1] if count <= len(ids) else plural(len(ids), "record"),
                    found=str(record["id"]),
                    remedy="the log was edited: restore it, or start anew with --overwrite",
                )
        if self.complete and count != len(ids):
            raise UserError(
                f"{self.directory / LOG} has lost records of a complete run",
                expected=plural(len(ids), "record"),
                found=str(count),
                remedy="restore the log, or start anew with --overwrite",
            )
        return count

    @property
    def recorded(self) -> Records:
        """The records so far, those of parts included."""
        return Records(self.directory, self.done, self.parts)

    def missing(self, size: int) -> list[Batch]:
        """Return what is to be done, in batches of *size* counted from the first sample."""
        batches = []
        for start in range(self.done - self.done % size, len(self._ids), size):
            positions = range(start, min(start + size, len(self._ids)))
            known = [position for position in positions if position < self.done or position in self.parts]
            if len(known) < len(positions):
                batches.append(Batch(positions, known))
        return batches

    def start(self, session: Mapping[str, Any]) -> None:
        """Record that a process begins to write, or resumes."""
        if self._wipe:
            for name in (LOG, METRICS, MANIFEST):
                (self.directory / name).unlink(missing_ok=True)
            for name in (PENDING, PARTS):
                shutil.rmtree(self.directory / name, ignore_errors=True)
        self._begin({"from": self.done, **session})
        self._log = LogWriter(self.directory / LOG)

    def append(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Add the records of a batch to the log; see `coabench.runs.log.LogWriter.append`."""
        assert self._log is not None, "start() comes first"
        self._log.append(records)
        self.done += len(records)

    def merge(self) -> None:
        """Merge all parts into the log, those included that other processes have written meanwhile.

        Raises:
            JobError: records are missing, or the disk is full or gone; log and parts are as before.
        """
        self.parts = Parts(self.directory / PARTS, self._ids)
        if missing := len(self._ids) - len(self.recorded):
            raise JobError(
                f"{self.directory} lacks {plural(missing, 'record')}",
                remedy="what is recorded is safe: run the same command again",
            )
        assert self._log is not None, "start() comes first"
        self._log.close()
        self.parts.merge(self.directory / LOG, self.done)
        self.done = len(self._ids)

    def finish(self, metrics: Mapping[str, Any], **facts: Any) -> None:
        """Write the metrics and mark the run complete."""
        self.write(METRICS, metrics)
        self.end(COMPLETE, **facts)
        shutil.rmtree(self.pending, ignore_errors=True)

    def close(self) -> None:
        """Close the log, and the folder."""
        if self._log is not None:
            self._log.close()
        super().close()
