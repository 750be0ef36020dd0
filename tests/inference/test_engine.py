"""The engine between strategies and backbones: what is asked how, and what becomes of a sample that cannot be asked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import pytest

from coabench.backbone import Answers, Backbone, Questions, Viewing
from coabench.decode import Decode
from coabench.dialogue import Answer, Prediction, Question, Task
from coabench.errors import SampleError, UserError
from coabench.inference.engine import converse, rehearse
from coabench.inference.promptfile_reader import read_prompt_file
from coabench.registry.catalog import find_dataset
from coabench.strategy import Conversation, Strategy

SPACE = find_dataset("synthface-basic").card.space


class Mixed(Strategy):
    """Lets every second sample be scored, and asks an open question in the end."""

    name = "mixed"

    def converse(self, task: Task) -> Conversation:
        scored = yield Question("Which?", task.basic, decode="score")
        assert scored.scores is not None
        answer = yield Question("Sure?", task.basic, decode="score" if scored.label == task.basic[0] else None)
        seen = yield Question("What do you see?", options=type(task.basic)())
        assert seen.label is None
        return Prediction(answer.label, reason=seen.response)

    def identity(self) -> Mapping[str, Any]:
        return {}


class Noting(Backbone[Any]):
    capabilities = frozenset({"generates", "scores"})

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str | None]]] = []

    def identity(self) -> Mapping[str, Any]:
        return {}

    def look(self, batch: Sequence[Any]) -> Viewing:
        return Noted(self, batch)


@dataclass
class Noted(Viewing):
    backbone: Noting
    batch: Sequence[int]

    def generate(self, questions: Questions) -> Answers:
        return self.answers(questions, "generate")

    def score(self, questions: Questions) -> Answers:
        return self.answers(questions, "score")

    def answers(self, questions: Questions, decode: Decode) -> Answers:
        self.backbone.calls.append((decode, [q and q.prompt for q in questions]))
        return [q and self.answer(value, q, decode) for value, q in zip(self.batch, questions, strict=True)]

    def answer(self, value: int, question: Question, decode: Decode) -> Answer | SampleError:
        if value < 0:
            return SampleError("the server refuses this picture")
        if not question.options:
            return Answer("a raised brow")
        label = question.options[value]
        rest = log(0.1 / (len(question.options) - 1))
        scores = {option: log(0.9) if option == label else rest for option in question.options}
        return Answer(label, scores if decode == "score" else None)


def test_a_question_may_demand_scores_and_an_open_one_is_never_scored() -> None:
    backbone = Noting()
    outcomes = converse(backbone, Mixed(), [(0, Task(SPACE)), (1, Task(SPACE))])
    assert backbone.calls == [
        ("score", ["Which?", "Which?"]),
        ("generate", [None, "Sure?"]),
        ("score", ["Sure?", None]),
        ("generate", ["What do you see?"] * 2),
    ]
    assert [o.prediction for o in outcomes] == [Prediction(SPACE.names[i], reason="a raised brow") for i in (0, 1)]
    assert [[turn.answer.match for turn in o.turns] for o in outcomes] == [
        ["score", "score", None],
        ["score", "exact", None],
    ]
    converse(backbone, Mixed(), [(1, Task(SPACE))], "score")
    assert [decode for decode, _ in backbone.calls[4:]] == ["score", "score", "generate"]


def test_a_sample_that_cannot_be_asked_about_is_an_error_and_the_rest_goes_on() -> None:
    first, second = converse(Noting(), Mixed(), [(-1, Task(SPACE)), (2, Task(SPACE))])
    assert first.prediction == Prediction(None, "error", "the server refuses this picture")
    assert first.turns == []
    assert second.prediction is not None
    assert second.prediction.label == SPACE.names[2]


def test_a_rehearsal_hears_scores_where_the_strategy_rests_on_them() -> None:
    assert [q.prompt for q in rehearse(Mixed(), Task(SPACE))] == ["Which?", "Sure?", "What do you see?"]


OPEN = """
name: look-first
chat: continued
questions:
  - {name: seen, options: none, prompt: "What moves in this face?"}
  - {name: answer, decode: score, prompt: "You saw: {{ seen }} Which of {{ options | listed }}?"}
conclude: answer
"""


def test_a_prompt_file_may_ask_openly_and_demand_scores(tmp_path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(OPEN)
    backbone = Noting()
    (outcome,) = converse(backbone, read_prompt_file(file), [(3, Task(SPACE))])
    assert [decode for decode, _ in backbone.calls] == ["generate", "score"]
    assert backbone.calls[1][1][0].startswith("You saw: a raised brow Which of")
    assert outcome.prediction == Prediction(SPACE.names[3])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("conclude: answer", "conclude: seen"), "'seen' has no options"),
        (("decode: score", "decode: guess"), r"decode cannot be read(?s:.)*generate or score(?s:.)*'guess'"),
        (("options: none", "options: none, decode: score"), "'seen' has no options"),
    ],
)
def test_an_open_question_concludes_nothing_and_has_no_scores(tmp_path, wrong, told) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(OPEN.replace(*wrong))
    with pytest.raises(UserError, match=told):
        read_prompt_file(file)


def test_what_a_backbone_remembers_outlives_a_crash_and_goes_with_the_end(coabench, tmp_path) -> None:
    command = ("evaluate", "--backbone", "scripted", "--dataset", "drawn", "--output", "run", "--batch-size", "4")
    memory = tmp_path / "run" / "pending" / "asked"
    assert coabench(*command, SCRIPTED_MEMORY="1", SCRIPTED_DEFECT="1").returncode == 1
    assert memory.exists()
    assert coabench(*command, SCRIPTED_MEMORY="1").returncode == 0
    assert not memory.parent.exists()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "complete"
