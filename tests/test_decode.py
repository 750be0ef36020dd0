"""The table of decode modes: what is declared there is what the engine, the checks, the commands and the docs know."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from coabench.backbone import Answers, Backbone, Questions, Viewing
from coabench.base.shipped import path
from coabench.cli import cli
from coabench.decode import DECODES, MODES, ONCE, Decode, Mode, mode_of
from coabench.dialogue import Answer, Question, Task
from coabench.errors import UserError
from coabench.evaluation.job import Evaluation, check
from coabench.inference.engine import converse
from coabench.inference.promptfile_reader import read_prompt_file
from coabench.testing import BASIC, registered
from coabench.testing.scripted import scored

DOCS = Path(__file__).parent.parent / "docs"
QUESTION = Question("Which?", BASIC.basic)
every_mode = pytest.mark.parametrize("mode", MODES.values(), ids=lambda mode: mode.name)


class Noting(Viewing):
    """Has every method of the table and notes which one is called."""

    def __init__(self, backbone: Any, batch: Sequence[Any]) -> None:
        self.calls: list[str] = backbone.calls

    def generate(self, questions: Questions) -> Answers:
        return self.answers("generate", questions)

    def score(self, questions: Questions) -> Answers:
        return self.answers("score", questions)

    def sample(self, questions: Questions) -> Answers:
        return self.answers("sample", questions)

    def answers(self, name: str, questions: Questions) -> Answers:
        self.calls.append(name)
        mode = MODES[name]
        return [
            None if q is None else Answer(q.options[0], scored(q, q.options[0]) if mode.scored else None)
            for q in questions
        ]


class Old(Noting):
    """A viewing as plugins wrote it before there was a method per mode."""

    generate, score, sample = Viewing.generate, Viewing.score, Viewing.sample

    def ask(self, questions: Questions, decode: Decode = "generate") -> Answers:
        return self.answers(decode, questions)


class Looking(Backbone[Any]):
    capabilities = frozenset(mode.needs for mode in MODES.values())

    def __init__(self, viewing: type[Noting]) -> None:
        self.viewing, self.calls = viewing, list[str]()

    def identity(self) -> Mapping[str, Any]:
        return {}

    def look(self, batch: Sequence[Any]) -> Viewing:
        return self.viewing(self, batch)


@every_mode
@pytest.mark.parametrize("viewing", [Noting, Old])
def test_the_engine_calls_the_method_of_the_mode(viewing: type[Noting], mode: Mode) -> None:
    backbone = Looking(viewing)
    strategy = read_prompt_file(path("prompts", "direct.yaml"))
    [outcome] = converse(backbone, strategy, [(None, Task(BASIC))], mode.name)
    assert backbone.calls == [mode.name]
    assert outcome.prediction is not None
    assert outcome.prediction.label == BASIC.names[0]
    assert (outcome.turns[0].answer.scores is not None) == mode.scored


@every_mode
def test_a_viewing_written_before_the_methods_has_them(mode: Mode) -> None:
    backbone = Looking(Old)
    [answer, nothing] = getattr(backbone.look([1, 2]), mode.name)([QUESTION, None])
    assert backbone.calls == [mode.name]
    assert (answer.response, nothing) == (BASIC.names[0], None)


@every_mode
def test_a_mode_that_a_backbone_has_no_method_for_is_refused_in_words(mode: Mode) -> None:
    for ask in (lambda: Viewing().ask([QUESTION], mode.name), lambda: getattr(Viewing(), mode.name)([QUESTION])):
        with pytest.raises(UserError, match=rf"cannot answer with --decode {mode.name}\n  .* that {mode.needs}\n"):
            ask()


def test_an_unknown_mode_is_refused_in_words() -> None:
    for ask in (lambda: mode_of("scores"), lambda: QUESTION.mode("scores"), lambda: Viewing().ask([], "scores")):  # type: ignore[arg-type]
        with pytest.raises(UserError, match=r"no decode mode 'scores'\n  expected: .*sample\n  .*did you mean 'score'"):
            ask()


@every_mode
def test_an_open_question_is_never_scored(mode: Mode) -> None:
    openly = Question("What do you see?", type(BASIC.basic)())
    assert not openly.mode(mode.name).scored
    if mode.scored:
        with pytest.raises(UserError, match=r"without options cannot be scored\n  found: What do you see\?"):
            Looking(Noting).look([1]).ask([openly], mode.name)


@every_mode
def test_a_backbone_without_the_capability_is_refused_before_anything_is_loaded(mode: Mode) -> None:
    class Lacking(Looking):
        capabilities = Looking.capabilities - {mode.needs}

        def __init__(self, request: Any) -> None:
            super().__init__(Noting)

    with registered("backbones", "lacking", Lacking), pytest.raises(UserError, match=f"a backbone that {mode.needs}"):
        check(Evaluation(backbone="lacking", strategy="direct", dataset="synthface-basic", decode=mode.name))


def test_what_is_typed_and_what_is_documented_is_the_table() -> None:
    assert get_args(Decode) == DECODES
    context = click.Context(cli)
    choices = {
        name: tuple(option.type.choices)
        for name in cli.list_commands(context)
        if (command := cli.get_command(context, name))
        for option in command.params
        if option.name == "decode" and isinstance(option.type, click.Choice)
    }
    assert {"evaluate", "doctor"} <= choices.keys()
    assert choices.pop("webcam") == choices.pop("predict") == ONCE
    assert set(choices.values()) == {DECODES}
    for mode in MODES.values():
        assert getattr(Viewing, mode.name).__doc__
        assert f"- `--decode {mode.name}`: " in (DOCS / "guides" / "decoding.md").read_text(encoding="utf-8")
        backbones = (DOCS / "reference" / "plugins" / "backbone.md").read_text(encoding="utf-8")
        assert f"`{mode.name}(questions)`" in backbones
        assert f"`{mode.needs}`" in backbones


@pytest.mark.parametrize(
    ("strategy", "stands_as"),
    [
        ("pair-scores", ("score",) * 3),
        ("rank", ("generate", "generate", "sample")),
        ("think-answer", ("generate", "generate", "sample")),
        ("direct", DECODES),
    ],
)
def test_a_choice_that_makes_no_difference_makes_no_other_run(strategy: str, stands_as: tuple[str, ...]) -> None:
    plans = [check(Evaluation("tiny", strategy, "synthface-basic", decode=mode, limit=2)) for mode in DECODES]
    assert tuple(plan.identity.decode for plan in plans) == stands_as
    assert len({plan.name for plan in plans}) == len({*stands_as})
    assert [plan.sampling is not None for plan in plans] == [mode == "sample" for mode in stands_as]
    assert any("--decode sample makes no difference" in note for note in plans[-1].notes) == ("sample" not in stands_as)
