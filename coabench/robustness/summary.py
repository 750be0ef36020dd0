"""What a stress says: every measure of its complete runs, and as rows for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coabench.base.text import plural
from coabench.errors import UserError
from coabench.metrics.figures import recalls
from coabench.metrics.headline import UAR, Estimate
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import Figures
from coabench.render import plots
from coabench.render.plots import Dot
from coabench.reports.aligned import align
from coabench.reports.damage import damage_reported
from coabench.reports.side import read_side
from coabench.robustness.conditions import CLEAN, Condition
from coabench.robustness.folder import LeftOut, StressFolder
from coabench.robustness.measures.cochran import Cochran, cochran
from coabench.robustness.measures.effect import Effect, effect
from coabench.robustness.measures.fragility import recall_changes
from coabench.robustness.measures.orders import Asked, Position, WorstCase, positions, questions, worst_case
from coabench.robustness.measures.position_test import position_p
from coabench.robustness.measures.robustness import relative_robustness
from coabench.robustness.measures.severity import Curve, curve
from coabench.runs.finished import RecordedRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ORDER, MIRROR = "order", "mirror"
"""The families that have measures of their own."""


@dataclass(frozen=True)
class Places:
    """The positions that are chosen of one question, by its name.

    Attributes:
        p: that the answers do not depend on the orders; None where that cannot be tested.
    """

    question: str
    positions: Sequence[Position]
    p: float | None


@dataclass(frozen=True, repr=False)
class StressSummary:
    """All measures of a stress.

    Attributes:
        clean: the run in which nothing is changed.
        answers: what was predicted under each condition of *effects*.
        effects: of every other condition that is complete, in the order of the suite.
        worst: over the orders of the options; None where there are none.
        positions: of the options that are chosen, by question; empty where there are no orders.
        robustness: over all families; see `coabench.robustness.measures.robustness`.
        alike: of the families of several conditions, whether these and the clean run are right equally often.
        curves: of the families with severities, the one that keeps least first.
        recalls: of each label in the clean run, shape (k,); NaN for one without samples.
        changes: of them, by family, shape (k,); see `coabench.robustness.measures.fragility`.
        missing: the names of conditions whose runs are not complete.
    """

    folder: StressFolder
    clean: RecordedRun
    predicted: Predicted
    answers: Sequence[Predicted]
    effects: Sequence[tuple[Condition, Effect]]
    worst: WorstCase | None
    positions: Sequence[Places]
    robustness: Estimate
    alike: Sequence[Cochran]
    curves: Sequence[Curve]
    recalls: Figures
    changes: Mapping[str, Figures]
    missing: Sequence[str]

    def __repr__(self) -> str:
        held = f"{plural(len(self.effects), 'condition')} beside the clean run, {plural(len(self.predicted), 'sample')}"
        return f"<stress {self.folder.directory}: {held}, UAR {UAR.cell(self.uar)}>"

    @property
    def uar(self) -> Estimate:
        """Of the clean run."""
        return UAR.measure(self.predicted)[0]

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """The conditions that these data or this strategy forbid."""
        return self.folder.left_out

    @property
    def mirrored(self) -> Estimate | None:
        """How many answers are the same for the mirrored picture; None where that was not tried."""
        found = next((each.flips for condition, each in self.effects if condition.family == MIRROR), None)
        if found is None or found.value is None or found.low is None or found.high is None:
            return None
        return Estimate(1 - found.value, 1 - found.high, 1 - found.low)

    def plot_severities(self, axes: Axes | None = None) -> Axes:
        """Draw the UAR over the severities of each family, with intervals; the dashed line is chance.

        Args:
            axes: where to draw; None for a new figure.

        Raises:
            UserError: matplotlib is not installed, or no family has two severities.
        """
        if not self.curves:
            raise UserError(
                f"the stress {self.folder.directory} has no curve to draw",
                expected="a family of conditions with two severities or more",
                remedy="run `coabench stress --suite images`, or a sheet of your own with `severities: all`",
            )
        drawn = [
            (
                each.family,
                [(level, Dot("uar", *_percents(uar))) for level, uar in zip(each.levels, each.uars, strict=True)],
            )
            for each in self.curves
        ]
        title = self.folder.directory.resolve().name
        return plots.severities(drawn, title=title, chance=100 * self.curves[0].chance, axes=axes)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each condition; proportions, None where one is not known."""
        return [_row(condition, each) for condition, each in self.effects]

    def as_json(self) -> dict[str, Any]:
        """Return everything, JSON-serialisable."""
        names = self.predicted.names
        return {
            "suite": self.folder.suite,
            "samples": len(self.predicted),
            "subjects": self.predicted.subjects,
            "clean": UAR.columns(self.uar),
            "conditions": self.rows(),
            "worst_case_over_orders": self.worst and {
                **UAR.columns(self.worst.uar), "change": self.worst.change, "orders": self.worst.orders
            },
            "relative_robustness": _columns("kept", self.robustness),
            "positions": [
                {"question": each.question, "p": each.p, "positions": list(map(position_row, each.positions))}
                for each in self.positions
            ],
            "cochran_q": [vars(each) for each in self.alike],
            "families": [family_row(each) for each in self.curves],
            "mirror_consistency": self.mirrored and _columns("same", self.mirrored),
            "recall_changes": {
                family: {name: _known(value) for name, value in zip(names, values, strict=True)}
                for family, values in self.changes.items()
            },
            "missing": list(self.missing),
            "left_out": [{"name": each.name, "reason": each.reason} for each in self.left_out],
        }  # fmt: skip


