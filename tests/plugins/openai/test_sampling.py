"""``--decode sample`` over HTTP: what is sent, how often, and what is asked again."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest
from support.chat_server import LABELS, Handler, Request, hang_up, says

from coabench.errors import JobError, UserError
from coabench.sampling import Sampling
from coabench.testing import tiny_run

SAMPLED = {"decode": "sample", "temperature": 0.6, "top_p": 0.8, "samples": 3}


def wavering(handler: Handler, request: Request) -> None:
    """Answer by image, prompt and seed: a server that keeps to the seed."""
    text = f"{request.images[-1:]}{request.prompt}{request.body.get('seed')}"
    says(LABELS[hashlib.sha256(text.encode()).digest()[0] % 7])(handler, request)


def test_every_answer_is_a_request_with_a_seed_of_its_own(server, evaluate) -> None:
    server.always = wavering
    records = evaluate("direct", **SAMPLED, dataset="testing-basic")
    assert len(server.asked) == 3 * len(records)
    bodies = [request.body for request in server.asked]
    assert {(body["temperature"], body["top_p"], body.get("n")) for body in bodies} == {(0.6, 0.8, None)}
    seeds = {body["seed"] for body in bodies}
    assert seeds == {Sampling().draw(0, r["id"], path, 0).seed % 2**31 for r in records for path in range(3)}
    assert len(seeds) == len(bodies)
    for record in records:
        votes = Counter(path["prediction"] for path in record["paths"])
        assert record["details"]["votes"] == votes
        assert record["details"]["confidence"] == max(votes.values()) / 3
    assert any(len(record["details"]["votes"]) > 1 for record in records)


def test_batches_and_a_seed_of_the_server_own(server, evaluate) -> None:
    server.always = wavering
    records = evaluate("direct", **SAMPLED)
    assert evaluate("direct", "one", **SAMPLED, batch_size=1) == records
    other = evaluate("direct", "other", **SAMPLED, options={"seed": "5"})
    assert [record["paths"] for record in other] != [record["paths"] for record in records]


def test_a_server_that_takes_no_seed_is_asked_as_often(server, evaluate) -> None:
    """Equal requests are one for greedy answers, and as many as there are draws for sampled ones."""
    records = evaluate("direct", **SAMPLED, options={"seed": "none"})
    assert len(server.asked) == 3 * len(records)
    assert not any("seed" in request.body for request in server.asked)


def test_what_cuts_nothing_is_not_sent(server, evaluate) -> None:
    evaluate("direct", decode="sample", samples=1)
    assert {(r.body["temperature"], r.body.get("top_p", "absent")) for r in server.asked} == {(0.7, "absent")}


def test_the_options_limit_sampled_answers_too(server, evaluate) -> None:
    server.always = wavering
    evaluate("direct", **SAMPLED, dataset="testing-basic", options={"constrain": "guided_choice"})
    assert all(sorted(request.body["guided_choice"]) == sorted(LABELS) for request in server.asked)


def test_a_resumed_run_asks_for_no_draw_twice(server, evaluate) -> None:
    server.then.extend([wavering] * 10)
    server.always = lambda handler, request: (wavering if request.trial else hang_up)(handler, request)
    with pytest.raises(JobError, match="has not answered"):
        evaluate("direct", **SAMPLED)
    answered = sum(server.answered.values())
    server.always = wavering
    records = evaluate("direct", **SAMPLED)
    assert 0 < answered < sum(server.answered.values()) == 3 * len(records)
    assert set(server.answered.values()) == {1}
    assert evaluate("direct", "whole", **SAMPLED) == records


def test_the_run_says_that_it_may_not_come_again(server, tmp_path) -> None:
    options = {"base_url": server.url}
    done = tiny_run(tmp_path / "run", strategy="direct", backbone="openai:my-vlm", options=options, **SAMPLED)
    assert any(
        "may ignore the seed of a request: asked again, it may answer otherwise" in n for n in done.manifest["notes"]
    )
    done = tiny_run(tmp_path / "greedy", strategy="direct", backbone="openai:my-vlm", options=options)
    assert not any("asked again" in note for note in done.manifest["notes"])


def test_sampling_without_a_temperature_is_refused(server, tmp_path) -> None:
    options = {"base_url": server.url, "greedy": "false"}
    with pytest.raises(UserError, match="greedy=false sends no temperature, which --decode sample needs"):
        tiny_run(tmp_path / "run", strategy="direct", backbone="openai:my-vlm", options=options, **SAMPLED)
    assert not server.requests
