"""Label spaces are data, checked when they are read."""

from typing import Annotated, Any

import pytest

from coabench.base import shipped
from coabench.base.schema import At, Read, read_value
from coabench.dataset import Card
from coabench.dialogue import Task
from coabench.errors import UserError
from coabench.labels import Choices, LabelSpace, complete


def read_labels(labels: dict[str, Any]) -> LabelSpace:
    space: LabelSpace = read_value(Annotated[LabelSpace, Read(complete)], labels, At("card.yaml", path="labels"))
    return space


@pytest.fixture(scope="module")
def compound() -> LabelSpace:
    return Card.read(shipped.path("datasets_registry", "raf-db-compound.yaml")).space


def test_pairs_have_names_in_either_order(compound: LabelSpace) -> None:
    assert compound.name_of("Happiness", "Surprise") == "Happily Surprised"
    assert compound.name_of("Surprise", "Happiness") == "Happily Surprised"
    assert compound.name_of("Happiness", "Sadness") is None
    assert compound.from_code(11) == "Disgustedly Surprised"


def test_options_keep_their_order(compound: LabelSpace) -> None:
    assert compound.basic - "Fear" == ("Surprise", "Disgust", "Happiness", "Sadness", "Anger", "Neutral")
    assert compound.basic - ["Fear", "Neutral", "unheard of"] == Choices(
        ("Surprise", "Disgust", "Happiness", "Sadness", "Anger")
    )


@pytest.mark.parametrize(
    ("primary", "secondary", "label", "reason"),
    [
        ("Anger", "Disgust", "Angrily Disgusted", None),
        ("Anger", "Anger", None, "repeated"),
        ("Neutral", "Anger", None, "neutral-first"),
        ("Anger", "Neutral", None, "neutral-second"),
        ("Happiness", "Sadness", None, "no-class"),
    ],
)
def test_pair_problems_are_told_apart(
    compound: LabelSpace, primary: str, secondary: str, label: str | None, reason: str | None
) -> None:
    prediction = Task(compound).combine(primary, secondary)
    assert (prediction.label, prediction.reason) == (label, reason)
    assert prediction.status == ("ok" if label else "invalid")


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({"classes": [{"name": "A"}]}, "fewer than two"),
        ({"classes": [{"name": "A"}, {"name": "A"}]}, "stands twice"),
        ({"classes": [{"name": "A", "code": 1}, {"name": "B", "code": 1}]}, "stands twice"),
        (
            {"classes": [{"name": "A", "pair": ["X", "X"]}, {"name": "B"}]},
            r"classes\[0\].pair cannot be read(?s:.)*every entry once",
        ),
        ({"classes": [{"name": "A", "pair": ["Joy", "Feer"]}, {"name": "B"}], "basic": ["Joy", "Fear"]}, "Fear"),
        ({"classes": [{"name": "A"}, {"name": "B"}], "colour": "red"}, "colour"),
        ({"classes": ["A", "B"]}, "cannot be read"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(labels: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        read_labels(labels)


def test_aliases_of_a_card_count() -> None:
    space = read_labels({"classes": [{"name": "Up", "aliases": ["Above"]}, {"name": "Down"}]})
    assert space.spellings(space.names)["above"] == "Up"
