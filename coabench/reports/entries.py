"""Reading many runs: each becomes one row of raw values, whatever is wrong with it."""

from __future__ import annotations

import hashlib
import json
import math
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from coabench.base import cache
from coabench.base.files import sha256_of
from coabench.base.version import __version__
from coabench.base.vocabulary import COMPLETE, RUNNING
from coabench.errors import CoabenchError, UserError
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import Counts
from coabench.metrics.summary import SCHEMA, summarise
from coabench.runs.identity import RunIdentity
from coabench.runs.run import LOG, MANIFEST, METRICS, read_manifest, read_records

DEPTH = 3
"""How many levels below the given folder runs are looked for."""

WORTH_WORKERS = 16
"""From how many runs on it pays to start processes that read them."""

KEYS = (
    "kind", "dataset", "split", "samples", "fingerprint", "rank_low", "rank_high", "leading", "name",
    "backbone", "model", "adapter", "strategy", "decode", "parser", "seed",
    "uar", "uar_low", "uar_high", "war", "war_low", "war_high", "macro_f1", "macro_f1_low", "macro_f1_high",
    "difference", "difference_low", "difference_high", "p",
    "invalid", "invalid_rate", "errors", "images_per_second", "date", "source", "note",
)  # fmt: skip
"""The fields of a row. *kind* is ``run``, ``published`` or ``not ranked`` (*note* says why); *source* is the run's
directory or where the published number stands; *difference* and *p* compare with the baseline, if one was named."""


class Group(NamedTuple):
    """What runs must have in common to be compared."""

    dataset: str
    split: str
    samples: int
    fingerprint: str
    space: str
    labels: tuple[str, ...]

    @property
    def title(self) -> str:
        return (
            f"{self.dataset}, split {self.split}: {self.samples} samples, {len(self.labels)} labels "
            f"(fingerprint {self.fingerprint[:12]})"
        )


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

    row: dict[str, Any]
    answered: Answered | None = None

    def apart(self, reason: str) -> Entry:
        """Return the entry as one that cannot be compared."""
        return Entry(self.row | {"kind": "not ranked", "note": reason})


def read_entries(root: Path, workers: int = 1) -> list[Entry]:
    """Return the runs at or below *root*, sorted by path.

    Args:
        root: a run directory, or a folder with run directories at most `DEPTH` levels below.
        workers: how many processes may read at once.

    Raises:
        UserError: *root* is no folder, or there is no run in it.
    """
    directories = find_runs(root)
    entries = dict(zip(directories, map(_recalled, directories), strict=True))
    new = [directory for directory, entry in entries.items() if entry is None]
    if workers > 1 and len(new) >= WORTH_WORKERS:
        from concurrent.futures import ProcessPoolExecutor

        with ProcessPoolExecutor(workers) as pool:
            entries.update(zip(new, pool.map(_read, new, chunksize=4), strict=True))
    else:
        entries.update(zip(new, map(_read, new), strict=True))
    return [_named(entry, directory, root) for directory, entry in entries.items() if entry]


def find_runs(root: Path) -> list[Path]:
    """Return the run directories at or below *root*, sorted. A run directory is one that holds ``run.json``.

    Raises:
        UserError: *root* is no folder, or there is no run in it.
    """
    if not root.is_dir():
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
    if (folder / MANIFEST).is_file():
        yield folder
    elif depth:
        for child in folder.iterdir():
            if child.is_dir() and not child.name.startswith("."):
                yield from _walk(child, depth - 1)


def _named(entry: Entry, directory: Path, root: Path) -> Entry:
    name = directory.name if directory == root else directory.relative_to(root).as_posix()
    return Entry(entry.row | {"name": name, "source": str(directory)}, entry.answered)


def _recalled(directory: Path) -> Entry | None:
    """Return the entry of a run from the cache, if the run's files are what they were."""
    known = cache.recall(*_place(directory))
    if known is None:
        return None
    return Entry(known["row"], Answered.unpacked(known["answered"]) if known["answered"] else None)


def _read(directory: Path) -> Entry:
    """Read the entry of a run and keep it in the cache."""
    key, stamp = _place(directory)  # before reading: what changes meanwhile makes another stamp
    entry = read_entry(directory)
    cache.remember(key, stamp, {"row": entry.row, "answered": entry.answered.packed() if entry.answered else None})
    return entry


def _place(directory: Path) -> tuple[str, cache.Stamp]:
    files = [directory / name for name in (MANIFEST, LOG, METRICS)]
    return f"entry {SCHEMA} of coabench {__version__}: {directory.resolve()}", cache.stamp(files)


