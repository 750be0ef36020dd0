"""A leaderboard as Python gets it: itself in a notebook, in a terminal, and as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from coabench.render.tables import Section, render_fragment, render_sections

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """Runs, ranked; see `coabench.reports.leaderboard`.

    Attributes:
        sections: a table for each group of comparable runs, then the runs that are not ranked.
    """

    sections: tuple[Section, ...]

    @property
    def table(self) -> DataFrame:
        """All rows, at full precision: what ``coabench leaderboard --format csv`` prints."""
        from coabench.runs.frames import frame

        return frame([row for section in self.sections for row in section.rows])

    def __repr__(self) -> str:
        return render_sections(self.sections, "table")

    def _repr_html_(self) -> str:
        return render_fragment(self.sections)
