"""``pair-scores``: the formula, against sums written out."""

import math
from collections.abc import Iterable

import pytest

from coabench.dialogue import Answer, Task
from coabench.inference.engine import training_turns
from coabench.registry.catalog import find_dataset, open_strategy
from coabench.testing import play

BASIC, COMPOUND = (Task(find_dataset(f"synthface-{half}").card.space) for half in ("basic", "compound"))
FELT = [emotion for emotion in COMPOUND.basic if emotion != "Neutral"]


def weighed(emotions: Iterable[str], favours: dict[str, float]) -> Answer:
    """Return scores as of a model that also thinks of answers off the list: they sum to less than 1."""
    return Answer("", {emotion: math.log(0.5 * favours.get(emotion, 0.01)) for emotion in emotions})


def answers(first: dict[str, float], second: dict[str, dict[str, float]]) -> list[Answer]:
    asked = [weighed(COMPOUND.basic, first)]
    return asked + [weighed(COMPOUND.basic - emotion, second.get(emotion, {})) for emotion in FELT]


def written_out(given: list[Answer]) -> dict[str, float]:
    first, *rest = ({o: math.exp(s) for o, s in (answer.scores or {}).items()} for answer in given)
    second = dict(zip(FELT, rest, strict=True))
    return {
        name: first[a] / sum(first.values()) * second[a][b] / sum(second[a].values())
        + first[b] / sum(first.values()) * second[b][a] / sum(second[b].values())
        for name in COMPOUND.labels
        for a, b in [COMPOUND.space.pair_of(name) or ("", "")]
    }


def test_both_ways_to_a_pair_count() -> None:
    # The best first answer is Happiness, which goes on to Surprise half of the time. Fear and Anger are each less
    # likely to be named first, but lead to one another almost always.
    first = {"Happiness": 0.36, "Fear": 0.3, "Anger": 0.3}
    second = {
        "Happiness": {"Surprise": 0.5, "Disgust": 0.5},
        "Fear": {"Anger": 0.9},
        "Anger": {"Fear": 0.9},
    }
    given = answers(first, second)
    asked, prediction = play(open_strategy("pair-scores")[0], COMPOUND, *given)
    assert prediction.label == "Fearfully Angry"
    expected = written_out(given)
    told = prediction.details["log_probabilities"]
    assert list(told) == list(COMPOUND.labels)
    assert {name: math.exp(value) for name, value in told.items()} == pytest.approx(expected, rel=1e-5)
    assert prediction.details["confidence"] == pytest.approx(expected["Fearfully Angry"], rel=1e-5)
    assert sum(map(math.exp, told.values())) < 1  # what goes to Neutral and to pairs without a class is not handed out
    assert all(question.decode == "score" for question in asked)


def test_it_asks_the_questions_of_chain_of_affect() -> None:
    asked, _ = play(open_strategy("pair-scores")[0], COMPOUND, *answers({}, {}))
    for emotion, question in zip(FELT, asked[1:], strict=True):
        chain, _ = play(open_strategy("chain-of-affect")[0], COMPOUND, emotion, "Neutral")
        assert [asked[0].prompt, question.prompt] == [q.prompt for q in chain]
        assert question.options == chain[1].options
    names = [question.name for question in asked]
    assert len(set(names)) == 7
    assert not {"primary", "secondary"} & set(names)  # the diagnostics of a chain do not apply


def test_impossible_options_and_ties_do_no_harm() -> None:
    never = [Answer("", dict.fromkeys(COMPOUND.basic, -math.inf))]
    never += [Answer("", dict.fromkeys(COMPOUND.basic - emotion, -math.inf)) for emotion in FELT]
    _, prediction = play(open_strategy("pair-scores")[0], COMPOUND, *never)
    assert prediction.label == COMPOUND.labels[0]
    assert math.isfinite(prediction.details["confidence"])


def test_on_basic_labels_the_first_question_is_enough() -> None:
    _, prediction = play(open_strategy("pair-scores")[0], BASIC, weighed(BASIC.basic, {"Disgust": 0.4}))
    assert prediction.label == "Disgust"


def test_its_second_questions_teach_nothing() -> None:
    strategy = open_strategy("pair-scores")[0]
    assert training_turns(strategy, COMPOUND, "Sadly Angry") == []
    assert [turn.question.name for turn in training_turns(strategy, BASIC, "Anger")] == ["first"]