def read_entry(directory: Path) -> Entry:
    """Read a run. Whatever is wrong with it becomes the reason why it is not ranked; it never raises for a run."""
    row: dict[str, Any] = dict.fromkeys(KEYS) | {"kind": "not ranked"}
    try:
        manifest = read_manifest(directory)
        row |= _described(manifest)
        reason = _why_not(manifest)
        if reason is not None:
            return Entry(row | {"note": reason})
        labels = manifest["labels"]
        samples, predicted, log_sha256 = _read_log(directory, labels["names"])
        metrics, row["note"] = read_metrics(directory, manifest, log_sha256)
        row |= _measured(metrics)
        if len(predicted.targets) != row["samples"]:
            return Entry(row | {"note": f"the log holds {len(predicted.targets)} of {row['samples']} records"})
        group = Group(
            row["dataset"], row["split"], row["samples"], row["fingerprint"], str(labels["space"]), predicted.names
        )
    except CoabenchError as error:
        return Entry(row | {"note": error.problem})
    except (OSError, LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        # JSON of the right schema, but a field is missing or of another kind.
        return Entry(row | {"note": f"damaged: {type(error).__name__}: {error}"})
    return Entry(row | {"kind": "run"}, Answered(group, samples, predicted))


def _read_log(directory: Path, names: Iterable[str]) -> tuple[str, Predicted, str]:
    """Return the hash of the samples, what was predicted, and the hash of the log, in one pass over it."""
    log, samples = hashlib.sha256(), hashlib.sha256()

    def records() -> Iterator[dict[str, Any]]:
        for record in read_records(directory, log):
            samples.update(f"{record['id']}\0{record['target']}\n".encode("utf-8", "surrogatepass"))
            yield record

    predicted = Predicted.of(records(), list(names))
    return samples.hexdigest(), predicted, log.hexdigest()


def read_metrics(
    directory: Path, manifest: Mapping[str, Any], log_sha256: str | None = None
) -> tuple[dict[str, Any], str | None]:
    """Return the metrics of a run, and what had to be done to get them.

    ``metrics.json`` is trusted as long as it carries the hash of the log beside it; otherwise the metrics are
    computed again from the log.

    Args:
        log_sha256: the hash of the log, where it is known already.

    Raises:
        UserError: the log is damaged or empty.
    """
    if log_sha256 is None:
        log = directory / LOG
        log_sha256 = sha256_of(log) if log.is_file() else None
    problem: str | None
    try:
        stored = json.loads((directory / METRICS).read_text(encoding="utf-8"))
        if isinstance(stored, dict) and stored["log_sha256"] == log_sha256 and stored["schema"] == SCHEMA:
            return stored, None
        problem = None if stored["schema"] < SCHEMA else f"{METRICS} does not belong to {LOG}"
    except FileNotFoundError:
        problem = f"there is no {METRICS}"
    except (OSError, ValueError, LookupError, TypeError):
        problem = f"{METRICS} is damaged"
    metrics = summarise(read_records(directory), manifest["labels"], log_sha256)
    return metrics, f"{problem}: computed again from the log" if problem else None


def _why_not(manifest: Mapping[str, Any]) -> str | None:
    """Say why a run cannot be ranked, as far as its manifest tells."""
    status, limit = manifest["status"], manifest["identity"]["dataset"].get("limit")
    if status == RUNNING:
        return "not finished: the same `coabench evaluate` command goes on with it"
    if status != COMPLETE:
        return f"{status}: {str(manifest.get('reason') or 'no reason given').splitlines()[0]}"
    return f"not comparable: --limit {limit}" if limit is not None else None


def _described(manifest: Mapping[str, Any]) -> dict[str, Any]:
    speed = manifest.get("images_per_second")
    return {
        **RunIdentity.read(manifest["identity"]).columns(),
        "images_per_second": None if speed is None else _figure(speed, math.inf),
        "date": str(manifest.get("ended") or manifest.get("started") or "")[:10] or None,
    }


def _measured(metrics: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "invalid": int(metrics["invalid"]),
        "invalid_rate": _figure(metrics["invalid_rate"]),
        "errors": int(metrics["errors"]),
    }
    for metric in ("uar", "war", "macro_f1"):
        low, high = metrics[f"{metric}_interval"]
        row |= {metric: _figure(metrics[metric]), f"{metric}_low": _figure(low), f"{metric}_high": _figure(high)}
    return row


def _figure(value: Any, most: float = 1.0) -> float:
    """Return *value* as a number within 0…*most*; `ValueError` for anything else, NaN included."""
    figure = float(value)
    if not 0 <= figure <= most or math.isinf(figure):
        raise ValueError(f"{value!r} is no figure")
    return figure


def _packed(array: npt.NDArray[np.int64] | None) -> str | None:
    return None if array is None else b64encode(array.astype("<u4").tobytes()).decode()


def _unpacked(text: str) -> Counts:
    return np.frombuffer(b64decode(text), dtype="<u4").astype(np.int64)
