"""The plots of a run and of a comparison show the figures of ``metrics.json``."""

from __future__ import annotations

from pathlib import Path

import pytest

import coabench
from coabench.errors import UserError
from coabench.testing import ScriptedBackbone
from coabench.testing.runs import tiny_run


@pytest.fixture(autouse=True)
def drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (the extra plots)").use("Agg")


def test_recall(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run")
    axes = run.plot_recall()
    labels = run.metrics["per_class"]
    assert list(axes.lines[1].get_xdata()) == pytest.approx([100 * found["recall"] for found in labels.values()])
    assert [label.get_text() for label in axes.get_yticklabels()] == [f"{k} (n={v['n']})" for k, v in labels.items()]
    assert list(axes.lines[0].get_xdata()) == pytest.approx([100 * run.metrics["uar"]] * 2)
    for found, ends in zip(labels.values(), axes.collections[0].get_segments(), strict=True):
        assert [x for x, _ in ends] == pytest.approx([100 * bound for bound in found["interval"]])


def test_recall_of_labels_without_samples(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", limit=3)
    axes = run.plot_recall()
    assert [x == x for x in axes.lines[1].get_xdata()] == [
        found["n"] > 0 for found in run.metrics["per_class"].values()
    ]
    axes.figure.canvas.draw()


def test_confusion(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", backbone=ScriptedBackbone(lambda question: "Nothing that fits"))
    counts = run.metrics["confusion"]["rows"]
    axes = run.plot_confusion()
    assert [int(text.get_text()) for text in axes.texts] == [row[-1] for row in counts]
    assert [label.get_text() for label in axes.get_xticklabels()] == run.metrics["confusion"]["labels"]


def test_reliability(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", decode="score")
    axes = run.plot_reliability()
    counts = [int(text.get_text()) for text in axes.texts]
    confidences, accuracies = axes.lines[1].get_data()
    found = run.metrics["calibration"]
    assert sum(counts) == found["samples"]
    for values, mean in ((confidences, found["confidence"]), (accuracies, found["accuracy"])):
        assert sum(n * value for n, value in zip(counts, values, strict=True)) / sum(counts) == pytest.approx(
            100 * mean
        )
    error = sum(n * abs(a - c) for n, c, a in zip(counts, confidences, accuracies, strict=True)) / sum(counts)
    assert error == pytest.approx(100 * found["ece"])
    with pytest.raises(UserError, match="has no confidences"):
        tiny_run(tmp_path / "plain").plot_reliability()


def test_comparison(tmp_path: Path) -> None:
    a, b = (
        [tiny_run(tmp_path / f"{name}-s{seed}", seed=seed, backbone=script) for seed in (0, 1)]
        for name, script in (("a", None), ("b", ScriptedBackbone(lambda question: question.options[-1])))
    )
    for compared in (coabench.compare(a[0], b[0]), coabench.compare(a, b)):
        axes = compared.plot_comparison()
        figures = compared.figures
        assert list(axes.lines[1].get_xdata()) == pytest.approx([100 * figure.difference for figure in figures])
        for figure, ends in zip(figures, axes.collections[0].get_segments(), strict=True):
            assert [x for x, _ in ends] == pytest.approx([100 * figure.low, 100 * figure.high])
        assert [label.get_text() for label in axes.get_yticklabels()][:2] == ["UAR", "WAR"]
        assert axes.get_title() == f"{compared.a} − {compared.b}"
