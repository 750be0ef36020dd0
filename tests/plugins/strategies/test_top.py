"""``top-1`` and ``top-2-pair``: what scores of basic emotions mean."""

from math import log

import pytest

from coabench.dialogue import Answer, Prediction, Task
from coabench.errors import UserError
from coabench.registry.catalog import find_dataset, open_strategy
from coabench.testing import play

BASIC, COMPOUND = (Task(find_dataset(f"synthface-{half}").card.space) for half in ("basic", "compound"))


def scored(**favours: float) -> Answer:
    return Answer("", {emotion: log(favours.get(emotion, 0.01)) for emotion in BASIC.basic})


def test_the_best_basic_emotion_is_the_label() -> None:
    (asked,), prediction = play(open_strategy("top-1")[0], BASIC, scored(Neutral=0.5, Fear=0.4))
    assert asked.decode == "score"
    assert prediction == Prediction("Neutral")


@pytest.mark.parametrize(
    ("favours", "plain", "known"),
    [
        ({"Fear": 0.6, "Surprise": 0.2}, ("Fearfully Surprised", None), "Fearfully Surprised"),
        ({"Neutral": 0.7, "Anger": 0.1, "Sadness": 0.05}, ("Sadly Angry", None), "Sadly Angry"),
        ({"Fear": 0.5, "Disgust": 0.3, "Anger": 0.1}, (None, "no-class"), "Fearfully Angry"),  # 0.05 beats 0.03
        ({"Fear": 0.4, "Disgust": 0.4, "Sadness": 0.1}, (None, "no-class"), "Sadly Fearful"),  # listed before
    ],
)
def test_the_best_two_but_neutral_make_the_pair(
    favours: dict[str, float], plain: tuple[str | None, str | None], known: str
) -> None:
    _, prediction = play(open_strategy("top-2-pair")[0], COMPOUND, scored(**favours))
    assert (prediction.label, prediction.reason) == plain
    assert prediction.details["pair"] == [e for e in favours if e != "Neutral"][:2]
    _, prediction = play(open_strategy("top-2-pair:known")[0], COMPOUND, scored(**favours))
    assert prediction.label == known


@pytest.mark.parametrize(
    ("name", "task", "remedy"), [("top-1", COMPOUND, "top-2-pair"), ("top-2-pair", BASIC, "top-1")]
)
def test_labels_that_no_answer_can_be_are_refused_before_anything_is_asked(name: str, task: Task, remedy: str) -> None:
    with pytest.raises(UserError, match=f"take --strategy {remedy}"):
        play(open_strategy(name)[0], task)


def test_the_variants_have_different_identities() -> None:
    plain, known = (open_strategy(f"top-2-pair:{variant}")[0].identity() for variant in ("plain", "known"))
    assert plain != known
