"""What `coabench.testing` offers to the tests of a plugin, and its suites where something is wrong."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.process import ROOT

import coabench.testing
from coabench.dialogue import Answer, Prediction, Question
from coabench.registry.catalog import find_backbone
from coabench.registry.loader import get_plugins
from coabench.strategy import Strategy
from coabench.testing import (
    BASIC,
    COMPOUND,
    Defect,
    ScriptedBackbone,
    draw_face,
    play,
    registered,
    task,
    tiny_images,
    tiny_run,
)


@pytest.mark.process
def test_everything_that_is_named_is_there_and_nothing_is_imported_before() -> None:
    code = f"""
import sys
import coabench.testing, coabench.testing.plugin
heavy = {{"torch", "numpy", "PIL", "pandas", "click", "coabench.testing.suites"}} & set(sys.modules)
assert not heavy, heavy
for name in {coabench.testing.__all__!r}: getattr(coabench.testing, name)
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        coabench.testing.nothing  # noqa: B018


class Lucky(Strategy):
    name = "lucky"

    def converse(self, task: Any) -> Any:
        answer = yield Question("Which?", task.labels)
        return Prediction(answer.label) if answer.label else Prediction.invalid("unparsed-answer")

    def identity(self) -> dict[str, Any]:
        return {"version": 1}


def test_a_conversation_is_played() -> None:
    strategy = Lucky()
    asked, prediction = play(strategy, task(), "Sadly fearful.")
    assert (len(asked), prediction.label) == (1, "Sadly Fearful")
    _, prediction = play(strategy, task(BASIC), "no idea")
    assert prediction.status == "invalid"
    scores = dict.fromkeys(COMPOUND.names, -3.0) | {"Sadly Surprised": -0.2}
    _, prediction = play(strategy, task(), Answer("", scores), decode="score")
    assert prediction.label == "Sadly Surprised"
    with pytest.raises(AssertionError, match="2 responses were given, 1 questions asked"):
        play(strategy, task(), "Sadly Fearful", "Sadly Fearful")
    with pytest.raises(AssertionError, match="after 0 responses it still asks: "):
        play(strategy, task())


@pytest.mark.parametrize(
    ("script", "first", "second"),
    [
        (None, "Surprise", "Surprise"),
        (["Fear", "Anger"], "Fear", "Anger"),
        ({"one": "Fear", "two": "Disgust"}, "Fear", "Disgust"),
        (lambda question: question.options[-1], "Neutral", "Neutral"),
    ],
)
def test_a_scripted_backbone_follows_its_script(script: Any, first: str, second: str) -> None:
    backbone = ScriptedBackbone(script)
    questions = [Question(f"{name}?", BASIC.basic, name=name) for name in ("one", "two")]
    viewing = backbone.look(["a sample", "another"])
    one, nothing = viewing.ask([questions[0], None])
    [_, two] = viewing.ask([None, questions[1]])
    assert one is not None
    assert two is not None
    assert (one.response, nothing) == (first, None)
    assert two.response in (second, first)  # the first answer about the other sample
    assert (backbone.looked, backbone.images, backbone.calls, len(backbone.asked)) == (1, 2, 2, 2)
    [scored] = ScriptedBackbone(script).look(["a sample"]).ask([questions[0]], "score")
    assert scored is not None
    assert scored.scores is not None
    assert max(scored.scores, key=lambda option: (scored.scores or {})[option]) == first


def test_a_tiny_run_is_a_run(tmp_path: Path, coabench_run: Any) -> None:
    backbone = ScriptedBackbone(["Sadly Fearful"])
    run = tiny_run(tmp_path / "run", strategy=Lucky(), backbone=backbone)
    assert (run.metrics["samples"], run.metrics["war"], backbone.images) == (8, 0.25, 8)
    assert run.manifest["identity"]["strategy"]["name"] == "lucky"
    assert len((tmp_path / "run" / "predictions.jsonl").read_text().splitlines()) == 8
    basic = coabench_run(dataset="testing-basic", limit=3, decode="score")
    again = coabench_run(dataset="testing-basic", limit=3)
    assert basic.metrics["samples"] == again.metrics["samples"] == 3
    assert basic.directory != again.directory
    assert "testing-basic" not in get_plugins().datasets  # nothing stays behind


