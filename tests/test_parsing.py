"""A response becomes a label only when it says so."""

import pytest

from coabench import resources
from coabench.dataset import Card
from coabench.parsing import parse


def spellings(name: str, recognised: str = "names") -> dict[str, str]:
    space = Card.read(resources.path("datasets_registry", f"{name}.yaml")).space
    return space.spellings(getattr(space, recognised))


BASIC = spellings("raf-db-basic")
COMPOUND = spellings("raf-db-compound")


@pytest.mark.parametrize(
    ("response", "label", "match"),
    [
        ("Happiness", "Happiness", "exact"),
        ("Happiness \n", "Happiness", "exact"),
        ("happiness", "Happiness", "folded"),
        ("'Happiness'.", "Happiness", "folded"),
        ("**Happiness**", "Happiness", "folded"),
        ("Happy", "Happiness", "synonym"),
        ("fearful.", "Fear", "synonym"),
        ("The answer is Happiness.", "Happiness", "anchored"),
        ("The primary emotion is: surprised", "Surprise", "anchored"),
        ("Brows are raised. So the answer is 'Fear'.", "Fear", "anchored"),
        ("I think hard.\nAnswer: sad", "Sadness", "anchored"),
    ],
)
def test_what_is_understood(response: str, label: str, match: str) -> None:
    assert parse(response, BASIC) == (label, match)


@pytest.mark.parametrize(
    "response",
    [
        "",
        " ",
        "not happy",
        "The answer is not happy.",
        "The person is not happy but surprised",
        "Happiness or Sadness",
        "Happiness, Surprise",
        "The answer is Happiness or Anger.",
        "The answer is Happiness. Or perhaps not.",
        "unhappiness",
        "I cannot tell",
        "1",
    ],
)
def test_what_is_invalid(response: str) -> None:
    assert parse(response, BASIC) == (None, None)


@pytest.mark.parametrize(
    ("response", "label"),
    [
        ("Happily Surprised", "Happily Surprised"),
        ("happily  surprised", "Happily Surprised"),
        ("Surprise and Happiness", "Happily Surprised"),
        ("Happiness+Surprise", "Happily Surprised"),
        ("Happiness and Sadness", None),
        ("Surprised", None),
    ],
)
def test_compound_labels_and_pairs(response: str, label: str | None) -> None:
    assert parse(response, COMPOUND).label == label


def test_the_exact_parser_knows_no_synonyms() -> None:
    assert parse("happy", BASIC, "exact").label is None
    assert parse("happiness", BASIC, "exact") == ("Happiness", "folded")
