"""Plots on matplotlib: the numbers that were passed stand where the axes say."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from coabench.errors import UserError
from coabench.render import plots
from coabench.render.charts import Bar
from coabench.render.plots import Dot


@pytest.fixture
def drawing() -> Iterator[None]:
    """Draw without a screen, and leave no figure open."""
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed (the extra plots)")
    matplotlib.use("Agg")
    yield
    from matplotlib import pyplot

    pyplot.close("all")


@pytest.mark.usefixtures("drawing")
def test_dots() -> None:
    axes = plots.dots([Dot("a", 40.0, 30.0, 55.0), Dot("b", None)], title="t", x_title="x", reference=20.0)
    line, dots = axes.lines
    assert list(line.get_xdata()) == [20.0, 20.0]
    assert dots.get_xdata()[0] == 40.0
    assert dots.get_xdata()[1] != dots.get_xdata()[1]  # NaN: no dot
    assert [list(end) for end in axes.collections[0].get_segments()[0]] == [[30.0, 0.0], [55.0, 0.0]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert axes.yaxis_inverted()


@pytest.mark.usefixtures("drawing")
def test_confusion() -> None:
    axes = plots.confusion(["a", "b", "INVALID"], [[3, 1, 0], [0, 0, 0]], title="t")
    assert axes.images[0].get_array().tolist() == [[0.75, 0.25, 0.0], [0.0, 0.0, 0.0]]
    assert [(text.get_position(), text.get_text()) for text in axes.texts] == [((0, 0), "3"), ((1, 0), "1")]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "INVALID"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]


@pytest.mark.usefixtures("drawing")
def test_training() -> None:
    axes = plots.training([(1, 2.0), (2, 1.0)], [(2, Dot("uar", 40.0, 30.0, 55.0))], title="$t", chosen=2)
    loss, mark = axes.lines
    assert (list(loss.get_xdata()), list(loss.get_ydata())) == ([1, 2], [2.0, 1.0])
    assert list(mark.get_xdata()) == [2, 2]
    _, right = axes.figure.axes
    assert [list(end) for end in right.collections[0].get_segments()[0]] == [[2, 30.0], [2, 55.0]]
    assert list(right.lines[0].get_ydata()) == [40.0]
    assert plots.training([(1, 2.0)], [], title="t").figure.axes[1:] == []


@pytest.mark.usefixtures("drawing")
def test_reliability() -> None:
    axes = plots.reliability([Bar(0.2, 0.3, 0.25, 0.5, 0.25, 0.75, 4)], title="t")
    assert [list(values) for values in axes.lines[1].get_data()] == [[25.0], [50.0]]
    assert [list(end) for end in axes.collections[0].get_segments()[0]] == [[25.0, 25.0], [25.0, 75.0]]
    assert [text.get_text() for text in axes.texts] == ["4"]


@pytest.mark.usefixtures("drawing")
def test_text_is_no_formula() -> None:
    evil = "$\\nonsense{$ \x1b[31m"
    axes = plots.dots([Dot(evil, 1.0)], title=evil, x_title=evil, reference=0.0)
    axes.figure.canvas.draw()  # a formula of that kind is an error
    assert "\x1b" not in axes.get_title()


@pytest.mark.usefixtures("drawing")
def test_axes_of_the_caller() -> None:
    from matplotlib import pyplot

    _, (left, right) = pyplot.subplots(1, 2)
    assert plots.confusion(["a", "b"], [[1, 0]], title="t", axes=right) is right
    assert not left.texts
    with pytest.raises(UserError, match="axes is no place to draw"):
        plots.confusion(["a", "b"], [[1, 0]], title="t", axes="right")  # type: ignore[arg-type]


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UserError, match="plots need the package matplotlib") as refused:
        plots.confusion(["a", "b"], [[1, 0]], title="t")
    assert refused.value.remedy == "pip install 'coabench[plots]'"
