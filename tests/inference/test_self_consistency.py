"""The vote among sampled dialogues, counted by hand."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any

import pytest

from coabench.base.shipped import path
from coabench.dialogue import Answer, Prediction, Question, Task, Turn
from coabench.inference.engine import Outcome
from coabench.inference.promptfile_reader import read_prompt_file
from coabench.inference.self_consistency import hold_and_vote, vote
from coabench.registry.catalog import find_strategy
from coabench.sampling import Sampling
from coabench.testing import BASIC, COMPOUND, ScriptedBackbone

UNREAD, REPEATED = Prediction.invalid("unparsed-answer"), Prediction.invalid("repeated")
REFUSED = Prediction(None, "error", "the server refuses it")


def paths(*ends: str | Prediction) -> list[Outcome]:
    made = [Prediction(end) if isinstance(end, str) else end for end in ends]
    return [Outcome([Turn(Question(str(i), BASIC.basic), Answer(""))], end) for i, end in enumerate(made)]


@pytest.mark.parametrize(
    ("ends", "label", "first", "agreement", "votes"),
    [
        (["Fear", "Fear"], "Fear", 0, 1, {"Fear": 2}),
        (["Anger", "Fear", "Fear", "Anger", "Fear"], "Fear", 1, 3 / 5, {"Fear": 3, "Anger": 2}),
        ([UNREAD, UNREAD, UNREAD, "Fear"], "Fear", 3, 1 / 4, {"Fear": 1}),  # no label is no label to vote for
        ([REFUSED, "Fear"], "Fear", 1, 1 / 2, {"Fear": 1}),
    ],
)
def test_the_label_that_most_paths_conclude_wins(
    ends: list[Any], label: str, first: int, agreement: float, votes: dict[str, int]
) -> None:
    outcome = vote(paths(*ends))
    assert outcome.prediction is not None
    details = outcome.prediction.details
    assert (outcome.prediction.label, outcome.prediction.status) == (label, "ok")
    assert (details["votes"], list(details["votes"])) == (votes, list(votes))
    assert details["agreement"] == details["confidence"] == agreement
    assert (details["samples"], details["unlabelled"]) == (len(ends), len(ends) - sum(votes.values()))
    assert (details["path"], outcome.turns[0].question.prompt) == (first, str(first))
    assert "tied" not in details
    assert len(outcome.paths) == len(ends)


def test_one_path_agrees_with_itself_and_has_no_confidence() -> None:
    outcome = vote(paths("Fear"))
    assert outcome.prediction is not None
    assert outcome.prediction.label == "Fear"
    assert outcome.prediction.details["agreement"] == 1
    assert "confidence" not in outcome.prediction.details


def test_of_equals_the_one_concluded_first_wins_and_the_record_says_so() -> None:
    outcome = vote(paths(UNREAD, "Sadness", "Fear", "Anger", "Fear", "Sadness"))
    assert outcome.prediction is not None
    assert outcome.prediction.label == "Sadness"
    assert outcome.prediction.details["tied"] == ["Fear"]
    assert outcome.prediction.details["confidence"] == 2 / 6


def test_without_any_label_the_most_frequent_reason_stands_and_there_is_no_confidence() -> None:
    outcome = vote(paths(UNREAD, REPEATED, REFUSED, REPEATED))
    assert outcome.prediction is not None
    assert (outcome.prediction.label, outcome.prediction.status) == (None, "invalid")
    assert outcome.prediction.reason == "repeated"
    assert outcome.prediction.details["path"] == 1
    assert not {"confidence", "agreement"} & outcome.prediction.details.keys()
    assert vote(paths(REPEATED, UNREAD)).prediction.reason == "repeated"  # type: ignore[union-attr]
    assert vote(paths(REFUSED, REFUSED)).prediction.status == "error"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("ends", "entropy"),
    [
        (["Fear"] * 4, 0.0),
        (["Fear", "Anger"] * 2, log(2)),
        (["Fear", "Anger", "Sadness", UNREAD], log(4)),
        (["Fear", "Fear", "Fear", "Anger"], 0.75 * log(4 / 3) + 0.25 * log(4)),
        ([UNREAD, REPEATED], 0.0),
    ],
)
def test_the_entropy_of_the_votes_is_in_nats(ends: list[Any], entropy: float) -> None:
    outcome = vote(paths(*ends))
    assert outcome.prediction is not None
    assert outcome.prediction.details["entropy"] == pytest.approx(entropy, abs=1e-6)


def test_the_conclusion_of_a_chain_is_voted_and_not_its_answers() -> None:
    """Two dialogues reach one label by either way round, and outvote two that agree on the first answer alone."""
    said = {
        0: ("Happiness", "Surprise"), 1: ("Fear", "Sadness"), 2: ("Surprise", "Happiness"), 3: ("Fear", "Anger"),
    }  # fmt: skip
    seeds = {Sampling().draw(7, "one", path, turn).seed: (path, turn) for path in range(4) for turn in range(2)}

    def say(question: Question) -> str:
        path, turn = seeds[question.draw.seed]
        assert question.name == ("primary", "secondary")[turn]
        return said[path][turn]

    backbone, strategy = ScriptedBackbone(say), find_strategy("chain-of-affect").open()
    [outcome] = hold_and_vote(backbone.look([None]), strategy, [Task(COMPOUND)], ["one"], Sampling(samples=4), 7)
    assert outcome.prediction is not None
    assert outcome.prediction.label == "Happily Surprised"
    assert outcome.prediction.details["confidence"] == 0.5
    assert [turn.answer.label for turn in outcome.turns] == ["Happiness", "Surprise"]
    assert backbone.looked == 1
    assert (len(backbone.asked), backbone.calls) == (8, 8)


def test_draws_depend_on_the_sample_and_not_on_its_place() -> None:
    def say(question: Question) -> str:
        return question.options[question.draw.seed % len(question.options)]

    def ask(ids: Sequence[str]) -> dict[str, Any]:
        viewing, tasks = ScriptedBackbone(say).look([None] * len(ids)), [Task(BASIC)] * len(ids)
        strategy = read_prompt_file(path("prompts", "direct.yaml"))
        outcomes = hold_and_vote(viewing, strategy, tasks, ids, Sampling(samples=5), 0)
        return {
            id: [turn.answer.label for path in o.paths for turn in path.turns]
            for id, o in zip(ids, outcomes, strict=True)
        }

    together = ask(["a", "b", "c"])
    assert {**ask(["c", "a"]), **ask(["b"])} == together
    assert together["a"] != together["b"]
    assert len({*together["a"]}) > 1
