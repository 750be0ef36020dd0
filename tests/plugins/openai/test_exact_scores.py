"""Scores of whole options, where a server tells the probabilities of a prompt's tokens."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.chat_server import ChatServer, hang_up, honest, likelihood, status, tells_prompts

from coabench.dialogue import Question
from coabench.errors import JobError, UserError
from coabench.labels import Choices

ALIKE = Choices(("Sadly Fearful", "Sadly Surprised", "Happily Surprised"))
SCORED = {"decode": "score", "strategy": "direct"}


def manifest(run: Path) -> Any:
    return json.loads((run / "run.json").read_text())


def facts(run: Path) -> Any:
    return manifest(run)["identity"]["backbone"]["facts"]


def test_a_score_is_the_sum_over_the_options_tokens_and_the_end_token(server: ChatServer, opened: Any) -> None:
    server.always = tells_prompts
    backbone, question = opened(), Question("Which emotion?", ALIKE)
    backbone.check((question,), "score")
    assert all(not request.images for request in server.requests)  # found out in words alone
    face = backbone.prepare([pytest.importorskip("PIL.Image").new("RGB", (30, 30), "red")])
    (answer,) = backbone.look([face]).score([question])
    assert list(answer.scores) == list(ALIKE)
    for option in ALIKE:
        first, second = option.split()
        expected = [likelihood(list(face), token) for token in (f"{first} ", second, "<|end|>")]
        assert answer.scores[option] == pytest.approx(math.fsum(expected))
    assert answer.response == max(answer.scores, key=answer.scores.__getitem__)
    # "<s>", "<|user|>", the image, "Which emotion?" and its end, "<|assistant|>": without what is scored
    assert (answer.prompt_tokens, answer.new_tokens) == (len(["s", "u", "i", "W", "e", "?", "e", "a"]), 0)


def test_compound_options_are_scored_and_the_identity_says_how(server: ChatServer, evaluate: Any, tmp_path: Path):
    server.always = tells_prompts
    records = evaluate(**SCORED)
    assert {record["status"] for record in records} == {"ok"}
    assert facts(tmp_path / "run")["scores"] == "exact"
    assert not [note for note in manifest(tmp_path / "run")["notes"] if "first token" in note]
    assert server.most <= 16
    (sent,) = {json.dumps({**r.body, "messages": 0}, sort_keys=True) for r in server.asked}
    assert json.loads(sent) == {
        "model": "my-vlm", "messages": 0, "temperature": 0, "seed": 0, "max_tokens": 1,
        "prompt_logprobs": 0, "add_generation_prompt": False, "continue_final_message": True,
    }  # fmt: skip
    assert {r.body["messages"][-1]["role"] for r in server.asked} == {"assistant"}


@pytest.mark.parametrize("without", [honest, status(400, {"message": "unknown field"})])
def test_first_tokens_are_the_fallback_and_say_so(
    without: Any, server: ChatServer, evaluate: Any, tmp_path: Path
) -> None:
    server.always = lambda handler, request: (without if "prompt_logprobs" in request.body else honest)(
        handler, request
    )
    evaluate("top-1", dataset="testing-basic")
    assert facts(tmp_path / "run")["scores"] == "first-token"
    (note,) = [note for note in manifest(tmp_path / "run")["notes"] if "first token" in note]
    assert "since the server tells no more: it " in note
    with pytest.raises(UserError, match=r"Sadly Surprised; the server tells no more(?s:.*)pair-scores"):
        evaluate(**SCORED, output="compound")
    with pytest.raises(JobError, match="tells no scores of whole options"):
        evaluate(**SCORED, output="compound", options={"scores": "exact"})
    assert not (tmp_path / "compound").exists()


def test_a_run_is_not_resumed_with_scores_of_the_other_kind(server: ChatServer, evaluate: Any) -> None:
    def goes_after_the_first_batch(handler: Any, request: Any) -> None:
        gone = len({r.images[0] for r in server.asked}) > 2
        (hang_up if gone and request.images else tells_prompts)(handler, request)

    server.always = goes_after_the_first_batch
    run = {"strategy": "top-1", "dataset": "testing-basic", "batch_size": 2}
    with pytest.raises(JobError):
        evaluate(**run, options={"retries": "0"})
    server.always = honest
    with pytest.raises(UserError, match=r"scores(?s:.*)first-token"):
        evaluate(**run)
    server.always = tells_prompts
    assert {record["status"] for record in evaluate(**run)} == {"ok"}


@pytest.mark.parametrize(
    ("template", "options", "ends"),
    [
        ({"end": " "}, {}, "<|stop|>"),  # the template writes none: what the model wrote
        ({"end": "<|a|><|b|>"}, {}, "<|a|>"),
        ({"end": " "}, {"end_token": "<eos>"}, "<eos>"),
        ({"end": " "}, {"end_token": "the end"}, "'the end' is no single token behind an answer"),
        ({"generation": "<|assistant|><think>"}, {}, "its chat template writes something else before an answer"),
    ],
)
def test_the_end_token_is_found_out(template: Any, options: Any, ends: str, server: ChatServer, opened: Any) -> None:
    server.always = partial(tells_prompts, **template)
    backbone, question = opened(**options), Question("Which emotion?", Choices(("Fear", "Anger")))
    backbone.check((question,), "score")
    if backbone.identity()["scores"] == "first-token":
        assert any(ends in note for note in backbone.details()["notes"])
        return
    backbone.look([backbone.prepare([pytest.importorskip("PIL.Image").new("RGB", (9, 9))])]).score([question])
    assert {r.body["messages"][-1]["content"] for r in server.asked} == {f"Fear{ends}", f"Anger{ends}"}
