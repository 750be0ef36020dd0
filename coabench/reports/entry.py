"""A run in a list of runs: its row, and what it answered, whatever is wrong with it."""

from __future__ import annotations

import hashlib
import math
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from coabench.base.names import to_hash
from coabench.base.text import plural
from coabench.base.vocabulary import COMPLETE, RUNNING, STOPPED
from coabench.errors import CoabenchError
from coabench.metrics.headline import FIGURES, proportion
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import Counts
from coabench.reports.run_row import NOT_RANKED, RUN, RunRow
from coabench.runs.identity import RunIdentity
from coabench.runs.metrics import further_figures, read_metrics
from coabench.runs.run import read_manifest, read_records


class Group(NamedTuple):
    """What runs must have in common to be compared; *fold* is empty where their samples are all of the split."""

    dataset: str
    split: str
    samples: int
    fingerprint: str
    space: str
    fold: str
    labels: tuple[str, ...]

    @property
    def title(self) -> str:
        return (
            f"{self.dataset}, split {self.split}{self.fold and f', fold {self.fold}'}: "
            f"{plural(self.samples, 'sample')}, {len(self.labels)} labels "
            f"(fingerprint {self.fingerprint[:12]})"
        )

    @property
    def anchor(self) -> str:
        """What names the group in the address of a page."""
        return ".".join(filter(None, [self.dataset, self.split, self.fold.partition(" ")[0], self.fingerprint[:6]]))


@dataclass(frozen=True)
class Answered:
    """What a run that can be compared answered.

    Attributes:
        group: which runs it can be compared with.
        samples: SHA-256 over id and target of every record, in order: the same samples, seen in the log itself.
        predicted: targets and predictions.
    """

    group: Group
    samples: str
    predicted: Predicted

    def packed(self) -> dict[str, Any]:
        """Return it JSON-serialisable; `unpacked` is the way back."""
        p = self.predicted
        arrays = {name: _packed(getattr(p, name)) for name in ("targets", "predictions", "clusters")}
        return {"group": list(self.group), "samples": self.samples, **arrays}

    @classmethod
    def unpacked(cls, data: Mapping[str, Any]) -> Self:
        *common, labels = data["group"]
        group = Group._make([*common, tuple(labels)])
        targets, predictions = _unpacked(data["targets"]), _unpacked(data["predictions"])
        clusters = None if data["clusters"] is None else _unpacked(data["clusters"])
        return cls(group, data["samples"], Predicted(group.labels, targets, predictions, clusters))


@dataclass(frozen=True)
class Entry:
    """A run in a list of runs: its row, and what it answered, or None where it cannot be compared."""

    row: RunRow
    answered: Answered | None = None

    def not_ranked(self, reason: str) -> Entry:
        """Return the entry as one that cannot be compared."""
        return Entry(replace(self.row, kind=NOT_RANKED, note=reason))


def read_entry(directory: Path) -> Entry:
    """Read a run. Whatever is wrong with it becomes the reason why it is not ranked; it never raises for a run."""
    row = RunRow()
    try:
        manifest = read_manifest(directory)
        row = _described(manifest)
        reason = _why_not(manifest)
        if reason is not None:
            return Entry(replace(row, note=reason))
        labels = manifest["labels"]
        samples, predicted, log_sha256 = _read_log(directory, labels["names"])
        metrics, note = read_metrics(directory, manifest, log_sha256, predicted)
        row = replace(row, note=note, **_measured(metrics))
        identity = RunIdentity.read(manifest["identity"]).dataset
        if len(predicted) != identity.samples:
            return Entry(replace(row, note=f"the log holds {len(predicted)} of {plural(identity.samples, 'record')}"))
        group = Group(
            identity.name,
            identity.split,
            identity.samples,
            identity.fingerprint,
            str(labels["space"]),
            "" if identity.fold is None else f"{identity.fold} of folds {identity.fold.assignment[:12]}",
            predicted.names,
        )
    except CoabenchError as error:
        return Entry(replace(row, note=error.problem))
    except (OSError, LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        # JSON of the right schema, but a field is missing or of another kind.
        return Entry(replace(row, note=f"damaged: {type(error).__name__}: {error}"))
    return Entry(replace(row, kind=RUN), Answered(group, samples, predicted))


def _read_log(directory: Path, names: Iterable[str]) -> tuple[str, Predicted, str]:
    """Return the hash of the samples, what was predicted, and the hash of the log, in one pass over it."""
    log, samples = hashlib.sha256(), hashlib.sha256()

    def records() -> Iterator[dict[str, Any]]:
        for record in read_records(directory, log):
            samples.update(_of_sample(record))
            yield record

    predicted = Predicted.of(records(), list(names))
    return samples.hexdigest(), predicted, log.hexdigest()


def digest_of_samples(records: Iterable[Mapping[str, Any]]) -> str:
    """Return `Answered.samples`."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(_of_sample(record))
    return digest.hexdigest()


def _of_sample(record: Mapping[str, Any]) -> bytes:
    return to_hash(f"{record['id']}\0{record['target']}\n")


def _why_not(manifest: Mapping[str, Any]) -> str | None:
    """Say why a run cannot be ranked, as far as its manifest tells."""
    status, limit = manifest["status"], manifest["identity"]["dataset"].get("limit")
    if status in (RUNNING, STOPPED):
        how = f" (stopped by {manifest.get('reason')})" if status == STOPPED else ""
        return f"not finished{how}: the same `coabench evaluate` command resumes it"
    if status != COMPLETE:
        return f"{status}: {str(manifest.get('reason') or 'no reason given').splitlines()[0]}"
    variant = RunIdentity.read(manifest["identity"]).variant
    if variant is not None:
        return f"a variant: {variant}"
    return f"not comparable: --limit {limit}" if limit is not None else None


def _described(manifest: Mapping[str, Any]) -> RunRow:
    speed = manifest.get("images_per_second")
    identity = RunIdentity.read(manifest["identity"])
    training = manifest.get("training") or {}
    return RunRow(
        **identity.columns(),
        training_seed=training.get("seed"),
        recipe=identity.recipe(training or None),
        fold=str(identity.dataset.fold) if identity.dataset.fold else None,
        pool=identity.recipe(training or None, ("fold",)) if identity.dataset.fold else None,
        images_per_second=None if speed is None else proportion(speed, math.inf),
        date=str(manifest.get("ended") or manifest.get("started") or "")[:10] or None,
    )


def _measured(metrics: Mapping[str, Any]) -> dict[str, Any]:
    figures = {row.key: row.read(metrics) for row in (*FIGURES, *further_figures(metrics))}
    return {
        "figures": figures,
        "invalid": int(metrics["invalid"]),
        "invalid_rate": proportion(metrics["invalid_rate"]),
        "errors": int(metrics["errors"]),
    }


def _packed(array: npt.NDArray[np.int64] | None) -> str | None:
    return None if array is None else b64encode(array.astype("<u4").tobytes()).decode()


def _unpacked(text: str) -> Counts:
    return np.frombuffer(b64decode(text), dtype="<u4").astype(np.int64)
