"""``action-units`` and ``think-answer``: words before the answer, of which none is taken for it."""

import pytest

from coabench.dialogue import Message, Prediction, Task
from coabench.inference.engine import rehearse
from coabench.registry.catalog import find_dataset, open_strategy
from coabench.testing import play

BASIC, COMPOUND = (Task(find_dataset(f"synthface-{half}").card.space) for half in ("basic", "compound"))


def test_action_units_are_observed_interpreted_and_concluded_in_one_chat() -> None:
    said = ("AU 1, AU 2 and AU 5: raised brows, wide eyes.", "Fear and Surprise, not Anger.")
    asked, prediction = play(
        open_strategy("action-units")[0], COMPOUND, *said, "Both are there. The answer is Fearfully Surprised."
    )
    observed, interpreted, answer = asked
    assert observed.images == (0,)
    assert answer.messages == (
        Message("user", observed.prompt, (0,)),
        Message("assistant", said[0]),
        Message("user", interpreted.prompt),
        Message("assistant", said[1]),
        Message("user", answer.prompt),
    )
    assert not observed.options
    assert not interpreted.options
    assert answer.options == COMPOUND.labels
    assert prediction == Prediction("Fearfully Surprised")


def test_the_steps_fit_the_labels() -> None:
    steps = [rehearse(open_strategy("action-units")[0], task)[1].prompt for task in (BASIC, COMPOUND)]
    assert "mixture" not in steps[0]
    assert "mixture of two" in steps[1]


@pytest.mark.parametrize("name", ["action-units", "think-answer"])
@pytest.mark.parametrize(
    ("end", "label"),
    [
        ("It looks like Happily Surprised at first. The answer is Sadly Angry.", "Sadly Angry"),
        ("The brows are low, so not Sadly Fearful.\nThe answer is: **Sadly Angry**", "Sadly Angry"),
        ("The answer is Sadly Angry. But Fearfully Angry may be as good.", None),
        ("It is Sadly Angry or Sadly Fearful, with the mouth of Sadly Disgusted.", None),
    ],
)
def test_only_the_last_sentence_says_the_answer(name: str, end: str, label: str | None) -> None:
    before = ["AU 4.", "Anger."] if name == "action-units" else []
    _, prediction = play(open_strategy(name)[0], COMPOUND, *before, end)
    assert prediction == (Prediction(label) if label else Prediction.invalid("unparsed-answer"))


def test_thoughts_are_written_even_where_answers_are_scored() -> None:
    (question,) = rehearse(open_strategy("think-answer")[0], BASIC, "score")
    assert question.mode("score").name == "generate"
