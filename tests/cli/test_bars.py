"""A bar in a notebook: an output that is changed in place."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from rich.console import Console

from coabench.cli import bars
from coabench.cli.progress import PredictionTerminal, RunTerminal
from coabench.prediction.answer import FacePrediction
from coabench.prediction.pictures import Picture


class Cell:
    """Takes the place of IPython's display: keeps the state of its one output."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []

    def display(self, bundle: dict[str, str], *, raw: bool, display_id: bool) -> Cell:
        assert raw
        assert display_id
        self.shown.append(bundle)
        return self

    def update(self, bundle: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown.append(bundle)


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    display = pytest.importorskip("IPython.display")
    cell = Cell()
    monkeypatch.setattr(display, "display", cell.display)
    return cell


def record(target: str, prediction: str) -> dict[str, Any]:
    return {"target": target, "prediction": prediction}


def test_a_run_in_a_notebook(cell: Cell, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(bars, "REFRESH", -1.0)
    terminal = RunTerminal()
    terminal._console = Console(force_jupyter=True)
    with terminal.start(3, []):
        assert cell.shown[-1] == {"text/plain": "0/3", "text/html": '<progress value="0" max="3"></progress> 0/3'}
        terminal.advance([record("a", "a"), record("a", "b")])
        assert cell.shown[-1]["text/plain"].startswith("2/3  UAR 50.0%")
        assert cell.shown[-1]["text/html"].startswith('<progress value="2" max="3"></progress> 2/3')
    assert capfd.readouterr() == ("", "")


def test_predictions_in_a_notebook(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "REFRESH", -1.0)
    terminal = PredictionTerminal()
    terminal._console = Console(force_jupyter=True)
    face = FacePrediction(Picture("a.png"), "Fear", "ok", None, {}, face=1, faces=1)
    with terminal.start(2):
        terminal.advance(1, [face, face])
        assert cell.shown[-1]["text/html"].startswith('<progress value="1" max="2"></progress> 1/2 files, 2 faces')
    assert cell.shown[-1]["text/plain"] == "2/2 files, 2 faces"


def test_what_stops_a_job_leaves_the_bar_where_it_was(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "REFRESH", 3600.0)
    with suppress(KeyboardInterrupt), bars.opened(Console(force_jupyter=True), 10, 4, 30.0, ()) as bar:
        bar.update(7, "<b>7", False)
        assert len(cell.shown) == 1
        raise KeyboardInterrupt
    assert cell.shown[-1]["text/html"] == '<progress value="7" max="10"></progress> &lt;b&gt;7'


def test_lines_where_there_is_no_place_for_a_bar(capfd: pytest.CaptureFixture[str]) -> None:
    with bars.opened(Console(force_terminal=False, force_jupyter=False), 10, 0, 3600.0, ()) as bar:
        bar.update(5, "half", False)
        bar.update(10, "all", True)
    assert capfd.readouterr() == ("", "all\n")
