"""The Python API: the same jobs, defaults, checks and results as the command line."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy
import pytest
from support.footage import PHOTOGRAPH
from support.process import ROOT

import coabench
from coabench.backbone import BackboneRequest
from coabench.cli import main
from coabench.dialogue import Prediction, Question, Task
from coabench.strategy import Conversation, Strategy
from coabench.testing import ScriptedBackbone, registered
from coabench.testing.pictures import Pictures
from coabench.testing.spaces import CARDS

DRAWN = {"backbone": "scripted-here", "dataset": "testing-compound", "strategy": "direct"}


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder, with drawn faces and a backbone that answers at once."""
    monkeypatch.chdir(tmp_path)
    with (
        registered("datasets", "testing-compound", Pictures, card=CARDS["testing-compound"]),
        registered("backbones", "scripted-here", ScriptedBackbone()),
    ):
        yield


@pytest.mark.process
def test_importing_takes_in_nothing_heavy() -> None:
    heavy = "'torch', 'transformers', 'pandas', 'numpy', 'click', 'PIL', 'scipy', 'rich', 'coabench.api'"
    code = f"import coabench, sys; print([m for m in ({heavy}) if m in sys.modules], coabench.evaluate.__module__)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["[]", "coabench.api"]


def test_the_jobs_are_there_for_completion_and_nothing_else_is_made_up() -> None:
    assert {*coabench.__all__} <= {*dir(coabench)}
    with pytest.raises(AttributeError, match="evalute"):
        coabench.evalute  # noqa: B018


@pytest.mark.parametrize("name", ["evaluate", "train"])
def test_arguments_are_the_options_with_their_defaults(name: str) -> None:
    from importlib import import_module

    command = import_module(f"coabench.cli.{name}").command
    spelt = {"set": "options", "lora": "full", "unambiguous": "ambiguous", "from": "from_"}
    options = {}
    for parameter in command.params:
        argument = max(parameter.opts, key=len).removeprefix("--").replace("-", "_")
        default = command.make_context(name, []).params[parameter.name]
        options[spelt.get(argument, argument)] = default or None
    for of_the_command_line_alone in ("dry_run", "folds"):
        options.pop(of_the_command_line_alone, None)
    parameters = inspect.signature(getattr(coabench, name)).parameters
    arguments = {key: parameter.default or None for key, parameter in parameters.items()}
    if name == "train":
        arguments["strategy"] = (arguments["strategy"],)  # where there may be several
    assert arguments.pop("progress") is None
    arguments.pop("labels", None)  # of pictures that no command line can name
    assert arguments == options


def test_a_run_is_the_run_of_the_command_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = coabench.evaluate(**DRAWN, limit=numpy.int64(5), decode="score", output=tmp_path / "here")
    assert capfd.readouterr() == ("", "")
    command = run.manifest["sessions"][0]["command"]
    assert command[:2] == ["coabench", "evaluate"]
    assert "--batch-size" not in command
    there = [str(tmp_path / "there") if word == str(tmp_path / "here") else word for word in command[1:]]
    with pytest.raises(SystemExit) as ended:
        main(there)
    assert not ended.value.code
    typed = json.loads((tmp_path / "there" / "run.json").read_text())
    assert typed["identity"] == run.manifest["identity"]
    alike = [
        [{**json.loads(line), "seconds": 0} for line in (tmp_path / where / "predictions.jsonl").open()]
        for where in ("here", "there")
    ]
    assert alike[0] == alike[1]
    assert len(alike[0]) == run.metrics["samples"] == 5
    assert repr(run) == f"<run {run.directory}: 5 samples, UAR {run.metrics['uar']:.2%} " + (
        "[{:.2%}, {:.2%}], ".format(*run.metrics["uar_interval"]) + f"WAR {run.metrics['war']:.2%}, 0 invalid>"
    )
    assert list(coabench.load_records(run.directory)["id"]) == [record["id"] for record in alike[0]]


