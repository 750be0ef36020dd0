"""The compare job: two runs on the same samples, what differs, and whether it is more than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coabench.base.text import interval, p_value, percent, signed
from coabench.errors import UserError
from coabench.metrics.figures import paired_table, recall_differences, recalls, uar, uar_difference, war, war_difference
from coabench.metrics.predictions import Predicted
from coabench.metrics.ranking import ALPHA
from coabench.metrics.statistics import (
    POWER,
    Counts,
    Figures,
    bootstrap,
    holm,
    mcnemar,
    minimum_detectable,
    percentile_interval,
    sign_flip,
)
from coabench.render.tables import Column, Row, Section
from coabench.reports.differing import distinguish
from coabench.reports.entries import RunRow
from coabench.runs.finished import read_run
from coabench.runs.identity import RunIdentity

EXAMPLES = 5
"""How many ids an error shows."""


@dataclass(frozen=True)
class Figure:
    """A figure of both runs and their difference, all proportions; *p* is two-sided.

    *figure* is ``UAR``, ``WAR`` or ``recall``, the last with its *label*, whose p-values are Holm-corrected over the
    labels. *only_a* and *only_b* count the samples that just one run gets right.
    """

    figure: str
    label: str | None
    n: int
    a: float
    b: float
    difference: float
    low: float
    high: float
    p: float
    test: str
    only_a: int
    only_b: int


@dataclass(frozen=True)
class Flip:
    """A sample that only one of the runs gets right."""

    id: str
    target: str
    a: str | None
    b: str | None
    right: str
    """``a`` or ``b``."""


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same samples.

    Attributes:
        a, b: the names of the runs.
        figures: UAR, WAR, then the recall of each label that has samples.
        flips: the samples that only one of them gets right, in the order of the data set.
        minimum_detectable: the smallest true difference of UAR that these samples would show four times in five.
        subjects: how many persons were resampled; None where samples were.
        notes: what a reader must know.
    """

    a: str
    b: str
    samples: int
    figures: tuple[Figure, ...]
    flips: tuple[Flip, ...]
    minimum_detectable: float
    subjects: int | None
    notes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """The result in plain words."""
        first = self.figures[0]
        size = f"{100 * abs(first.difference):.2f} points of UAR"
        evidence = f"95 % interval {interval(signed(first.low), signed(first.high))}, p {_equals(first.p)}"
        seen = f"a true difference of {100 * self.minimum_detectable:.1f} points"
        if not self.flips:
            return "The two runs get the same samples right: there is no difference to test."
        if first.p < ALPHA:
            better, worse = (self.a, self.b) if first.difference > 0 else (self.b, self.a)
            return f"{better} is better than {worse} by {size} ({evidence})."
        return (
            f"No difference can be told: {size} apart is within chance ({evidence}). "
            f"These samples would show {seen} in {100 * POWER:.0f} of 100 such comparisons, smaller ones less often."
        )

    def as_json(self) -> dict[str, Any]:
        """Return everything, JSON-serialisable."""
        return {**asdict(self), "verdict": self.verdict}

    def sections(self, flips: int) -> list[Section]:
        """Return the tables for people, with at most *flips* flipped samples."""
        return [self.figures_section(), self._flips_section(flips)] if flips else [self.figures_section()]

    def figures_section(self) -> Section:
        """Return the table of figures."""
        columns = [
            Column("Figure", lambda row: row["label"] or row["figure"]),
            Column("n", "n", "right"),
            Column("A", lambda row: percent(row["a"]), "right", value="a"),
            Column("B", lambda row: percent(row["b"]), "right", value="b"),
            Column("A − B", _difference, value="difference"),
            Column("p", lambda row: p_value(row["p"]), "right", value="p"),
            Column("Test", "test"),
            Column("Only A", "only_a", "right"),
            Column("Only B", "only_b", "right"),
        ]
        unit = "samples" if self.subjects is None else f"{self.subjects} subjects"
        notes = [
            self.verdict,
            f"A: {self.a}. B: {self.b}. {self.samples} samples; figures in %, differences in points with 95 % "
            f"intervals of a paired bootstrap over {unit}. Only A, Only B: samples that just one run gets right.",
            "The p-values of the recalls are Holm-corrected over the labels.",
            *self.notes,
        ]
        return Section(columns, [asdict(figure) for figure in self.figures], f"{self.a} against {self.b}", notes)

    def _flips_section(self, most: int) -> Section:
        columns = [
            Column("Sample", "id", width=40),
            Column("Target", "target", width=22),
            Column("A", "a", width=22),
            Column("B", "b", width=22),
            Column("Right", lambda row: row["right"].upper()),
        ]
        shown = self.flips[:most]
        more = len(self.flips) - len(shown)
        notes = [f"{more} more: --flips {len(self.flips)} shows all."] if more else []
        title = f"Samples that only one of them gets right: {len(self.flips)}"
        return Section(columns, [asdict(flip) for flip in shown], title, notes)


