"""How far a run or a training is that has not ended, seen from its files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from coabench.base.reading import open_file
from coabench.base.vocabulary import RUNNING
from coabench.errors import CoabenchError
from coabench.runs import adapter, folder
from coabench.runs.identity import RunIdentity
from coabench.runs.parts import FOLDER as PARTS
from coabench.runs.run import LOG, RunManifest
from coabench.runs.training_log import TrainingLog
from coabench.site.listing import Item, State

QUIET = 300
"""Seconds without news after which something that says it runs may have been killed."""


@dataclass(frozen=True)
class Progress:
    """How far something is.

    Attributes:
        unit: what is counted: samples or steps.
        news: when its files last changed, for people.
        quiet: whether that was long ago.
    """

    item: Item
    what: str
    unit: str
    done: int
    total: int | None
    news: str
    quiet: bool


class Watch:
    """What is remembered of runs between two looks, so that a look reads only what is new."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[State, bool]] = {}
        self._lines: dict[Path, tuple[int, int, int]] = {}

    def running(self, item: Item) -> bool:
        """Whether the manifest of a run or a training says that it runs; a damaged one says nothing."""
        known = self._running.get(item.address)
        if known is None or known[0] != item.state[:1]:
            known = self._running[item.address] = item.state[:1], _status(item) == RUNNING
        return known[1]

    def progress(self, item: Item) -> Progress | None:
        """Return how far something is that runs; None where its files are gone or cannot be read."""
        try:
            return self._run(item) if item.kind == "runs" else _training(item)
        except (CoabenchError, OSError, LookupError, TypeError, ValueError, AttributeError):
            return None

    def _run(self, item: Item) -> Progress:
        identity = RunIdentity.read(folder.read_manifest(item.path, RunManifest)["identity"])
        files = [item.path / LOG, *(item.path / PARTS).glob("*.jsonl")]
        done = min(sum(map(self._count, files)), identity.dataset.samples)
        what = f"{identity.strategy.name} on {identity.dataset.name}, split {identity.dataset.split}"
        return Progress(item, what, "samples", done, identity.dataset.samples, *_news(item))

    def _count(self, file: Path) -> int:
        """Return the number of complete lines of a file, which only grows."""
        try:
            with open_file(file) as log:
                inode, size = (status := file.stat()).st_ino, status.st_size
                known, at, lines = self._lines.get(file, (inode, 0, 0))
                if known != inode or at > size:
                    at = lines = 0
                log.seek(at)
                while block := log.read(2**20):
                    lines += block.count(b"\n")
                    at += len(block)
        except OSError:
            return 0
        self._lines[file] = inode, at, lines
        return lines


def _training(item: Item) -> Progress:
    manifest = folder.read_manifest(item.path, adapter.TrainingManifest)
    return Progress(
        item, "training", "steps", TrainingLog.read(item.path).last_step, manifest.get("steps"), *_news(item)
    )


def _status(item: Item) -> str | None:
    try:
        declared = RunManifest if item.kind == "runs" else adapter.TrainingManifest
        return str(folder.read_manifest(item.path, declared)["status"])
    except (CoabenchError, OSError):
        return None


def _news(item: Item) -> tuple[str, bool]:
    newest = max((state[1] for state in item.state if state is not None), default=0)
    at = datetime.fromtimestamp(newest / 1e9, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC", (datetime.now(UTC) - at).total_seconds() > QUIET