def test_progress(capfd: pytest.CaptureFixture[str]) -> None:
    run = coabench.evaluate(**DRAWN, limit=3, progress=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "loading the backbone" in err
    assert run.directory.parent == Path("results")
    again = coabench.evaluate(**DRAWN, limit=3, progress=True)
    assert again.directory == run.directory
    assert "already complete" in capfd.readouterr().err


class Backwards(Strategy):
    """Asks for the last label first."""

    name = "backwards"

    def converse(self, task: Task) -> Conversation:
        answer = yield Question(f"Which of {task.labels}?", options=type(task.labels)(reversed(task.labels)))
        return Prediction(answer.label) if answer.label else Prediction.invalid("unparsed-answer")

    def identity(self) -> dict[str, Any]:
        return {"version": 1}


def test_a_strategy_written_here() -> None:
    run = coabench.evaluate(**{**DRAWN, "strategy": Backwards()}, output="mine")
    strategy = run.manifest["identity"]["strategy"]
    assert (strategy["name"], strategy["plugin"], strategy["version"]) == ("backwards", "python", 1)
    assert set(coabench.load_records("mine")["prediction"]) == {run.manifest["labels"]["names"][-1]}
    assert coabench.evaluate(**{**DRAWN, "strategy": Backwards()}, output="mine").metrics == run.metrics
    with pytest.raises(coabench.UserError, match=r"strategy\.plugin"):
        coabench.evaluate(**DRAWN, output="mine")


class OnDevice(ScriptedBackbone):
    """Made as a plugin's backbone is, by calling its class with a request."""

    def __init__(self, request: BackboneRequest) -> None:
        super().__init__()
        self.device = request.device

    def details(self) -> dict[str, Any]:
        return {"device": self.device}


def test_a_backbone_written_here() -> None:
    run = coabench.evaluate(**{**DRAWN, "backbone": OnDevice}, device="cpu", output="mine")
    backbone = run.manifest["identity"]["backbone"]
    assert (backbone["name"], backbone["plugin"]) == ("OnDevice", "python")
    assert run.manifest["sessions"][0]["device"] == "cpu"
    assert "<OnDevice, from Python>" in run.manifest["sessions"][0]["command"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"limit": 0}, "limit=0 does not fit"),
        ({"limit": True}, "limit=True does not fit"),
        ({"batch_size": 2.5}, "batch_size=2.5 does not fit"),
        ({"decode": "scores"}, "did you mean 'score'"),
        ({"dtype": "fp16"}, "dtype='fp16' does not fit"),
        ({"seed": "0"}, "seed='0' does not fit"),
        ({"seed": None}, "seed=None does not fit"),
        ({"dataset": None}, "dataset=None does not fit"),
        ({"strategy": 3}, "strategy=3 does not fit"),
        ({"options": {"nonsense": 1}}, "no plugin in use has"),
        ({"options": {"k": [1]}}, r"options['k']=[1] does not fit"),
        ({"strategy": "dirct"}, "did you mean 'direct'"),
        ({"strategy": Path("absent.yaml")}, "absent.yaml"),
    ],
)
def test_mistakes(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(coabench.UserError, match=re.escape(words)) as refused:
        coabench.evaluate(**{**DRAWN, **arguments})
    assert isinstance(refused.value, coabench.CoabenchError)
    assert not Path("results").exists()


def test_options_are_read_as_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}
    monkeypatch.setattr("coabench.api.run_evaluation", lambda request, progress: seen.update(vars(request)))
    coabench.evaluate(
        options={"a": 16, "b": 0.5, "c": True, "d": None, "e": "x", "backbone.f": numpy.float32(2), "g": Path("p")},
        data_root="~/faces",
        adapter=Path("adapter"),
    )
    assert seen["options"] == {"a": "16", "b": "0.5", "c": "true", "d": "none", "e": "x", "backbone.f": "2.0", "g": "p"}
    assert seen["data_root"] == Path.home() / "faces"
    assert seen["adapter"] == "adapter"
    assert seen["command"][2:6] == ("--adapter", "adapter", "--data-root", "~/faces")


@pytest.mark.slow
def test_training(capfd: pytest.CaptureFixture[str]) -> None:
    trained = coabench.train(
        dataset="synthface-compound", strategy="direct", steps=1, epochs=3, batch_size=4, rank=2, dev=0, mirror=False,
        targets=["language", "projector"], options={"num_crops": 1}, trainer={"max_grad_norm": 0.5}, output="adapter",
    )  # fmt: skip
    out, err = capfd.readouterr()
    assert out == ""
    assert "step" not in err
    recipe = trained.manifest["identity"]["recipe"]
    assert (recipe["rank"], recipe["epochs"], recipe["targets"]) == (2, 3.0, ["language", "projector"])
    assert isinstance(recipe["epochs"], float)  # as --epochs 3 is read: the identity is the same
    command = trained.manifest["sessions"][0]["command"]
    assert command[2:] == [
        "--strategy", "direct", "--dataset", "synthface-compound", "--rank", "2", "--targets", "language,projector",
        "--no-mirror", "--epochs", "3", "--steps", "1", "--batch-size", "4", "--dev", "0", "--set", "num_crops=1",
        "--trainer", "max_grad_norm=0.5", "--output", "adapter",
    ]  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        main(command[1:])
    assert not ended.value.code
    assert "already complete" in capfd.readouterr().err
    assert repr(trained) == "<training adapter: 1 step>"
    run = coabench.evaluate(adapter=trained.directory, strategy="direct", limit=2, output="run")
    assert run.manifest["identity"]["backbone"]["adapter"] == "adapter"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rank": "4"}, "rank='4' does not fit"),
        ({"epochs": "three"}, "epochs='three' does not fit"),
        ({"targets": 3}, "targets=3 does not fit"),
        ({"targets": ["language", 3]}, "targets[1]=3 does not fit"),
        ({"dataset": [None]}, "dataset[0] is no pair"),
        ({"micro_batch": 0}, "micro_batch=0 does not fit"),
        ({"dtype": "bf16"}, "'bfloat16'"),
        ({"export": "llava"}, "export='llava' does not fit"),
        ({"strategy": ["direct", "direct"]}, "names the same thing twice"),
        ({"targets": "languag"}, "did you mean 'language'"),
    ],
)
def test_mistakes_of_a_training(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(coabench.UserError, match=re.escape(words)):
        coabench.train(**arguments)


@pytest.mark.slow
def test_the_page_about_python_is_true(capsys: pytest.CaptureFixture[str]) -> None:
    """Run the code of the page, block after block, in one namespace; what it prints is what the page shows."""
    shutil.copy(PHOTOGRAPH, "photo.jpg")
    page = (ROOT / "docs" / "reference" / "python.md").read_text()
    space: dict[str, Any] = {}
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= 4
    for block in blocks:
        if "plot_" in block and not find_spec("matplotlib"):
            continue
        exec(compile(block, "docs/reference/python.md", "exec"), space)
    assert space["run"].metrics["samples"] == 40
    assert capsys.readouterr().out.strip()
