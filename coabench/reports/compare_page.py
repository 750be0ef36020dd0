"""Two runs on the same samples as one self-contained page: what differs, and every sample with both answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from coabench.base.text import p_value, signed
from coabench.base.vocabulary import INVALID
from coabench.metrics.groups import MIN_GROUP
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import TESTABLE
from coabench.render import charts
from coabench.render.page import render_page
from coabench.reports.aligned import Aligned, align
from coabench.reports.card import find_card
from coabench.reports.compare import compare_aligned
from coabench.reports.matrix import Matrix, matrix
from coabench.reports.paired_figures import Figure
from coabench.reports.report_data import Choice, evenly
from coabench.reports.samples import VIEWER_SCRIPTS, VIEWER_STYLES, columns, link
from coabench.reports.side import read_side
from coabench.reports.thumbnails import Thumbnails, thumbnails
from coabench.runs.finished import RecordedRun
from coabench.support.thumbnails import SIDE

SAMPLES = 100_000
"""How many samples a page holds at most, unless told otherwise."""

REACHES = (0.05, 0.1, 0.2, 0.4, 0.6, 1.0)
"""How far a scale of differences may go from 0 to either side."""


@dataclass(frozen=True)
class ComparisonPage:
    """What the user asked for.

    Attributes:
        first, second: the directories of the runs.
        images: whether the page holds small versions of the images.
        data_root: the folder that holds the data set; None where the user gave none.
        dataset: ``NAME`` or ``CARD.yaml`` of the data set with the images; that of the first run by default.
        samples: how many samples the page holds at most; the figures are always over all.
        side: the longer side of an image, at most, in pixels.
    """

    first: Path
    second: Path
    images: bool = False
    data_root: Path | None = None
    dataset: str | None = None
    samples: int = SAMPLES
    side: int = SIDE


def comparison_page(request: ComparisonPage) -> str:
    """Return the page. The same runs give the same bytes.

    Raises:
        UserError: one is no finished run, or they answered other samples or have other labels; images that are asked
            for and not there.
    """
    aligned = align([read_side(request.first), read_side(request.second)])
    comparison = compare_aligned(aligned)
    shown = _choose(aligned.answers, request.samples)
    seen = _who_saw(aligned, shown)
    choice = find_card(aligned.runs[seen].identity.dataset.name, request.dataset, needed=request.images)
    pictures: Thumbnails | None = None
    if request.images:
        assert choice is not None  # find_card has raised where there is no such data set
        pictures = thumbnails(
            aligned.records(seen, shown.chosen), choice, request.data_root, aligned.runs[seen].identity, request.side
        )
    groups = {name: list(own) for name, own in groupby(comparison.groups, lambda group: group.attribute)}
    same, other = _facts(aligned.runs)
    reach = _reach([*comparison.figures, *(group.figure for group in comparison.groups if group.figure)])
    return render_page(
        Path(__file__).with_name("compare.html"),
        styles=["report.css", *VIEWER_STYLES],
        scripts=VIEWER_SCRIPTS,
        it=comparison,
        classes=comparison.figures[2:],
        groups=groups,
        min_group=MIN_GROUP,
        same=same,
        other=other,
        disagreements=_disagreements(aligned.answers),
        differing=int((aligned.answers[0].predictions != aligned.answers[1].predictions).sum()),
        signed=signed,
        p_value=p_value,
        testable=TESTABLE,
        interval=lambda row: charts.interval(row.difference, row.low, row.high, 0, ends=(-reach, reach)),
        scale=charts.scale((-reach, reach)),
        link=link,
        samples=columns(
            (comparison.a, comparison.b),
            zip(*(aligned.records(run, shown.chosen) for run in range(2)), strict=True),
            aligned.runs[0].manifest["labels"],
            list(groups),
            pictures,
        ),
        shown=shown,
        pictures=pictures,
        seen="AB"[seen],
        card=None if choice is None else choice.card,
    )


def _choose(answers: Sequence[Predicted], most: int) -> Choice:
    """Choose the samples that the page holds: as many of each label and pair of answers, all where these are few."""
    a, b = answers
    cells = (a.targets * (a.k + 1) + a.predictions) * (a.k + 1) + b.predictions
    chosen, each = evenly(cells, np.arange(len(a)), most)
    return Choice(len(a), len(a), chosen, each, ())


def _who_saw(aligned: Aligned, shown: Choice) -> int:
    """Return which run knows the images: one that was scored from a file has none of their hashes."""
    sides = zip(aligned.sides, aligned.orders, strict=True)
    known = [bool(side.images[order[shown.chosen]].any()) for side, order in sides]
    return known.index(True) if any(known) else 0


def _facts(runs: Sequence[RecordedRun]) -> tuple[list[tuple[str, str]], list[tuple[str, str, str]]]:
    """Return what is the same of both runs, and what differs: titles with the values of A and of B."""
    a, b = (
        {title: str(value) for title, value in run.identity.describe() if value is not None} for run in runs
    )  # fmt: skip
    titles = list(dict.fromkeys([*a, *b]))
    same = [(title, a[title]) for title in titles if a.get(title) == b.get(title)]
    other = [(title, a.get(title, "–"), b.get(title, "–")) for title in titles if a.get(title) != b.get(title)]
    return same, other


def _reach(figures: Sequence[Figure]) -> float:
    most = max(max(abs(figure.low), abs(figure.high)) for figure in figures)
    return next(reach for reach in REACHES if reach >= min(most, 1.0))


def _disagreements(answers: Sequence[Predicted]) -> Matrix:
    """Return A's labels by B's, of the samples that they answer differently."""
    a, b = answers
    counts = np.zeros((a.k + 1, a.k + 1), dtype=np.int64)
    np.add.at(counts, (a.predictions, b.predictions), 1)
    np.fill_diagonal(counts, 0)
    return matrix([*a.names, INVALID.upper()], counts.tolist(), ("a-prediction", "b-prediction"))
