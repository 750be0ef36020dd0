"""What a sheet may say, and the runs that it asks for."""

from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args, get_origin

import click
import pytest
from support.sweeps import Write

from coabench.cli.evaluate import command as evaluate
from coabench.cli.train import command as train
from coabench.errors import UserError
from coabench.registry.options import parse_assignments
from coabench.runs.training_identity import TrainedBackbone, TrainingIdentity
from coabench.sweep.jobs import EVALUATE, TRAIN
from coabench.sweep.kind import Kind
from coabench.sweep.sheet import Resources, read_sheet
from coabench.sweep.trainings import StagedIdentity
from coabench.sweep.worker import order, read_order
from coabench.training.asha import Asha


@pytest.mark.parametrize(("kind", "command"), [(EVALUATE, evaluate), (TRAIN, train)], ids=["evaluate", "train"])
def test_every_option_of_a_command_can_be_swept(kind: Kind, command: click.Command) -> None:
    options = {p.opts[0].removeprefix("--").replace("-", "_"): p for p in command.params if isinstance(p, click.Option)}
    assert set(kind.options.kinds) == set(options) - set(kind.options.refused) - {"help"}
    untouched = command.make_context(command.name, []).params
    typed = {name: untouched[options[name].name or ""] or None for name in kind.options.kinds}
    assert typed == {name: value or None for name, value in kind.options.defaults.items()}
    choices = {name: p.type.choices for name, p in options.items() if isinstance(p.type, click.Choice)}
    for name in {*choices} - {*kind.options.refused}:
        hint = kind.options.kinds[name]
        literal = next((member for member in get_args(hint) if get_origin(member) is Literal), hint)
        assert get_args(literal) == tuple(choices[name])


def test_the_command_of_a_request_makes_that_request() -> None:
    """What a run's manifest records as its command line is one."""
    further = {"data_root": Path("a b"), "limit": 3, "allow_trained_split": True, "set": {"x": "1=2"}}
    settings = {**EVALUATE.options.defaults, **further}
    words = EVALUATE.request_of(settings, Path("out")).command
    assert words[:2] == ("coabench", "evaluate")
    context = evaluate.make_context("evaluate", list(words[2:]))
    given = {**context.params, "set": parse_assignments(context.params["assignments"])}
    assert given["output"] == Path("out")
    assert {name: given[name] for name in settings} == settings


def test_the_command_of_a_training_makes_that_training() -> None:
    further = {"strategy": ("direct", "rank"), "lr": 5e-5, "targets": "language,vision", "part_lr": {"vision": 2e-5},
               "modules_to_save": "projector", "dora": True, "full": False, "share": False,
               "ambiguous": True, "from": Path("a b"), "trainer": {"optim": "sgd"}}  # fmt: skip
    settings = {**TRAIN.options.defaults, **further}
    request = TRAIN.request_of(settings, Path("out"))
    assert request.settings["targets"] == ("language", "vision")
    assert request.settings["learning_rate"] == 5e-5
    assert request.settings["modules_to_save"] == ("projector",)
    params = train.make_context("train", list(request.command[2:])).params
    assert params["output"] == request.output
    assert (params["strategies"], params["start"]) == (("direct", "rank"), Path("a b"))
    assert (params["full"], params["share"], params["ambiguous"], params["rank"]) == (False, False, True, None)
    assert (params["fields"], params["learning_rate"]) == (("optim=sgd",), 5e-5)
    for name in ("targets", "modules_to_save", "part_lr", "dora"):
        assert params[name] == request.settings[name]


def test_an_order_arrives_as_it_was_given() -> None:
    settings = {**TRAIN.options.defaults, "data_root": Path("faces"), "from": Path("adapter"), "set": {"x": "4"}}
    request = replace(TRAIN.request_of(settings, Path("out")), asha=Asha(2, 4), rivals=(Path("a"), Path("b")))
    backbone = TrainedBackbone(name="tiny")
    stage = TrainingIdentity(recipe={"rank": 2}, trainer={}, backbone=backbone, strategies=(), data=())
    for identity in (stage, StagedIdentity(names=("basic",), stages=(stage,))):
        assert read_order(order(request, identity)) == (request, identity)


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
        ("job: trian", ["job cannot be read", "did you mean 'train'"]),
        ("job: train\naxes: {ranks: [2, 4]}", ["axes: unknown option 'ranks'", "did you mean 'rank'"]),
        ("job: train\naxes: {lr: [fast]}", ["axes.lr[0]", "a number, such as 5e-5", "'fast'"]),
        ("job: train\ndefaults: {export: published}", ["'export' cannot be set here", "adapters export"]),
        ("job: train\nasha: {eta: 3}", ["asha: unknown field 'eta'", "grace_period, reduction_factor"]),
        ("job: train\nasha: {reduction_factor: 1}", ["asha.reduction_factor cannot be read", "2 or more"]),
        ("asha: {}", ["asha: only trainings are stopped early", "job: train"]),
    ],
)
def test_what_a_sheet_cannot_say_is_reported(sheet: Write, text: str, message: list[str]) -> None:
    path = sheet(text)
    with pytest.raises(UserError) as refused:
        read_sheet(path).wanted()
    for words in [str(path), *message]:
        assert words in str(refused.value)
