"""What the Python API returns shows itself in a notebook, its text escaped."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.runs import manifest

import coabench
from coabench.prediction import answer
from coabench.prediction.answer import FacePrediction, Predictions
from coabench.prediction.pictures import Picture
from coabench.runs.result import FinishedRun
from coabench.testing import ScriptedBackbone
from coabench.testing.pictures import draw_face
from coabench.testing.runs import tiny_run
from coabench.training.result import FinishedTraining

EVIL = "<script>alert(1)&</script>"


def cells(shown: Any) -> list[str]:
    """Return the texts of the cells of the tables that an object shows."""
    return re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", shown._repr_html_(), re.DOTALL)


@pytest.fixture
def two(tmp_path: Path) -> tuple[FinishedRun, FinishedRun]:
    first = tiny_run(tmp_path / "results" / "<b>one")
    second = tiny_run(tmp_path / "results" / "two", backbone=ScriptedBackbone(lambda question: question.options[-1]))
    return first, second


def test_a_run(two: tuple[FinishedRun, FinishedRun]) -> None:
    run, _ = two
    found = cells(run)
    assert f"{run.metrics['uar']:.2%}" in found
    assert f"{run.metrics['uar_interval'][0]:.2%}" in found
    for label, figures in run.metrics["per_class"].items():
        assert found[found.index(label) + 1 :][:2] == [str(figures["n"]), f"{100 * figures['recall']:.2f}"]
    assert "&lt;b&gt;one" in run._repr_html_()
    assert "<b>" not in run._repr_html_()


def test_a_run_says_what_a_reader_must_know(tmp_path: Path) -> None:
    run = tiny_run(tmp_path / "run", limit=3)
    assert "not comparable" in run._repr_html_()
    shown = FinishedRun(run.directory, {**run.manifest, "notes": [EVIL]}, run.metrics)._repr_html_()
    assert EVIL not in shown
    assert "&lt;script&gt;alert(1)&amp;&lt;/script&gt;" in shown


def test_a_run_is_read_again(two: tuple[FinishedRun, FinishedRun]) -> None:
    run, _ = two
    again = coabench.load_run(run.directory)
    assert again.metrics == run.metrics
    assert again.manifest == manifest(run.directory)
    assert again.note is None
    assert list(again.records["correct"]) == list(coabench.load_records(run.directory)["correct"])
    (run.directory / "metrics.json").unlink()
    repaired = coabench.load_run(str(run.directory))
    assert repaired.metrics == run.metrics
    assert "there is no metrics.json" in repaired._repr_html_()


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(coabench.UserError, match="holds no run"):
        coabench.load_run(tmp_path)
    with pytest.raises(coabench.UserError, match="directory=3"):
        coabench.load_run(3)  # type: ignore[arg-type]


def test_a_comparison(two: tuple[FinishedRun, FinishedRun]) -> None:
    compared = coabench.compare(two[0], two[1].directory)
    first = compared.figures[0]
    assert [first.a, first.b] == [run.metrics["uar"] for run in two]
    found = cells(compared)
    assert found[found.index("UAR") + 2 :][:2] == [f"{100 * first.a:.2f}", f"{100 * first.b:.2f}"]
    shown = compared._repr_html_()
    assert "&lt;b&gt;one" in shown
    assert "<b>" not in shown
    assert repr(compared) == f"<comparison of <b>one with two: {compared.verdict}>"
    with pytest.raises(coabench.UserError, match="b=None does not fit"):
        coabench.compare(two[0], None)  # type: ignore[arg-type]


def test_recipes(tmp_path: Path) -> None:
    a, b = (
        [tiny_run(tmp_path / f"{name}-s{seed}", seed=seed, backbone=script) for seed in (0, 1)]
        for name, script in (("a", None), ("b", ScriptedBackbone(lambda question: question.options[-1])))
    )
    compared = coabench.compare(a, b)
    assert compared.verdict in repr(compared)
    assert "Their runs" in compared._repr_html_()
    with pytest.raises(coabench.UserError, match="a run is in both recipes"):
        coabench.compare(a, a)


def test_a_leaderboard(two: tuple[FinishedRun, FinishedRun], tmp_path: Path) -> None:
    board = coabench.leaderboard(tmp_path / "results", baseline=two[1])
    shown = board._repr_html_()
    assert "&lt;b&gt;one" in shown
    assert "<b>" not in shown
    assert "Difference" in shown
    ranked = board.table[board.table["kind"] == "run"].set_index("name")
    assert ranked.loc["two", "uar"] == two[1].metrics["uar"]
    assert "Rank" in repr(board)
    with pytest.raises(coabench.UserError, match="over='seeds'"):
        coabench.leaderboard(tmp_path / "results", over="seeds")


def test_predictions() -> None:
    said = FacePrediction(Picture(EVIL), EVIL, "error", EVIL, {}, face=1, faces=2)
    for shown in (said, Predictions([said])):
        assert EVIL not in shown._repr_html_()
        text = "&lt;script&gt;alert(1)&amp;&lt;/script&gt;"
        assert cells(shown)[-5:] == [text, "1 of 2", text, "–", text]
    assert Predictions([said]) == [said]
    assert "<img" not in Predictions([said])._repr_html_()
    film = FacePrediction(Picture("clip.mp4", frame=25), None, "no-face", "no face found", {})
    assert cells(Predictions([film]))[-6:] == ["clip.mp4", "25", "–", "–", "–", "no face found"]


def test_predictions_show_the_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    happy, sad = (draw_face(label, 0).resize((200, 200)) for label in ("Happiness", "Sadness"))
    said = coabench.predict([happy, sad], backbone=lambda image, question: "joy", strategy="direct", faces="none")
    shown = re.findall(r'<td><img src="data:image/jpeg;base64,([^"]*)" alt=""></td>', said._repr_html_())
    sizes = [Image.open(io.BytesIO(base64.b64decode(each))).size for each in shown]
    assert sizes == [(96, 96)] * 2
    assert shown[0] != shown[1]
    assert said[0]._repr_html_().count("<img") == 1
    monkeypatch.setattr(answer, "SHOWN", 1)
    assert said._repr_html_().count("<img") == 1


def test_a_training(tmp_path: Path) -> None:
    """What it learnt from, how long, and how good it was on what it did not."""
    plain = {"sha256": "0", "fingerprint": "0"}
    identity = {
        "coabench": "0.1.0", "seed": 0, "recipe": {"rank": 8}, "trainer": {}, "backbone": {"name": "tiny"},
        "strategies": [{"name": EVIL, **plain}],
        "data": [{"dataset": "faces", "split": "train", "fingerprint": "0", "fit": 1200, "dev": 80}],
    }  # fmt: skip
    dev = {"uar": 0.5, "invalid": 0.01, "uar faces": 0.5, "runtime": 3.0, "step": 4}
    manifest = {"identity": identity, "steps": 5, "examples": 2400, "dev": dev, "selected_step": 4, "notes": [EVIL]}
    found = cells(FinishedTraining(tmp_path, manifest))
    assert found[1:4] == [str(tmp_path), "Backbone", "tiny"]
    assert found[-6:] == ["dev UAR", "50.00% at step 4, selected", "dev invalid", "1.00%", "dev UAR faces", "50.00%"]
    assert "1,200 learnt from, 80 to select by" in found
    assert EVIL not in FinishedTraining(tmp_path, manifest)._repr_html_()
