"""What would end the process, raised by a plugin, is its failure; the user's Ctrl-C stays the user's."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.in_process import plugins_on
from support.planted import plant
from support.process import Run, interruptible

import coabench
from coabench.errors import JobError

PLUGIN = """
import os, signal, sys
from coabench.backbone import Backbone, Viewing
from coabench.dataset import Dataset
from coabench.detector import Detector, Face
from coabench.dialogue import Answer, Prediction, Question
from coabench.strategy import Strategy


class Own(BaseException): ...


def exits():
    try:
        signal.raise_signal(signal.SIGINT)  # the user's
    except KeyboardInterrupt:
        sys.exit(3)


def end(place):
    if os.environ.get("ZZ_PLACE") == place:
        exec(os.environ["ZZ_CODE"], globals())


@hookimpl
def coabench_register_backbones(register):
    register("zz", "zz_bad:Zz")

@hookimpl
def coabench_register_strategies(register):
    register("zz", "zz_bad:Asks")

@hookimpl
def coabench_register_metrics(register):
    register("zz", "zz_bad:metric")

@hookimpl
def coabench_register_detectors(register):
    register("zz", "zz_bad:Finds", available="zz_bad:available")

@hookimpl
def coabench_sample_predicted(record):
    end("observer")

@hookimpl
def coabench_register_commands(cli):
    @cli.command("zz-end")
    def command():
        "End."
        end("command")


def available():
    end("available")


def metric(targets, predictions, labels):
    end("metric")
    return 1.0


class Finds(Detector):
    def __init__(self, request): ...

    def detect(self, frame):
        end("detect")
        return [Face((0, 0, 40, 40), 1.0)]


class Asks(Strategy):
    name = "zz"

    def __init__(self, request):
        end("strategy")

    def identity(self):
        return {}

    def converse(self, task):
        end("converse")
        answer = yield Question("Which?", task.labels)
        return Prediction(answer.label)


class Zz(Backbone):
    def __init__(self, request):
        end("constructor")

    def identity(self):
        return {}

    def load(self):
        end("load")

    def prepare(self, images, sample=None):
        end("prepare")

    def look(self, batch):
        end("look")
        return Saw()


class Saw(Viewing):
    def generate(self, questions):
        end("generate")
        return [question and Answer(question.options[0]) for question in questions]