def compare(first: Path, second: Path) -> Comparison:
    """Compare two runs.

    Raises:
        UserError: one is no finished run, or they answered other samples or have other labels.
    """
    runs = [read_run(directory) for directory in (first, second)]
    labels = [run.manifest["labels"] for run in runs]
    logs = [run.records for run in runs]
    if labels[0]["names"] != labels[1]["names"]:
        raise UserError(
            "the runs have different labels",
            expected=f"{first}: {', '.join(labels[0]['names'])}",
            found=f"{second}: {', '.join(labels[1]['names'])}",
            remedy="compare runs on the same data set",
        )
    a, b = (Predicted.of(log, labels[0]["names"]) for log in logs)
    _check_samples(first, second, logs)
    position = {record["id"]: i for i, record in enumerate(logs[1])}
    order = np.array([position[record["id"]] for record in logs[0]])
    b = Predicted(b.names, b.targets[order], b.predictions[order], a.clusters)
    names = _names(first, second)
    return Comparison(
        *names,
        samples=len(a),
        figures=tuple(_figures(a, b)),
        flips=tuple(_flips(logs[0], a, b)),
        minimum_detectable=minimum_detectable(a.shares, b.shares),
        subjects=None if a.clusters is None else int(a.clusters.max()) + 1,
        notes=(
            *_notes(names, [run.identity.dataset.limit for run in runs]),
            *_options([run.identity for run in runs]),
        ),
    )


def _check_samples(first: Path, second: Path, logs: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    """Refuse runs on different samples, and say which."""
    a, b = ({record["id"]: record["target"] for record in log} for log in logs)
    differences = [
        (f"only in {first}", [id for id in a if id not in b]),
        (f"only in {second}", [id for id in b if id not in a]),
        ("with another target", [id for id in a if id in b and a[id] != b[id]]),
    ]
    found = [f"{len(ids)} {what}: {_some(ids)}" for what, ids in differences if ids]
    for directory, log, targets in ((first, logs[0], a), (second, logs[1], b)):
        if len(targets) < len(log):
            found.append(f"{len(log) - len(targets)} ids twice in {directory}")
    if found:
        raise UserError(
            "the runs answered different samples",
            expected="two runs on the same split of the same data",
            found="\n    ".join(["", *found]),
            remedy="evaluate both on the same samples; `coabench leaderboard` shows which runs are comparable",
        )
    images = [{r["id"]: r.get("image_sha256") for r in log} for log in logs]
    other = [id for id, digest in images[0].items() if digest and images[1][id] and digest != images[1][id]]
    if other:
        raise UserError(
            "the runs answered about different images",
            expected="the same image behind the same id",
            found=f"{len(other)} ids whose images differ: {_some(other)}",
            remedy="evaluate both on the same copy of the data",
        )


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:EXAMPLES]) + (" …" if len(ids) > EXAMPLES else "")


