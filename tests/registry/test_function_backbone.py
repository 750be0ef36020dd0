"""A function from Python as a backbone: it is asked, and what it refers to is part of the run's identity."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import coabench
from coabench.testing.pictures import draw_face

DATA = [(draw_face(label, person), label) for person in range(2) for label in ("Happiness", "Sadness")]
ANSWER = "Happiness"
HELD = object()


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def evaluated(function: Any, **more: Any) -> Any:
    return coabench.evaluate(backbone=function, dataset=DATA, labels="raf-db-basic", strategy="direct", **more)


def test_a_function_answers_about_each_image() -> None:
    seen = []

    def always(image: Image.Image, question: str) -> str:
        seen.append((image.size, question))
        return "joy"  # another spelling is read as ever

    run = evaluated(always, output="out")
    assert list(coabench.load_records(run.directory)["prediction"]) == 4 * ["Happiness"]
    assert run.metrics["war"] == 0.5
    assert len(seen) == 4
    assert seen[0][0] == (48, 48)
    assert "Surprise" in seen[0][1]
    assert run.manifest["sessions"][0]["command"][3] == "<always, from Python>"
    (said,) = coabench.predict(DATA[0][0], backbone=always, strategy="direct", labels="raf-db-basic", faces="none")
    assert said.label == "Happiness"


def test_a_function_of_several_is_asked_in_batches() -> None:
    sizes = []

    def many(images: Any, questions: Any) -> list[str]:
        sizes.append((len(images), len(questions)))
        return ["Anger"] * len(images)

    assert evaluated(many, batch_size=3).metrics["war"] == 0
    assert sizes == [(3, 3), (1, 1)]


def test_it_sees_the_exemplars_as_often_as_it_is_asked(tmp_path: Path) -> None:
    """In the order of the strategy, the picture in question last, and whole, whatever the function drew on them."""
    for split in ("train", "test"):
        for (picture, label), shade in zip(DATA, (10, 20, 30, 40), strict=True):
            (tmp_path / "drawn" / split / label).mkdir(parents=True, exist_ok=True)
            picture.point([shade] * 768).save(tmp_path / "drawn" / split / label / f"{shade}.png")
    seen = []

    def paints(images: Any, questions: Any) -> list[str]:
        shown = images.pop()
        seen.append([image.getpixel((0, 0))[0] for image in shown])
        for image in shown:
            image.paste((0, 0, 0), (0, 0, 48, 48))
        return ["Anger"]

    more = {"options": {"k": "2"}, "batch_size": 1, "output": "out"}
    coabench.evaluate(backbone=paints, dataset="drawn", strategy="few-shot", **more)
    assert [shades.pop() for shades in seen] == [10, 30, 20, 40]
    assert {frozenset(shades) for shades in seen} == {frozenset(seen[0])}
    assert len(seen[0]) == 2
    assert 0 not in seen[0]


def named(code: str) -> Callable[..., str]:
    space: dict[str, Any] = {"__name__": "notebook", "ANSWER": ANSWER}
    exec(code, space)
    function: Callable[..., str] = space["answer"]
    return function


def test_an_edited_function_is_another_run() -> None:
    codes = [
        "def answer(image, question): return 'Happiness'",
        "def answer(image, question): return 'Sadness'",
        "def answer(image, question): return ANSWER",
        "def help(): return 'Fear'\ndef answer(image, question): return help()",
        "def help(): return 'Anger'\ndef answer(image, question): return help()",
        "def answer(image, question, said='Fear'): return said",
        "def made(said):\n    return lambda image, question: said\nanswer = made('Fear')",
        "def made(said):\n    return lambda image, question: said\nanswer = made('Anger')",
        "import math\ndef answer(image, question): return 'Fear' if math.pi else ''",
    ]
    runs = [evaluated(named(code)).directory for code in codes]
    assert len(set(runs)) == len(codes)
    assert [evaluated(named(code)).directory for code in codes] == runs


def test_what_may_change_unseen_is_never_continued() -> None:
    def uses(image: Any, question: str) -> str:
        return "Fear" if HELD else ""

    first, second = evaluated(uses), evaluated(uses)
    assert first.directory != second.directory
    assert any("uses 'HELD', a object" in note for note in first.manifest["notes"])


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda image, question: None, "returned no text"),
        (lambda images, questions: ["Fear"], "returned no answers"),
        (lambda images, questions: "Fear", "returned no answers"),
    ],
)
def test_a_function_that_fails_ends_the_job_in_words(function: Any, words: str) -> None:
    with pytest.raises(coabench.JobError, match=words):
        evaluated(function)


def test_where_a_function_raises_the_sample_has_an_error_record() -> None:
    def answer(image: Image.Image, question: str) -> str:
        return "happy!" if image == DATA[0][0] else {"a": "b"}[question[:1]]

    def answers(images: list[Image.Image], questions: list[str]) -> list[str]:
        return [answer(*each) for each in zip(images, questions, strict=True)]

    for function in (answer, answers):
        run = evaluated(function, output=function.__name__)
        assert list(run.records["status"]) == ["ok", "error", "error", "error"]
        assert re.match(r"KeyError: 'S' \(line \d+ of test_function_backbone.py: return ", run.records["reason"][1])
        assert f"the function {function.__name__} failed 3 times, first with KeyError" in run.manifest["notes"][-1]
        assert repr(run).endswith("0 invalid, 3 errors>")


def test_one_that_ends_the_process_has_failed_as_any_other() -> None:
    def leaves(image: Image.Image, question: str) -> str:
        sys.exit()

    assert list(evaluated(leaves, output="out").records["status"]) == ["error"] * 4


@pytest.mark.parametrize("wrong", [5, lambda image: "Fear", int, None])
def test_what_is_no_backbone_is_refused(wrong: Any, tmp_path: Path) -> None:
    with pytest.raises(coabench.UserError, match="does not fit"):
        evaluated(wrong)
    with pytest.raises(coabench.UserError, match="cannot answer"):
        evaluated(lambda image, question: "Fear", decode="score")
    assert list(tmp_path.iterdir()) == []
