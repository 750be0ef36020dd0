"""What a sheet may say, and the runs that it asks for."""

from pathlib import Path
from typing import get_args

import click
import pytest
from support.sweeps import Write

from coabench.cli.evaluate import command
from coabench.errors import UserError
from coabench.sweep.settings import DEFAULTS, KINDS, OPTIONS, OURS, command_of, request_of
from coabench.sweep.sheet import Resources, read_sheet


def test_every_option_of_evaluate_can_be_swept() -> None:
    of_evaluate = {p.name: p for p in command.params if isinstance(p, click.Option)}
    of_evaluate["set"] = of_evaluate.pop("assignments")
    assert set(OPTIONS) == set(of_evaluate) - set(OURS) - {"help"}
    untouched = command.make_context("evaluate", []).params
    assert {name: DEFAULTS[name] for name in OPTIONS if name != "set"} == {
        name: untouched[name] for name in OPTIONS if name != "set"
    }
    choices = {name: p.type.choices for name, p in of_evaluate.items() if isinstance(p.type, click.Choice)}
    assert {*choices} == {"decode", "dtype"}
    assert all(get_args(KINDS[name]) == tuple(named) for name, named in choices.items())


def test_the_command_of_a_request_makes_that_request() -> None:
    """What a run's manifest records as its command line is one."""
    settings = {**DEFAULTS, "data_root": Path("a b"), "limit": 3, "allow_trained_split": True, "set": {"x": "1=2"}}
    request = request_of(settings, Path("out"))
    words = command_of(request)
    assert words[:2] == ("coabench", "evaluate")
    context = command.make_context("evaluate", list(words[2:]))
    given = {**context.params, "set": dict(pair.split("=", 1) for pair in context.params["assignments"])}
    assert given["output"] == Path("out")
    assert {name: given[name] for name in OPTIONS} == settings


def test_axes_make_combinations_and_the_last_is_the_fastest(sheet: Write) -> None:
    path = sheet("""
        defaults: {seed: 3, set: {a: 1, b: yes}}
        axes:
          strategy: [direct, rank]
          decode: [generate, score]
          set: {num_crops: [4, 16]}
        exclude: [{strategy: rank, decode: score}, {decode: score, set: {num_crops: 16}}]
        include: [{strategy: top}]
        adjust:
          - {for: {strategy: rank}, batch_size: auto, seed: 9, resources: {gpus: 1}}
          - {for: {set: {num_crops: 16}}, seed: 5, set: {a: 2, num_crops: 99}}
        resources: {cpus: 2, memory: 1.5 GiB}
    """)
    wanted = read_sheet(path).wanted()
    message = [
        (w.settings["strategy"], w.settings["decode"], w.settings["set"].get("num_crops"), w.settings["seed"])
        for w in wanted
    ]
    assert message == [
        ("direct", "generate", "4", 3),
        ("direct", "generate", "16", 5),
        ("direct", "score", "4", 3),
        ("rank", "generate", "4", 9),
        ("rank", "generate", "16", 5),
        ("top", "generate", None, 3),
    ]
    assert wanted[4].settings["set"] == {"a": "2", "b": "true", "num_crops": "16"}
    assert [w.settings["batch_size"] for w in wanted] == [8, 8, 8, "auto", "auto", 8]
    assert wanted[3].resources == Resources(2.0, 1.0, 3 * 2**29)
    assert wanted[5].resources == Resources(2.0, None, 3 * 2**29)


def test_the_name_and_the_output_follow_the_file(sheet: Write) -> None:
    read = read_sheet(sheet("axes: {seed: [1]}", name="ablation.yaml"))
    assert (read.name, read.output) == ("ablation", Path("results/ablation"))
    read = read_sheet(sheet("output: ~/x\ndefaults: {data_root: ~/faces}"))
    assert read.output == Path("~/x").expanduser()
    assert read.wanted()[0].settings["data_root"] == Path("~/faces").expanduser()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("axis: {seed: [1]}", ["unknown field 'axis'", "did you mean 'axes'"]),
        ("axes: {strategies: [direct]}", ["axes: unknown option 'strategies'", "did you mean 'strategy'"]),
        ("defaults: {batch-size: 3}", ["defaults: unknown option 'batch-size'", "did you mean 'batch_size'"]),
        ("defaults: {batch_size: big}", ["batch_size", "a whole number or auto", "'big'"]),
        ("defaults: {batch_size: 0}", ["defaults.batch_size", "1 or more"]),
        ("defaults: {limit: true}", ["a whole number", "True"]),
        ("defaults: {split: 3}", ["a text", "put it in quotes"]),
        ("defaults: {dtype: float61}", ["did you mean 'float16'"]),
        ("axes: {decode: [generate, scores]}", ["axes.decode[1]", "did you mean 'score'"]),
        ("axes: {seed: 3}", ["axes.seed cannot be read", "a list of values", "in brackets"]),
        ("axes: {seed: []}", ["axes.seed cannot be read"]),
        ("axes: {set: [{num_crops: 4}]}", ["axes.set cannot be read", "a mapping"]),
        ("axes: {set: {num_crops: [[4]]}}", ["set.num_crops", "a list"]),
        ("defaults: {output: x}", ["'output' cannot be set here", "a folder of its own"]),
        ("defaults: {overwrite: true}", ["a sweep deletes nothing"]),
        ("defaults: [1]", ["defaults cannot be read"]),
        ("include: {seed: 1}", ["a list of mappings"]),
        ("include: [{sed: 1}]", ["include[0]", "did you mean 'seed'"]),
        ("axes: {seed: [1]}\nexclude: [{seed: 2}]", ["exclude[0] fits no combination", "seed: 2"]),
        ("axes: {seed: [1]}\nexclude: [{seed: 1}]", ["nothing to run"]),
        ("axes: {seed: [1]}\nexclude: [{}]", ["exclude[0]: there is no option in it"]),
        ("adjust: [{batch_size: 3}]", ["adjust[0]", "'for'"]),
        ("adjust: [{for: {backbone: tinny}, batch_size: 3}]", ["adjust[0] fits no run", "tinny"]),
        ("resources: {gpu: 1}", ["resources: unknown field 'gpu'", "did you mean 'gpus'"]),
        ("resources: {gpus: 1.5}", ["resources.gpus cannot be read", "a fraction"]),
        ("resources: {cpus: -1}", ["resources.cpus cannot be read"]),
        ("resources: {memory: 3 apples}", ["16 GiB"]),
        ("name: a/b", ["a word that can name a folder"]),
        ("output: 3", ["output cannot be read", "a text"]),
        ("schema: 2", ["schema 2 is unknown"]),
        ("axes: {seed: [1", ["not valid YAML", "line "]),
        ("- 1", ["holds no fields"]),
    ],
)
def test_what_a_sheet_cannot_say_is_reported(sheet: Write, text: str, message: list[str]) -> None:
    path = sheet(text)
    with pytest.raises(UserError) as refused:
        read_sheet(path).wanted()
    for words in [str(path), *message]:
        assert words in str(refused.value)