def summarise(directory: Path) -> StressSummary:
    """Return what a stress says, from the runs that are complete.

    Raises:
        UserError: the folder holds no stress, the clean run is not complete or none other is, or one is damaged.
    """
    folder = StressFolder.read(directory)
    complete = dict(folder.runs())
    clean = next((c for c in complete if c.name == CLEAN), None)
    others = [condition for condition in complete if condition.name != CLEAN]
    if clean is None or not others:
        raise UserError(
            f"the stress {directory} has nothing to compare yet",
            expected="a complete clean run, and one of another condition",
            found=f"not complete: {', '.join(folder.missing)}",
            remedy="finish it: the same `coabench stress` command continues it",
        )
    with damage_reported(f"the stress {directory}"):
        first = read_side(complete[clean])
        answers: dict[Condition, Predicted] = {}
        orders = [questions(first.run.records)]
        for condition in others:
            side = read_side(complete[condition])
            answers[condition] = align([first, side]).answers[1]
            if condition.family == ORDER:
                orders.append(questions(side.run.records))
        return _measured(folder, first.run, first.predicted, answers, orders)


def _measured(
    folder: StressFolder,
    clean: RecordedRun,
    predicted: Predicted,
    answers: Mapping[Condition, Predicted],
    orders: Sequence[Mapping[str, Mapping[str, Asked]]],
) -> StressSummary:
    families: dict[str, list[Condition]] = {}
    for condition in answers:
        families.setdefault(condition.family, []).append(condition)
    curves = [
        curve(family, predicted, [severity for severity, _ in graded], [run for _, run in graded])
        for family, conditions in families.items()
        if len(graded := _graded(conditions, answers)) > 1
    ]
    reordered = [answers[condition] for condition in families.get(ORDER, [])]
    return StressSummary(
        folder,
        clean,
        predicted,
        list(answers.values()),
        [(condition, effect(predicted, own)) for condition, own in answers.items()],
        worst_case(predicted, reordered) if reordered else None,
        list(_places(orders, [str(record["id"]) for record in clean.records], predicted)) if reordered else [],
        relative_robustness(predicted, {name: [answers[c] for c in own] for name, own in families.items()}),
        [cochran(name, [predicted, *(answers[c] for c in own)]) for name, own in families.items() if len(own) > 1],
        sorted(curves, key=lambda each: np.inf if each.kept.value is None else each.kept.value),
        recalls(predicted.confusion),
        recall_changes(predicted, {name: [answers[c] for c in own] for name, own in families.items()}),
        folder.missing,
    )


def _places(
    orders: Sequence[Mapping[str, Mapping[str, Asked]]], ids: Sequence[str], predicted: Predicted
) -> Iterator[Places]:
    for name in dict.fromkeys(name for order in orders for name in order):
        asked = [order.get(name, {}) for order in orders]
        yield Places(name, positions(asked, ids, predicted.clusters), position_p(asked, ids, predicted.units))


def _graded(conditions: Sequence[Condition], answers: Mapping[Condition, Predicted]) -> list[tuple[int, Predicted]]:
    """Return severities, rising, with what was predicted; empty where one severity is there twice: that is no curve."""
    graded = [(c.severity, answers[c]) for c in conditions if c.severity is not None]
    severities = {severity for severity, _ in graded}
    return sorted(graded, key=lambda each: each[0]) if len(severities) == len(graded) else []


def _row(condition: Condition, each: Effect) -> dict[str, Any]:
    change = each.change
    return {
        "condition": condition.name,
        "family": condition.family,
        "severity": condition.severity,
        **UAR.columns(each.uar),
        "uar_change": change.value,
        "uar_change_low": change.low,
        "uar_change_high": change.high,
        "p": change.p,
        **_columns("flips", each.flips),
        **_columns("harmed", each.harmed),
        **_columns("helped", each.helped),
        **_columns("invalid", each.invalid),
    }


def family_row(family: Curve) -> dict[str, Any]:
    """Return a family as a row for programs; *gains*: whether the clean run is better than chance."""
    half = family.half
    return {
        "family": family.family,
        "levels": list(family.levels),
        "uars": [UAR.columns(each) for each in family.uars],
        "chance": family.chance,
        **_columns("kept", family.kept),
        "half": half and half.level,
        "half_low": half and half.low,
        "half_high": half and half.high,
        "gains": half is not None,
    }


def position_row(each: Position) -> dict[str, Any]:
    """Return a position of the options as a row for programs."""
    return {
        "position": each.number,
        **_columns("chosen", each.chosen),
        "expected": each.expected,
        **_columns("excess", each.excess),
    }


def _columns(name: str, estimate: Estimate) -> dict[str, float | None]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}


def _percents(estimate: Estimate) -> list[float | None]:
    return [None if value is None else 100 * value for value in estimate]


def _known(value: float) -> float | None:
    return None if value != value else float(value)