"""
ERRORS = {
    "exit": "raise SystemExit(9)",
    "library": "import argparse; argparse.ArgumentParser().error('no')",
    "keyboard": "raise KeyboardInterrupt",
    "generator": "raise GeneratorExit",
    "own": "raise Own('mine')",
}


@pytest.fixture
def run(coabench: Run, tmp_path: Path) -> Run:
    plant(tmp_path, "zz_bad", PLUGIN)

    def evaluate(place: str = "", code: str = "", *words: object, **variables: str) -> Any:
        named = words or ("evaluate", "--backbone", "zz", "--strategy", "zz", "--dataset", "drawn", "--output", "run")
        with interruptible():
            return coabench(*named, PYTHONPATH=str(tmp_path), ZZ_PLACE=place, ZZ_CODE=code, **variables)

    return evaluate


@pytest.mark.parametrize("code", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("place", ["strategy", "converse", "constructor", "load", "prepare", "look", "generate"])
def test_a_plugin_that_ends_the_process_fails_by_name(run: Run, tmp_path: Path, place: str, code: str) -> None:
    ended = run(place, code)
    assert ended.returncode == 1
    assert "plugin 'zz_bad' (coabench-zz_bad 1.0) tried to end the process" in ended.stderr
    assert "upgrade coabench-zz_bad or report it to its author" in ended.stderr
    assert "Traceback" not in ended.stderr
    if place in ("look", "generate"):  # the run had begun
        manifest = json.loads((tmp_path / "run" / "run.json").read_text())
        assert manifest["status"] == "failed"
        assert "'zz_bad'" in manifest["reason"]
    assert run().returncode == 0  # and continues


@pytest.mark.parametrize("code", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("place", ["metric", "observer"])
def test_a_metric_or_an_observer_that_ends_the_process_is_left_out(
    run: Run, tmp_path: Path, place: str, code: str
) -> None:
    done = run(place, code)
    assert done.returncode == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "complete"
    assert "'zz_bad' failed" in done.stderr


@pytest.mark.process
@pytest.mark.parametrize(
    ("place", "code", "told"),
    [
        ("detect", ERRORS["exit"], "the detector failed: SystemExit: 9"),
        ("converse", ERRORS["keyboard"], "plugin 'zz_bad' (coabench-zz_bad 1.0) tried to end"),
        ("generate", ERRORS["exit"], "plugin 'zz_bad' (coabench-zz_bad 1.0) tried to end"),
    ],
)
def test_a_live_session_ends_with_the_failure(run: Run, tmp_path: Path, place: str, code: str, told: str) -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    (tmp_path / "faces").mkdir()
    Image.new("RGB", (64, 64), "white").save(tmp_path / "faces" / "a.png")
    words = ["webcam", "--no-window", "--source", "faces", "--labels", "synthface-compound", "--detector", "zz"]
    ended = run(place, code, *words, "--backbone", "zz", "--strategy", "zz", XDG_CONFIG_HOME=str(tmp_path))
    assert ended.returncode == 1
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_same_from_python(scripted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, "zz_bad", PLUGIN)
    monkeypatch.setenv("ZZ_PLACE", "generate")
    monkeypatch.setenv("ZZ_CODE", "sys.exit()")
    asked = {"backbone": "zz", "strategy": "zz", "dataset": "drawn", "output": tmp_path / "run"}
    with plugins_on([str(tmp_path), *scripted]), interruptible():
        with pytest.raises(JobError, match=r"'zz_bad' .* tried to end the process"):
            coabench.evaluate(**asked)
        monkeypatch.setenv("ZZ_CODE", "raise KeyboardInterrupt")  # here nobody can tell it from the user's
        with pytest.raises(KeyboardInterrupt):
            coabench.evaluate(**asked)


@pytest.mark.parametrize("code", ERRORS.values(), ids=ERRORS)
def test_a_check_of_a_detector_that_ends_the_process_is_said(run: Run, code: str) -> None:
    listed = run("available", code, "list", "detectors", "--format", "json")
    assert listed.returncode == 0
    [row] = [row for row in json.loads(listed.stdout) if row["name"] == "zz"]
    assert "its check failed" in row["unavailable"]


@pytest.mark.parametrize("code", ERRORS.values(), ids=ERRORS)
def test_a_plugin_that_ends_the_process_while_it_is_imported_is_left_out(
    coabench: Run, tmp_path: Path, code: str
) -> None:
    plant(tmp_path, "zz_bad", f"class Own(BaseException): ...\n{code}")
    with interruptible():
        listed = coabench("list", PYTHONPATH=str(tmp_path))
    assert listed.returncode == 0
    assert "plugins that failed to load: zz_bad" in listed.stderr


def test_a_target_that_ends_the_process_while_it_is_imported(coabench: Run, tmp_path: Path) -> None:
    code = "@hookimpl\ndef coabench_register_backbones(register):\n    register('zz', 'zz_target:X')"
    plant(tmp_path, "zz_bad", code)
    (tmp_path / "zz_target.py").write_text("raise KeyboardInterrupt")
    with interruptible():
        ended = coabench("evaluate", "--backbone", "zz", PYTHONPATH=str(tmp_path))
    assert ended.returncode == 2
    assert "'zz' of plugin 'zz_bad' cannot be imported" in ended.stderr


@pytest.mark.process
def test_a_sweep_goes_on_with_the_other_runs(run: Run, tmp_path: Path) -> None:
    sheet = {"defaults": {"dataset": "drawn", "limit": 2}, "axes": {"backbone": ["zz", "scripted"]}}
    (tmp_path / "sheet.yaml").write_text(json.dumps(sheet))
    swept = run("look", "raise SystemExit(0)", "sweep", "sheet.yaml")
    assert swept.returncode == 1
    assert "1 of 2 runs could not be finished" in swept.stderr
    assert "tried to end the process" in swept.stdout + swept.stderr


def test_a_command_of_a_plugin_has_exit_codes_of_its_own(run: Run) -> None:
    assert run("command", "raise SystemExit(5)", "zz-end").returncode == 5
    interrupted = run("command", "raise KeyboardInterrupt", "zz-end")
    assert interrupted.returncode == 1
    assert "plugin 'zz_bad' (coabench-zz_bad 1.0) tried to end the process" in interrupted.stderr


@pytest.mark.parametrize("code", ["signal.raise_signal(signal.SIGINT)", "exits()"], ids=["as it is", "made an exit"])
@pytest.mark.parametrize("place", ["constructor", "look", "metric", "observer", "command"])
def test_the_users_interrupt_is_the_users_wherever_it_arrives(run: Run, place: str, code: str) -> None:
    words = ("zz-end",) if place == "command" else ()
    ended = run(place, code, *words)
    assert ended.returncode == 130
    assert "interrupted" in ended.stderr
    assert "tried to end the process" not in ended.stderr
