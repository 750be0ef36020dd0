"""What the report needs of a run's records: read in one pass over the log, a few bytes of each record.

And which samples the page holds. A page of a million samples opens in no browser, so there are at most so many; which
ones is decided by the confusion matrix: rare outcomes are all there, frequent ones are drawn at random.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coabench.base.json import FINITE, parse_json
from coabench.base.reading import open_file
from coabench.base.vocabulary import ERROR, INVALID, OK, STATUSES
from coabench.metrics.confidences import ConfidenceFigures, Confidences
from coabench.metrics.groups import Groups
from coabench.metrics.predictions import Predicted
from coabench.metrics.stimuli import Stimuli, StimulusFigures
from coabench.runs.record import turns_of
from coabench.runs.run import LOG, read_records

EXAMPLES = 5
"""How many samples are quoted for each reason of an invalid answer."""

SEED = 0
"""Of the choice of samples."""

RESULTS = ("right", "wrong", INVALID, ERROR)
"""What can become of a sample."""

TOKENS = ("prompt_tokens", "cached_tokens", "new_tokens")


@dataclass
class Reason:
    """Why samples have no label: how many, and some of them."""

    status: str
    reason: str
    n: int = 0
    examples: list[Mapping[str, Any]] = field(default_factory=list)


class RunData:
    """The records of a log as a whole.

    Attributes:
        log_sha256: the hash of the log.
        groups: what the results by attribute are made of.
        seconds: of the samples that were timed.
        tokens: kind of tokens -> how many each sample took over its turns, of the samples that were asked anything.
    """

    def __init__(self, directory: Path, names: Iterable[str]) -> None:
        """Read the log once.

        Raises:
            UserError: a damaged log, or labels that are not among *names*.
        """
        digest = hashlib.sha256()
        names = list(names)
        self.groups, self._confidences, self._stimuli = Groups(names), Confidences(names), Stimuli()
        self.seconds = array("d")
        self.tokens = {kind: array("q") for kind in TOKENS}
        self._directory = directory
        self._statuses = array("b")
        self._reasons: dict[tuple[str, str], Reason] = {}
        for record in read_records(directory, digest):
            self._add(record)
        self.log_sha256 = digest.hexdigest()

    def __len__(self) -> int:
        return len(self._statuses)

    def _add(self, record: Mapping[str, Any]) -> None:
        self.groups.add(record)
        self._stimuli.add(record)
        self._statuses.append(STATUSES.index(record["status"]))
        if record.get("seconds") is not None:
            self.seconds.append(record["seconds"])
        for kind, numbers in self.tokens.items():
            counts = [turn.get(kind) for turn in turns_of(record)]
            if any(count is not None for count in counts):
                numbers.append(sum(count or 0 for count in counts))
        self._confidences.add(record)
        if record["status"] != OK:
            reason = "" if record["status"] == ERROR else str(record["reason"] or "unknown")
            entry = self._reasons.setdefault((record["status"], reason), Reason(record["status"], reason))
            entry.n += 1
            if len(entry.examples) < EXAMPLES:
                entry.examples.append(record)

    @property
    def predicted(self) -> Predicted:
        """Targets and predictions."""
        return self.groups.reading.predicted(Predicted)

    @property
    def stimuli(self) -> StimulusFigures:
        """Curves over the numbers that are known of samples, and what matched pictures say."""
        return self._stimuli.figures(self.predicted)

    @property
    def confidence(self) -> ConfidenceFigures | None:
        """The figures over all samples with a score for every answer, a label or not; None without any."""
        return self._confidences.figures

    @property
    def reasons(self) -> list[Reason]:
        """The reasons for invalid answers, the most frequent first; errors stand last, all together."""
        return sorted(self._reasons.values(), key=lambda it: (it.status == ERROR, -it.n, (it.status, it.reason)))

    def choose(self, most: int, only: Collection[str] = ()) -> Choice:
        """Choose the samples that the page holds.

        Args:
            most: how many, at most.
            only: leave out those whose result is not among these (of `RESULTS`); all where empty.
        """
        predicted = self.predicted
        status = np.array(self._statuses)
        results = np.where(status > 0, status + 1, predicted.predictions != predicted.targets)
        wanted = np.isin(results, [RESULTS.index(result) for result in only]) if only else np.ones(len(self), bool)
        cells = (predicted.targets * (predicted.k + 1) + predicted.predictions) * len(RESULTS) + results
        chosen, each = evenly(cells, np.flatnonzero(wanted), most)
        return Choice(len(self), int(wanted.sum()), chosen, each, tuple(only))

    def records(self, choice: Choice) -> Iterator[dict[str, Any]]:
        """Yield the chosen records, read from the log again."""
        wanted = np.zeros(len(self), dtype=bool)
        wanted[choice.chosen] = True
        with open_file(self._directory / LOG) as file:
            for want, line in zip(wanted, file, strict=False):
                if want:
                    yield parse_json(line, FINITE)


@dataclass(frozen=True)
class Choice:
    """The samples that the page holds.

    Attributes:
        total: how many the run has.
        wanted: how many of these have a result that was asked for.
        chosen: their positions, in order.
        each: how many samples with the same label and the same outcome there are at most; None where all are there.
        only: the results that were asked for; none for all.
    """

    total: int
    wanted: int
    chosen: npt.NDArray[np.int64]
    each: int | None
    only: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.chosen)


def evenly(
    cells: npt.NDArray[np.int64], among: npt.NDArray[np.int64], most: int
) -> tuple[npt.NDArray[np.int64], int | None]:
    """Choose at most *most* of the positions *among*: the same number of every cell, all of a cell that has fewer."""
    if len(among) <= most:
        return among, None
    _, place, counts = np.unique(cells[among], return_inverse=True, return_counts=True)
    low, high = 0, most  # the largest number for which all fit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(counts, middle).sum() <= most else (low, middle - 1)
    rng = np.random.default_rng(SEED)
    shuffled = rng.permutation(len(among))
    ordered = shuffled[np.argsort(place[shuffled], kind="stable")]  # cell by cell, within a cell at random
    first = np.cumsum(counts) - counts
    rank = np.arange(len(ordered)) - np.repeat(first, counts)
    return np.sort(among[ordered[rank < low]]), low
