"""Runs on the same samples, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from coabench.errors import UserError
from coabench.metrics.attribute_columns import AttributeColumns
from coabench.metrics.predictions import Predicted
from coabench.reports.side import Side
from coabench.runs.finished import RecordedRun
from coabench.runs.stored import Record, records_at

EXAMPLES = 5
"""How many ids an error shows."""

Order = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Aligned:
    """Runs that answered the same samples.

    Attributes:
        orders: where in each run the samples of the first are, shape (n,).
        answers: what each run predicted, all in the order of the first.
    """

    sides: Sequence[Side]
    orders: Sequence[Order]
    answers: Sequence[Predicted]

    @property
    def runs(self) -> Sequence[RecordedRun]:
        """The runs."""
        return [side.run for side in self.sides]

    @cached_property
    def attributes(self) -> AttributeColumns:
        """What is known of the samples from the first two runs: one that was scored from a file may lack some."""
        first, second = self.sides[:2]
        return first.attributes.with_those_of(second.attributes, self.orders[1])

    def records(self, run: int, positions: Iterable[int]) -> Iterator[Record]:
        """Yield what a run says of the samples at these positions of the first."""
        order = self.orders[run]
        return records_at(self.runs[run].records, (int(order[i]) for i in positions))


def align(sides: Sequence[Side]) -> Aligned:
    """Lay runs on the same samples side by side.

    Raises:
        UserError: one has other labels, samples, images or persons than the first.
    """
    first = sides[0]
    names = list(first.predicted.names)
    orders, answers = [np.arange(len(first.ids))], [first.predicted]
    for side in sides[1:]:
        if list(side.predicted.names) != names:
            raise UserError(
                "the runs have different labels",
                expected=f"{first.run.directory}: {', '.join(names)}",
                found=f"{side.run.directory}: {', '.join(side.predicted.names)}",
                remedy="compare runs on the same data set",
            )
        orders.append(_order_of(first, side))
        answers.append(side.predicted if side.ids == first.ids else side.predicted.part(orders[-1]))
        if not np.array_equal(answers[0].units, answers[-1].units):
            raise UserError(
                "the runs do not name the same persons",
                expected="the same attribute 'subject' for each sample: a test over persons needs it",
                found=f"{first.run.directory}: {_persons(answers[0])}; {side.run.directory}: {_persons(answers[-1])}",
                remedy="score the file again with --like RUN or --subject-column NAME",
            )
    return Aligned(sides, orders, answers)


def _order_of(first: Side, second: Side) -> Order:
    """Return where in the second run the samples of the first are; most runs have the same order."""
    order = _matched(first, second)
    if order is not None:
        images, others = first.images, second.images[order]
        targets = first.predicted.targets, second.predicted.targets[order]
        if np.array_equal(*targets) and not ((images != others) & (images != 0) & (others != 0)).any():
            return order
    _check_samples(first, second)
    place = {id: i for i, id in enumerate(second.ids)}
    return np.array([place[id] for id in first.ids])  # two ids had one hash


def _matched(first: Side, second: Side) -> Order | None:
    """Return where the ids of the first run are in the second; None where they are not the same, each once."""
    hashes = first.ids.hashes()
    by_hash = np.argsort(hashes, kind="stable")
    if (np.diff(hashes[by_hash]) == 0).any():
        return None
    if first.ids == second.ids:
        return np.arange(len(hashes))
    others = second.ids.hashes()
    order = np.empty(len(hashes), dtype=np.int64)
    if len(others) != len(hashes):
        return None
    order[by_hash] = np.argsort(others, kind="stable")
    same = all(id == second.ids[i] for id, i in zip(first.ids, order.tolist(), strict=True))
    return order if same else None


def attributes_of(sample: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is known of a sample from its records: a run that was scored from a file may lack some."""
    return {key: value for record in reversed(sample) for key, value in (record.get("attributes") or {}).items()}


def _persons(run: Predicted) -> str:
    return "no person is on two images" if run.subjects is None else f"{run.subjects} persons"


def _check_samples(first: Side, second: Side) -> None:
    """Refuse runs on different samples, and say which."""
    sides = first, second
    a, b = (dict(zip(side.ids, side.predicted.targets.tolist(), strict=True)) for side in sides)
    differences = [
        (f"only in {first.run.directory}", [id for id in a if id not in b]),
        (f"only in {second.run.directory}", [id for id in b if id not in a]),
        ("with another target", [id for id in a if id in b and a[id] != b[id]]),
    ]
    found = [f"{len(ids)} {what}: {_some(ids)}" for what, ids in differences if ids]
    for side, targets in zip(sides, (a, b), strict=True):
        if len(targets) < len(side.ids):
            found.append(f"{len(side.ids) - len(targets)} ids twice in {side.run.directory}")
    if found:
        raise UserError(
            "the runs answered different samples",
            expected="two runs on the same split of the same data",
            found="\n    ".join(["", *found]),
            remedy="evaluate both on the same samples; `coabench leaderboard` shows which runs are comparable",
        )
    images = [dict(zip(side.ids, side.images.tolist(), strict=True)) for side in sides]
    other = [id for id, image in images[0].items() if image and images[1][id] and image != images[1][id]]
    if other:
        raise UserError(
            "the runs answered about different images",
            expected="the same image behind the same id",
            found=f"{len(other)} ids whose images differ: {_some(other)}",
            remedy="evaluate both on the same copy of the data",
        )


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:EXAMPLES]) + (" …" if len(ids) > EXAMPLES else "")
