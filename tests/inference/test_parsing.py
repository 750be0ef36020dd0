"""A response becomes a label only when it says so."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coabench.base import shipped
from coabench.dataset import Card
from coabench.inference.parsing import parse
from coabench.labels import fold


def spellings(name: str, recognised: str = "names") -> dict[str, str]:
    space = Card.read(shipped.path("datasets_registry", f"{name}.yaml")).space
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


@pytest.mark.parametrize(
    ("response", "label", "match"),
    [
        ("The answer is Happiness.", "Happiness", "anchored"),
        ("1. Happiness", "Happiness", "listed"),
        ("(b) 'Fear'.", "Fear", "listed"),
        ("- Surprised", "Surprise", "listed"),
        ("Happiness, because the corners of the mouth are not down.", "Happiness", "because"),
        ("**Sad** since the brows are drawn up", "Sadness", "because"),
        ("2) Fear, because the eyes are wide", "Fear", "because"),
        ("Happiness - the mouth is open", "Happiness", "explained"),
        ("Happiness \u2013 the mouth is open", "Happiness", "explained"),
        ("Happiness, with raised cheeks", "Happiness", "explained"),
        ("Happiness (raised cheeks)", "Happiness", "explained"),
        ("Happiness.\n\nExplanation: the cheeks are raised.", "Happiness", "explained"),
    ],
)
def test_the_lenient_parser_reads_a_label_that_opens_the_response(response: str, label: str, match: str) -> None:
    assert parse(response, BASIC, "lenient") == (label, match)
    if match != "anchored":
        assert parse(response, BASIC, "standard") == (None, None)


@pytest.mark.parametrize(
    "response",
    [
        "Happiness is not what I see",
        "not happy",
        "- not happy",
        "Happiness or Sadness",
        "It is either Fear, or Surprise",
        "Happiness, Sadness",
        "Happiness/Sadness, because of the mouth",
        "1. Happiness\n2. Sadness",
        "a) Fear or b) Anger",
        "Happiness, because the face shows no sadness",
        "Happiness, because the mouth is open. Actually, I am unsure.",
        "Happiness - not really",
        "Happiness, but weak at best",
        "Happiness. I do not know.",
        "Happiness. The opposite of sorrow.",
        "Happiness? No, because the mouth is closed",
        "Happiness, isn't it obvious",
        "Happiness, right? I guess",
        "Happiness: 20 %",
        "Fear: none at all",
        "Fear - low",
        "Fear (20 percent)",
        "Happiness-like features",
        "Happy face",
        "Happiness because",
        "Because of the mouth, happiness",
        "The mouth is open, so happiness",
        "The person looks happy, because of the smile",
        "Surprise, Fear, Disgust, Happiness, Sadness, Anger, or Neutral",
        "What I see is Happiness, because the mouth is open",
    ],
)
def test_the_lenient_parser_never_guesses(response: str) -> None:
    assert parse(response, BASIC, "lenient") == (None, None)


@pytest.mark.parametrize(
    ("response", "label"),
    [
        ("Happily Surprised, because the mouth is open", "Happily Surprised"),
        ("Happiness and Surprise - the mouth is open", "Happily Surprised"),
        ("Happily Surprised. Happily Disgusted would be next", None),
        ("Happiness, because the mouth is open", None),
    ],
)
def test_the_lenient_parser_on_compound_labels(response: str, label: str | None) -> None:
    assert parse(response, COMPOUND, "lenient").label == label


PIECES = ["not", "or", "and", "but", "because", "since", "the", "is", "a", "1.", "(b)", "-", "–", ",", ".", ":", ";"]
WORDS = st.sampled_from([*BASIC, *PIECES, "?", "!", "(", ")", "\n", "%", "7"])
RESPONSES = st.one_of(st.lists(WORDS, max_size=12).map(" ".join), st.lists(WORDS, max_size=12).map("".join), st.text())


@settings(deadline=None, derandomize=True)
@given(RESPONSES)
def test_a_lenient_label_opens_the_response_and_stands_alone(response: str) -> None:
    parsed = parse(response, BASIC, "lenient")
    strict = parse(response, BASIC, "standard")
    if strict.label is not None:
        assert parsed == strict
    elif parsed.label is not None:
        spelling = re.sub(r"^\W*(?:(?:\d{1,2}|[a-z])[.)]\s+)?\W*", "", fold(response))
        assert any(spelling.startswith(each) for each, name in BASIC.items() if name == parsed.label)
        others = [each for each, name in BASIC.items() if name != parsed.label]
        assert not any(re.search(rf"\b{re.escape(each)}\b", fold(response)) for each in others)


JOINTS = st.sampled_from([" or ", " and ", "/", ", ", " nor ", ". ", "\n", " - "])
TAILS = st.sampled_from(["", ", because I see it", " - that is all there is"])
LABELS = st.sampled_from(sorted(BASIC))


@settings(deadline=None, derandomize=True)
@given(LABELS, JOINTS, LABELS, TAILS)
def test_two_labels_are_no_answer(one: str, joint: str, other: str, tail: str) -> None:
    if BASIC[one] != BASIC[other]:
        assert parse(one + joint + other + tail, BASIC, "lenient").label is None
