"""Scores from first tokens: what they are, what they are not, and where there are none."""

from __future__ import annotations

import math
from typing import Any

import pytest
from coabench_openai.scores import first_token_scores
from support.chat_server import ChatServer, likelihoods, says

from coabench.errors import JobError, SampleError
from coabench.labels import Choices

SEVEN = Choices(("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral"))


def scores(tokens: dict[str, float], options: Choices = SEVEN) -> dict[str, float]:
    found = first_token_scores(options, [(token, math.log(p)) for token, p in tokens.items()])
    assert list(found) == list(options)
    assert math.fsum(map(math.exp, found.values())) <= 1 + 1e-9
    return {option: math.exp(score) for option, score in found.items()}


def test_a_score_adds_up_the_tokens_that_begin_one_option_alone() -> None:
    tokens = {"Sur": 0.5, " Surprise": 0.1, "surp": 0.05, "Fear\n": 0.1, "Happy": 0.1, "The": 0.05, "'": 0.02}
    found = scores(tokens)
    assert found["Surprise"] == pytest.approx(0.65)
    assert found["Fear"] == pytest.approx(0.1)
    left = 1 - sum(tokens.values())  # "Happy" begins no "Happiness"
    assert {round(found[o], 9) for o in ("Disgust", "Happiness", "Sadness")} == {round(min(0.02, left / 5), 9)}


def test_what_no_token_begins_never_beats_what_one_does_and_is_finite() -> None:
    found = first_token_scores(SEVEN, [("Fear", 0.0), ("Ang", -9999.0)])
    assert found["Fear"] == 0
    assert found["Anger"] == found["Sadness"] == -100
    assert scores({"Fear": 0.3, "Anger": 0.3, "x": 0.0001})["Sadness"] == pytest.approx(0.0001)


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        ({"S": 0.5, "Fear": 0.4}, "do not tell the options apart: 0.50"),
        ({"The": 0.9, "<think>": 0.05}, r"begins with none of the options; the likeliest first tokens are 'The'"),
    ],
)
def test_a_sample_whose_first_tokens_say_nothing_has_no_scores(tokens: dict[str, float], told: str) -> None:
    with pytest.raises(SampleError, match=told):
        scores(tokens)


def test_little_on_shared_beginnings_does_no_harm() -> None:
    assert scores({"Sad": 0.5, "Sur": 0.3, "S": 0.009})["Sadness"] == pytest.approx(0.5)


def test_a_scored_run_asks_for_one_token_and_labels_by_the_best(server: ChatServer, evaluate: Any) -> None:
    records = evaluate("pair-scores", options={"top_logprobs": "9", "scores": "first-token"})
    bodies = [request.body for request in server.requests]
    assert {(body["max_tokens"], body["logprobs"], body["top_logprobs"]) for body in bodies} == {(1, True, 9)}
    turn = records[0]["turns"][0]
    assert turn["response"] == turn["label"] == max(turn["scores"], key=turn["scores"].__getitem__)
    assert turn["match"] == "score"
    assert math.exp(turn["scores"][turn["label"]]) == pytest.approx(0.8)


def test_a_sample_without_scores_is_a_record(server: ChatServer, evaluate: Any) -> None:
    server.then.append(likelihoods({"Well": 0.9, ",": 0.05}))
    first, *rest = evaluate("top-1", dataset="testing-basic", batch_size=1)
    assert first["status"] == "error"
    assert "begins with none of the options" in first["reason"]
    assert {record["status"] for record in rest} == {"ok"}


@pytest.mark.parametrize("logprobs", [None, {"content": []}, {"content": [{"token": "Fear", "logprob": 0.0}]}])
def test_a_server_without_log_probabilities_is_called_so(logprobs: Any, server: ChatServer, evaluate: Any) -> None:
    server.always = says("Fear", logprobs=logprobs)
    with pytest.raises(JobError, match=r"no log-probabilities(?s:.*)--decode generate"):
        evaluate("top-1", dataset="testing-basic")
    assert all(request.trial for request in server.requests)


@pytest.mark.parametrize("dialect", ["guided_choice", "json_schema"])
def test_a_server_that_does_not_keep_to_a_constraint_is_called_so(
    dialect: str, server: ChatServer, evaluate: Any
) -> None:
    server.always = says("A happy face.")
    with pytest.raises(JobError, match=rf"does not keep to constrain={dialect}(?s:.*)'A happy face.'"):
        evaluate(options={"constrain": dialect})
    assert all(request.trial for request in server.requests)
    server.trials.append(says("Fear" if dialect == "guided_choice" else '{"answer": "Fear"}'))
    server.always = says(None, message={"refusal": "I will not."})  # a refusal breaks no constraint
    refused = evaluate("direct", dataset="testing-basic", options={"constrain": dialect, "check_images": "false"})
    assert {(record["status"], record["turns"][0]["response"]) for record in refused} == {("invalid", "I will not.")}
