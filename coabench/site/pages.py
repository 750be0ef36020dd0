"""The pages of what lies in the folder, made when they are asked for and kept as long as the files do not change."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from coabench.base.reading import DATA, read_text, why
from coabench.errors import CoabenchError, UserError
from coabench.render.page import render_page, with_way_back
from coabench.site.listing import Item, Kind, State

KEPT = 128 * 2**20
"""Characters of all pages that are kept at once."""
PICTURED = 5_000
"""Samples that a page with images holds at most: it is made while somebody waits."""


Maker = Callable[[Sequence[Path], bool], str]
"""Makes the page of what lies at some paths, with images of its samples or without."""


class NoPage(Exception):
    """Why there is no page: what is shown in its place, in lines."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__(*lines)
        self.lines = list(lines)


class Pages:
    """Makes pages, and keeps them. To be used in one thread.

    Args:
        title: of the first page.
        images: whether pages show images of samples, where their data set is on this machine.
    """

    def __init__(self, title: str, images: bool = False) -> None:
        self._title, self._images = title, images
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
            text, note = self._with_images(MAKERS[items[0].kind] if len(items) == 1 else _comparison, items)
        except CoabenchError as error:
            raise NoPage(str(error).splitlines()) from None
        except (OSError, ValueError) as error:
            raise NoPage([f"{name} cannot be read: {why(error)}"]) from None
        except Exception as error:  # whatever the files hold, the site goes on
            raise NoPage([f"the page of {name} cannot be made: {type(error).__name__}: {error}"]) from None
        return with_way_back(text, "./" if len(items) > 1 else "../", self._title, note)

    def _with_images(self, make: Maker, items: Sequence[Item]) -> tuple[str, str | None]:
        """Return a page with images where they are wanted and here, and else a note why it has none."""
        paths = [item.path for item in items]
        note = None
        if self._images:
            try:
                return make(paths, True), None
            except UserError as error:  # of the images, or of the run: then it comes again
                note = f"This page holds no images. {error.problem[:1].upper()}{error.problem[1:]}."
        return make(paths, False), note


def problem_page(heading: str, lines: Sequence[str], up: tuple[str, str]) -> str:
    """Return a page that says what is wrong, with a link to the page above it: address and title."""
    page = render_page(Path(__file__).with_name("problem.html"), kicker="Runs", heading=heading, lines=lines)
    return with_way_back(page, *up)


def _run(paths: Sequence[Path], images: bool) -> str:
    from coabench.reports.report import SAMPLES, Report, report

    return report(Report(paths[0], images=images, samples=PICTURED if images else SAMPLES))


def _training(paths: Sequence[Path], images: bool) -> str:
    from coabench.reports.training_page import training_page

    return training_page(paths[0])


def _stress(paths: Sequence[Path], images: bool) -> str:
    from coabench.robustness.page import stress_page
    from coabench.robustness.summary import summarise

    return stress_page(summarise(paths[0]), (None, None) if images else None)


def _comparison(paths: Sequence[Path], images: bool) -> str:
    from coabench.reports.compare_page import SAMPLES, ComparisonPage, comparison_page

    first, second = paths
    return comparison_page(ComparisonPage(first, second, images, samples=PICTURED if images else SAMPLES))


def _page(paths: Sequence[Path], images: bool) -> str:
    return read_text(paths[0], DATA)


MAKERS: dict[Kind, Maker] = {
    "runs": _run,
    "trainings": _training,
    "stress": _stress,
    "pages": _page,
}
"""Kind of an item -> what makes its page."""
