"""The pages of what lies in the folder, made when they are asked for and kept as long as the files do not change."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from coabench.base.reading import DATA, read_text, why
from coabench.errors import CoabenchError
from coabench.render.page import render_page, with_way_back
from coabench.site.listing import Item, Kind, State

KEPT = 128 * 2**20
"""Characters of all pages that are kept at once."""


class NoPage(Exception):
    """Why there is no page: what is shown in its place, in lines."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__(*lines)
        self.lines = list(lines)


class Pages:
    """Makes pages, and keeps them. To be used in one thread."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._kept: OrderedDict[tuple[str, ...], tuple[tuple[State, ...], str]] = OrderedDict()

    def page(self, *items: Item) -> str:
        """Return the page of an item, or of the comparison of two runs.

        Raises:
            NoPage: it cannot be made of what is there.
        """
        key, states = tuple(item.address for item in items), tuple(item.state for item in items)
        known = self._kept.pop(key, None)
        if known is None or known[0] != states:
            known = states, self._made(items)
        self._kept[key] = known
        while len(self._kept) > 1 and sum(len(text) for _, text in self._kept.values()) > KEPT:
            self._kept.popitem(last=False)
        return known[1]

    def _made(self, items: Sequence[Item]) -> str:
        name = " and ".join(item.name for item in items)
        try:
            text = (
                _comparison(*(item.path for item in items)) if len(items) > 1 else MAKERS[items[0].kind](items[0].path)
            )
        except CoabenchError as error:
            raise NoPage(str(error).splitlines()) from None
        except (OSError, ValueError) as error:
            raise NoPage([f"{name} cannot be read: {why(error)}"]) from None
        except Exception as error:  # whatever the files hold, the site goes on
            raise NoPage([f"the page of {name} cannot be made: {type(error).__name__}: {error}"]) from None
        return with_way_back(text, "./" if len(items) > 1 else "../", self._title)


def problem_page(heading: str, lines: Sequence[str], up: tuple[str, str]) -> str:
    """Return a page that says what is wrong, with a link to the page above it: address and title."""
    page = render_page(Path(__file__).with_name("problem.html"), kicker="Runs", heading=heading, lines=lines)
    return with_way_back(page, *up)


def _run(path: Path) -> str:
    from coabench.reports.report import Report, report

    return report(Report(path))


def _training(path: Path) -> str:
    from coabench.reports.training_page import training_page

    return training_page(path)


def _stress(path: Path) -> str:
    from coabench.robustness.page import stress_page
    from coabench.robustness.summary import summarise

    return stress_page(summarise(path))


def _comparison(first: Path, second: Path) -> str:
    from coabench.reports.compare_page import ComparisonPage, comparison_page

    return comparison_page(ComparisonPage(first, second))


MAKERS: dict[Kind, Callable[[Path], str]] = {
    "runs": _run,
    "trainings": _training,
    "stress": _stress,
    "pages": lambda path: read_text(path, DATA),
}
"""Kind of an item -> what makes its page."""
