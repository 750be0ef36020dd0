"""`coabench.stress` and `coabench.explain`: the jobs of the command line, from Python."""

import inspect
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from support.in_process import command, plugins_on

import coabench
from coabench.errors import UserError

DRAWN = {"backbone": "scripted", "dataset": "drawn", "strategy": "direct"}
WORDS = [word for name, value in DRAWN.items() for word in (f"--{name}", value)]


@pytest.fixture(autouse=True)
def desk(scripted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("conditions: [{rewrite: polite}, {transform: mirror}]")
    with plugins_on(scripted):
        yield


@pytest.mark.parametrize("name", ["stress", "explain"])
def test_arguments_are_the_options_with_their_defaults(name: str) -> None:
    group = import_module(f"coabench.cli.{name}").command
    spelt = {"set": "options"}
    typed = ["--output", "out"] if name == "stress" else ["run"]
    values = group.make_context(name, typed).params
    options = {}
    for parameter in group.params:
        argument = max(parameter.opts, key=len).removeprefix("--").replace("-", "_")
        options[spelt.get(argument, argument)] = values[parameter.name] or None
    given = {"dry_run", "format", "transform", "rewrite", "output", "run"}
    options = {key: value for key, value in options.items() if key not in given}
    parameters = inspect.signature(getattr(coabench, name)).parameters
    arguments = {key: each.default or None for key, each in parameters.items() if key not in given}
    assert arguments.pop("progress") is None
    assert arguments == options


def test_a_stress_is_that_of_the_command_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    it = coabench.stress(**DRAWN, suite="mine.yaml", output=tmp_path / "here", executor="here", limit=8)
    assert {*"".join(capfd.readouterr()).splitlines()} == {"words on stdout"}  # of the plugin; nothing of ours
    assert [row["condition"] for row in it.rows()] == ["polite", "mirror"]
    assert repr(it).startswith(f"<stress {tmp_path / 'here'}: 2 conditions beside the clean run, 8 samples, UAR ")
    there = ["stress", *WORDS, "--suite", "mine.yaml", "--executor", "here", "--limit", "8", "--output", "there"]
    assert command(tmp_path, there, {}).returncode == 0
    report = command(tmp_path, ["report", "there", "--format", "json"], {})
    assert json.loads(report.stdout) == json.loads(json.dumps(it.as_json()))
    again = coabench.stress(**DRAWN, suite="mine.yaml", output="here", executor="here", limit=8)
    assert again.as_json() == it.as_json()
    assert coabench.load_stress("there").as_json() == it.as_json()


def test_a_stress_is_drawn_as_its_curves(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib").use("agg")
    (tmp_path / "dark.yaml").write_text("schema: 1\nconditions:\n  - {transform: brightness, severities: [1, 4]}\n")
    it = coabench.stress(**DRAWN, suite="dark.yaml", output=tmp_path / "dark", executor="here", limit=8)
    axes = it.plot_severities()
    assert axes.get_legend_handles_labels()[1] == ["brightness"]
    drawn = next(line for line in axes.get_lines() if line.get_label() == "brightness")
    assert list(drawn.get_ydata()) == pytest.approx([100 * (uar.value or 0) for uar in it.curves[0].uars])
    assert list(axes.get_xticks()) == [0, 1, 4]
    flat = coabench.stress(**DRAWN, suite="mine.yaml", output=tmp_path / "flat", executor="here", limit=8)
    with pytest.raises(UserError, match="no curve to draw"):
        flat.plot_severities()


def test_what_a_stress_cannot_do_is_said() -> None:
    with pytest.raises(UserError, match="backbone"):
        coabench.stress(**{**DRAWN, "backbone": lambda image, question: "Fear"}, output="out")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="did you mean 'images'"):
        coabench.stress(**DRAWN, suite="image", output="out")
    with pytest.raises(coabench.JobError, match="1 of 3 runs could not be finished"):
        coabench.stress(**DRAWN, suite="mine.yaml", output="out", executor="here", options={"crash_after": 3})
    assert not Path("results").exists()


def test_an_explanation_is_that_of_the_command_line(tmp_path: Path) -> None:
    run = coabench.evaluate(**DRAWN, limit=4, decode="score", output="run")
    done = coabench.explain(run, samples="all:2", window=0.5, output="here.html")
    assert repr(done) == "<explanation of run: 2 samples, 0 left out>"
    words = ["explain", "run", "--samples", "all:2", "--window", "0.5", "--output", "there.html"]
    made = command(tmp_path, words, {})
    assert made.returncode == 0, made.stderr
    for kind in ("html", "json"):
        assert Path(f"here.{kind}").read_bytes() == Path(f"there.{kind}").read_bytes()
    assert json.loads(Path("here.json").read_text())["samples"] == json.loads(json.dumps(done.to_json()["samples"]))
    for wrong in ({"window": 2.0}, {"fill": "red"}, {"question": "third"}, {"output": "numbers.json"}):
        with pytest.raises(UserError, match=next(iter(wrong)) if "output" not in wrong else "a page and its numbers"):
            coabench.explain(run, **wrong)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="nothing"):
        coabench.explain("nothing")
