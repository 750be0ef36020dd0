"""``rank``: which responses are lists, and what a list means."""

import pytest

from coabench.dialogue import Prediction, Task
from coabench.registry.catalog import find_dataset, open_strategy
from coabench.testing import play

BASIC, COMPOUND = (Task(find_dataset(f"synthface-{half}").card.space) for half in ("basic", "compound"))
WHOLE = ["Fear", "Surprise", "Anger", "Sadness", "Disgust", "Neutral", "Happiness"]


def rank(task: Task, response: str) -> Prediction:
    (asked,), prediction = play(open_strategy("rank")[0], task, response)
    assert not asked.options  # an open question: no parser of labels touches the list
    assert "Surprise, Fear, Disgust, Happiness, Sadness, Anger, and Neutral" in asked.prompt
    return prediction


@pytest.mark.parametrize(
    "response",
    [
        "\n".join(f"{i}. {e}" for i, e in enumerate(WHOLE, 1)),
        "\n".join(f"{i}) **{e}**" for i, e in enumerate(WHOLE, 1)),
        "\n\n".join(f"- {e.lower()}" for e in WHOLE),
        ", ".join(WHOLE) + ".",
        " > ".join(WHOLE),
        "1. fearful, 2. surprised, 3. angry, 4. sad, 5. disgusted, 6. neutral, and 7. happy",
    ],
)
def test_a_list_of_emotions_in_any_usual_writing(response: str) -> None:
    assert rank(COMPOUND, response) == Prediction("Fearfully Surprised", details={"rank": WHOLE})
    assert rank(BASIC, response) == Prediction("Fear", details={"rank": WHOLE})


@pytest.mark.parametrize(
    "response",
    [
        "",
        "I cannot tell.",
        "Fear, then a lot of nothing, Surprise",
        "This face shows fear, surprise, anger",  # the first item is a sentence
        "1. Fear (80 %)\n2. Surprise (20 %)",
        "Fear, Surprise, Fear",
        "Here is the list:\n1. Fear\n2. Surprise",
        "1. Fear\n2. Surpr",  # cut off in the middle of a word
        "not Fear, Surprise",
        "Fear and Surprise",
        "Fear, , Surprise",
    ],
)
def test_anything_else_is_no_list(response: str) -> None:
    assert rank(COMPOUND, response) == Prediction.invalid("unparsed-rank")


@pytest.mark.parametrize(
    ("response", "label", "reason"),
    [
        ("Neutral, Anger, Sadness", "Sadly Angry", None),
        ("Anger, Neutral, Sadness", "Sadly Angry", None),
        ("Fear, Disgust, Surprise", None, "no-class"),
        ("Fear, Neutral", None, "short-rank"),
        ("Fear", None, "short-rank"),
    ],
)
def test_the_first_two_but_neutral_make_the_pair(response: str, label: str | None, reason: str | None) -> None:
    prediction = rank(COMPOUND, response)
    assert (prediction.label, prediction.reason) == (label, reason)
    assert prediction.details["rank"] == response.split(", ")


def test_on_basic_labels_neutral_counts_like_any_other() -> None:
    assert rank(BASIC, "Neutral, Fear").label == "Neutral"
