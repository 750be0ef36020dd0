"""A generator function, or a class, as a strategy: it is asked, and its code is part of the run's identity."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import coabench
from coabench.dialogue import Prediction, Question
from coabench.strategy import Strategy
from coabench.testing.pictures import draw_face

DATA = [(draw_face(label, person), label) for person in range(2) for label in ("Happiness", "Sadness")]
HELD = object()


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def joyful(image: Any, question: str) -> str:
    return "joy"


def evaluated(strategy: Any, **more: Any) -> Any:
    return coabench.evaluate(backbone=joyful, dataset=DATA, labels="raf-db-basic", strategy=strategy, **more)


def twice(task: Any) -> Any:
    first = yield Question("Which of these?", options=task.labels, name="first")
    second = yield Question(f"Is it {first.label}?", options=task.labels, name="second")
    return second.label


def test_a_function_asks_and_concludes() -> None:
    run = evaluated(twice, output="out")
    assert run.metrics["war"] == 0.5
    assert list(coabench.load_records(run.directory)["prediction"]) == 4 * ["Happiness"]
    assert run.manifest["identity"]["strategy"]["name"] == "twice"
    assert len(run.manifest["identity"]["strategy"]["code"]) == 64
    command = run.manifest["sessions"][0]["command"]
    assert command[command.index("--strategy") + 1] == "<twice, from Python>"
    (said,) = coabench.predict(DATA[0][0], backbone=joyful, strategy=twice, labels="raf-db-basic", faces="none")
    assert said.label == "Happiness"


def test_a_partial_function_has_no_name_of_its_own() -> None:
    run = evaluated(partial(asked, "Which?"))
    assert run.manifest["identity"]["strategy"]["name"] == "partial"


def asked(text: str, task: Any) -> Any:
    answer = yield Question(text, options=task.labels)
    return answer.label


def named(code: str, name: str = "ask", **known: Any) -> Callable[..., Any]:
    space: dict[str, Any] = {"__name__": "notebook", "Question": Question, **known}
    exec(code, space)
    function: Callable[..., Any] = space[name]
    return function


def test_an_edited_function_is_another_run() -> None:
    codes = [
        "def ask(task):\n    a = yield Question('Which?', options=task.labels)\n    return a.label",
        "def ask(task):\n    a = yield Question('Which one?', options=task.labels)\n    return a.label",
        "TEXT = 'Which?'\ndef ask(task):\n    a = yield Question(TEXT, options=task.labels)\n    return a.label",
        "TEXT = 'And?'\ndef ask(task):\n    a = yield Question(TEXT, options=task.labels)\n    return a.label",
    ]
    runs = [evaluated(named(code)).directory for code in codes]
    assert len(set(runs)) == len(codes)
    assert [evaluated(named(code)).directory for code in codes] == runs


def test_what_may_change_unseen_is_never_continued() -> None:
    def uses(task: Any) -> Any:
        answer = yield Question(f"Which? {HELD and 1}", options=task.labels)
        return answer.label

    first, second = evaluated(uses), evaluated(uses)
    assert first.directory != second.directory
    assert any("the strategy uses 'HELD', a object" in note for note in first.manifest["notes"])


def returning(value: Any) -> Callable[..., Any]:
    def ask(task: Any) -> Any:
        yield Question("Which?", options=task.labels)
        return value

    return ask


@pytest.mark.parametrize(
    ("value", "label", "invalid"),
    [("sad", "Sadness", 0), (Prediction("Fear"), "Fear", 0), (None, None, 4)],
)
def test_what_a_function_may_return(value: Any, label: str | None, invalid: int) -> None:
    run = evaluated(returning(value))
    assert run.metrics["invalid"] == invalid
    assert [each or None for each in coabench.load_records(run.directory)["prediction"].fillna("")] == 4 * [label]


def crashes(task: Any) -> Any:
    yield Question("Which?", options=task.labels)
    raise KeyError("lost")


def yields_text(task: Any) -> Any:
    yield "Which?"


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (crashes, "strategy crashes failed(?s:.*)KeyError"),
        (yields_text, "yielded no question(?s:.*)coabench.dialogue.Question(?s:.*)'Which\\?'"),
        (returning("bliss"), "returned no label(?s:.*)'bliss'"),
        (returning(3), "returned no label(?s:.*)Surprise"),
    ],
)
def test_a_function_that_fails_ends_the_job_in_words(function: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(coabench.JobError, match=words):
        evaluated(function)
    assert list(tmp_path.iterdir()) == []  # it is rehearsed before anything is written


class Plain(Strategy):
    name = "plain"

    def converse(self, task: Any) -> Any:
        answer = yield Question("Which?", options=task.labels)
        return Prediction(answer.label)

    def identity(self) -> dict[str, Any]:
        return {}


class Demanding(Plain):
    def __init__(self, one: int, two: int) -> None:
        pass


def test_a_class_is_made() -> None:
    assert evaluated(Plain).manifest["identity"] == evaluated(Plain()).manifest["identity"]


def test_an_edited_class_is_another_run_whatever_its_identity_says() -> None:
    code = """class Asks(Plain):
    def converse(self, task):
        return Prediction((yield Question('{}', options=task.labels)).label)"""
    made = [
        named(code.format(text), "Asks", Plain=Plain, Prediction=Prediction) for text in ("Which?", "Which?", "What?")
    ]
    runs = [evaluated(each, output=f"{number}").manifest["identity"] for number, each in enumerate(made)]
    assert runs[0] == runs[1] != runs[2]
    told = made[0]()
    told.text = "Which?"
    assert evaluated(told, output="told").manifest["identity"] != runs[0]


def test_an_object_that_is_called_is_a_strategy_with_its_state() -> None:
    code = "class Asks:\n    def __call__(self, task):\n        a = yield Question(self.text, options=task.labels)"
    codes = []
    for text in ("Which?", "What?"):
        asks = named(code, "Asks")()
        asks.text = text
        codes.append(evaluated(asks, output=text[:-1]).manifest["identity"]["strategy"]["code"])
    assert codes[0] != codes[1]


@pytest.mark.parametrize("wrong", [5, lambda task: "Fear", lambda: (yield), int, None, Demanding])
def test_what_is_no_strategy_is_refused(wrong: Any, tmp_path: Path) -> None:
    with pytest.raises(coabench.UserError, match="does not fit"):
        evaluated(wrong)
    assert list(tmp_path.iterdir()) == []


TEXT = "name: mine\nquestions:\n- name: a\n  prompt: Which of {{ options }}?\n  options: labels\n"


def test_the_text_of_a_prompt_file_is_the_strategy_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(TEXT)
    run = evaluated(TEXT, output="out")
    assert run.manifest["identity"] == evaluated("other.yaml", output="out").manifest["identity"]
    unnamed = evaluated(TEXT.partition("\n")[2])
    assert unnamed.manifest["identity"]["strategy"]["name"] == "prompt-text"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: b\n\tc: d", "text of the strategy is not valid YAML\n  found: line 2: "),
        ("a\nb", "text of the strategy holds no fields"),
        (TEXT + "  prompts: x\n", r"text of the strategy: questions\[0\]: unknown field 'prompts'"),
        (TEXT + "schema: 9\n", "schema 9 is unknown"),
        (TEXT.replace("labels", "label"), "options"),
    ],
)
def test_mistakes_in_a_text_are_named(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(coabench.UserError, match=words):
        evaluated(text)
    assert list(tmp_path.iterdir()) == []