def test_something_is_registered_for_a_while() -> None:
    with registered("backbones", "for-a-while", ScriptedBackbone()):
        found, model = find_backbone("for-a-while:somewhere")
        assert (found.name, model) == ("for-a-while", "somewhere")
        with pytest.raises(ValueError, match="already registered"), registered("backbones", "for-a-while", None):
            pass
    assert "for-a-while" not in get_plugins().backbones


def test_images_are_drawn_alike_and_differ(coabench_images: list[Any]) -> None:
    assert draw_face("Fear", 3).tobytes() == draw_face("Fear", 3).tobytes()
    assert len({image.tobytes() for image in coabench_images}) == 5
    assert {image.mode for image in tiny_images(3)} == {"RGB"}
    emotions = {draw_face(emotion).tobytes() for emotion in BASIC.basic}
    assert len(emotions) == 7


FAILING = """
from coabench.dialogue import Prediction, Question
from coabench.strategy import Strategy
from coabench.testing import (
    BackboneConformance, CommandConformance, DatasetConformance, MetricConformance, PluginConformance,
    ScriptedBackbone, StrategyConformance,
)


class Guess(Strategy):
    name = "guess"

    def __init__(self, request): ...

    def converse(self, task):
        answer = yield Question("Which?", task.labels)
        return Prediction(answer.label or task.labels[0])

    def identity(self):
        return {}


class TestGuess(StrategyConformance):
    strategy = Guess


class TestScripted(BackboneConformance):
    backbone = ScriptedBackbone()


class TestGone(MetricConformance):
    metric = "gone"


class TestNoPlugin(PluginConformance):
    plugin = "absent"


class TestNoCommand(CommandConformance):
    command = "absent"


class TestNeedsFiles(DatasetConformance):
    dataset = "raf-db-basic"
"""


@pytest.mark.process
def test_the_suites_where_something_is_wrong(tmp_path: Path) -> None:
    """A test fails for each defect, with what to do; what is missing is reported once or skipped."""
    (tmp_path / "test_mine.py").write_text(FAILING)
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path]
    environment = {**os.environ, "COLUMNS": "200"}
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert result.returncode == 1, result.stderr
    failed = {line.split("::", 1)[1].split(" - ")[0] for line in result.stdout.splitlines() if "FAILED test" in line}
    assert failed == {
        "TestGuess::test_conforms[label-from-nothing]",
        "TestGone::test_conforms[not-importable]",
        "TestNoPlugin::test_conforms[not-loaded]",
        "TestNoCommand::test_conforms[help-fails]",
    }
    for text in (
        "strategy 'Guess': it predicts a label although no answer could be understood [label-from-nothing]",
        "why it matters: a guess counts as an answer",
        "there is no metric named 'gone'",
        "is it installed? run: pip install -e .",
        "there is no plugin or distribution named 'absent'",
        "no plugin here adds a command 'absent'",
        "what to do: pass --data-root DIR",
    ):
        assert text in result.stdout, text
    assert "PASSED test_mine.py::TestScripted::test_conforms[depends-on-batch]" in result.stdout
    assert f"{ROOT}" not in result.stdout.partition("short test summary")[0]  # no traceback of the suites themselves


@pytest.mark.parametrize("suite", [name for name in coabench.testing.__all__ if name.endswith("Conformance")])
def test_a_suite_has_a_test_for_everything_that_its_checks_may_find(suite: str) -> None:
    """A finding without a test would be lost."""
    kinds = {"Plugin": ["registration", "observers"], "Strategy": ["strategies"]}
    kind = suite.removesuffix("Conformance")
    known = {defect.name for defect in getattr(coabench.testing, suite).defects}
    for module in kinds.get(kind, [f"{kind.lower()}s"]):
        checks = importlib.import_module(f"coabench.testing.{module}")
        defects = importlib.import_module(f"coabench.testing.defects.{module}")
        used = [value for source in (checks, defects) for value in vars(source).values() if isinstance(value, Defect)]
        assert {defect.name for defect in used if defect.level != "unchecked"} <= known
        for defect in used:
            assert defect.title
            assert defect.why