def _names(first: Path, second: Path) -> tuple[str, str]:
    """Return names that tell the runs apart: the folders', or the paths where those are the same."""
    short = first.resolve().name, second.resolve().name
    return short if short[0] != short[1] else (str(first), str(second))


def _figures(a: Predicted, b: Predicted) -> list[Figure]:
    table = paired_table(a.targets, a.predictions, b.predictions, a.k, a.clusters)
    drawn = bootstrap(table)
    whole = table if table.ndim == 2 else table.sum(axis=0)
    only_a, only_b, _ = (int(n) for n in whole.sum(axis=0))
    clustered = a.clusters is not None

    def figure(name: str, values: tuple[Figures, Figures], replicates: Figures, p: float, test: str) -> Figure:
        first, second = map(float, values)
        low, high = percentile_interval(replicates)
        return Figure(name, None, len(a), first, second, first - second, low, high, p, test, only_a, only_b)

    confusions = a.confusion, b.confusion
    accuracy = (_war_shares(a), _war_shares(b))
    figures = [
        figure("UAR", (uar(confusions[0]), uar(confusions[1])), uar_difference(drawn),
               sign_flip(a.shares, b.shares), "sign flip"),
        figure("WAR", (war(confusions[0]), war(confusions[1])), war_difference(drawn),
               sign_flip(*accuracy) if clustered else mcnemar(only_a, only_b), "sign flip" if clustered else "McNemar"),
    ]  # fmt: skip
    return figures + _recalls(a, b, whole, recall_differences(drawn))


def _recalls(a: Predicted, b: Predicted, table: Counts, drawn: Figures) -> list[Figure]:
    recall_a, recall_b = recalls(a.confusion), recalls(b.confusion)
    present = [c for c in range(a.k) if table[c].sum()]
    adjusted = holm([mcnemar(int(table[c, 0]), int(table[c, 1])) for c in present])
    figures = []
    for c, p in zip(present, adjusted, strict=True):
        only_a, only_b, _ = (int(n) for n in table[c])
        first, second = float(recall_a[c]), float(recall_b[c])
        replicates = drawn[:, c]
        low, high = percentile_interval(replicates[~np.isnan(replicates)])
        figures.append(
            Figure("recall", a.names[c], int(table[c].sum()), first, second, first - second, low, high, float(p),
                   "McNemar", only_a, only_b)
        )  # fmt: skip
    return figures


def _war_shares(run: Predicted) -> Figures:
    """Return what each subject adds to the WAR."""
    hits: Figures = (run.predictions == run.targets) / len(run)
    return hits if run.clusters is None else np.bincount(run.clusters, weights=hits).astype(np.float64)


def _flips(records: Sequence[Mapping[str, Any]], a: Predicted, b: Predicted) -> list[Flip]:
    names = [*a.names, None]
    right_a, right_b = a.predictions == a.targets, b.predictions == b.targets
    return [
        Flip(
            records[i]["id"],
            records[i]["target"],
            names[a.predictions[i]],
            names[b.predictions[i]],
            "a" if right_a[i] else "b",
        )
        for i in np.flatnonzero(right_a != right_b).tolist()
    ]


def _notes(names: Sequence[str], limits: Sequence[int | None]) -> list[str]:
    return [
        f"{name} was made with --limit {limit}: the result holds for these samples only."
        for name, limit in zip(names, limits, strict=True)
        if limit is not None
    ]


def _options(identities: Sequence[RunIdentity]) -> list[str]:
    """Return in which options two runs of the same names differ."""
    rows = distinguish([RunRow(**identity.columns()) for identity in identities])
    options = [f"{side} with {row.options}" for side, row in zip("AB", rows, strict=True) if row.options]
    return [f"{'; '.join(options)}."] if options else []


def _equals(p: float) -> str:
    shown = p_value(p)
    return shown.replace("<", "< ") if shown.startswith("<") else f"= {shown}"


def _difference(row: Row) -> str:
    return f"{signed(row['difference'], 2)} {interval(signed(row['low']), signed(row['high']))}"
