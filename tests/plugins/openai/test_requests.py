"""What is sent: chats, images, options, keys; how often, and how many at once."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import signal
import threading
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from coabench_openai import client, event_loop
from PIL import Image, ImageChops
from support.chat_server import (
    ChatServer,
    by_image,
    half,
    hang_up,
    honest,
    label_for,
    says,
    slowly,
    status,
    torn,
    waits,
)
from support.process import interruptible, wait_for

from coabench.dialogue import Message, Question
from coabench.labels import Choices
from coabench.testing import draw_face
from coabench.testing.pictures import tiny_images

SEVEN = Choices(("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral"))
FIRST = Question("Which emotion?", SEVEN)
SLOW = slowly(10)


def seen(url: str) -> Image.Image:
    assert url.startswith("data:image/")
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2], validate=True)))


# -- one request ------------------------------------------------------------------------------------------------------


def test_a_chat_travels_whole_with_its_images_before_the_text_and_not_a_pixel_changed(server, opened) -> None:
    exemplar, query = draw_face("Anger", 1), draw_face("Fear", 2)
    said = (Message("user", "And this?", (0,)), Message("assistant", "Anger"))
    question = Question("Which emotion?", SEVEN, images=(1,), context=said)
    backbone = opened()
    (answer,) = backbone.look([backbone.prepare([exemplar, query])]).ask([question])
    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    body = request.body
    assert {name: body[name] for name in body if name != "messages"} == {
        "model": "my-vlm", "temperature": 0, "seed": 0, "max_tokens": 256,
    }  # fmt: skip
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][1]["content"] == "Anger"
    assert [part["type"] for part in body["messages"][0]["content"]] == ["image_url", "text"]
    for url, image in zip(request.images, (exemplar, query), strict=True):
        assert ImageChops.difference(seen(url), image).getbbox() is None
    assert answer.response == label_for(request)
    assert (answer.prompt_tokens, answer.cached_tokens, answer.new_tokens) == (210, 7, 2)
    assert answer.label is None
    assert "authorization" not in {name.lower() for name in request.headers}


def test_options_change_the_request(server, opened) -> None:
    backbone = opened(
        image_format="jpeg", max_side=20, detail="low", seed=None, greedy=False, max_tokens=9,
        length_field="max_completion_tokens",
    )  # fmt: skip
    backbone.look([backbone.prepare([Image.new("RGB", (60, 30), "red")])]).ask([FIRST])
    (request,) = server.requests
    assert set(request.body) == {"model", "messages", "max_completion_tokens"}
    assert request.body["messages"][0]["content"][0]["image_url"]["detail"] == "low"
    assert (seen(request.images[0]).format, seen(request.images[0]).size) == ("JPEG", (20, 10))


@pytest.mark.parametrize(
    ("dialect", "sent"),
    [
        ("structured_outputs", {"structured_outputs": {"choice": ["Fear", "Sadly (very) Angry"]}}),
        ("guided_choice", {"guided_choice": ["Fear", "Sadly (very) Angry"]}),
        ("regex", {"regex": r"(Fear|Sadly \(very\) Angry)"}),
        ("grammar", {"grammar": 'root ::= "Fear" | "Sadly (very) Angry"'}),
    ],
)
def test_an_answer_can_be_limited_to_the_options_in_a_dialect(dialect: str, sent: Any, server, opened) -> None:
    backbone = opened(constrain=dialect)
    limited, free = Question("Which?", Choices(("Fear", "Sadly (very) Angry"))), Question("What do you see?", Choices())
    server.always = says("Fear")
    backbone.look([backbone.prepare([draw_face("Fear")])] * 2).ask([limited, free])
    first, second = sorted(server.requests, key=lambda request: request.prompt, reverse=True)
    assert {name: first.body[name] for name in sent} == sent
    assert not set(sent) & set(second.body)


def test_a_schema_wraps_the_answer_and_the_log_has_what_was_wrapped(server, evaluate) -> None:
    server.always = says('{"answer": "Fear"}')
    assert {r["turns"][0]["response"] for r in evaluate("direct", dataset="testing-basic", options={
        "constrain": "json_schema"})} == {"Fear"}  # fmt: skip
    form = server.requests[0].body["response_format"]
    assert form["json_schema"]["schema"]["properties"]["answer"]["enum"] == list(SEVEN)


# -- many requests ----------------------------------------------------------------------------------------------------


def test_the_questions_of_a_batch_are_asked_at_once_up_to_a_limit(server, opened) -> None:
    backbone, faces = opened(concurrency=3), tiny_images(7)
    server.always = slowly(0.05)
    batch = [backbone.prepare([face]) for face in faces]
    answers = backbone.look(batch).ask([FIRST] * 7)
    assert server.most == 3
    by_picture = {request.images[0]: label_for(request) for request in server.requests}
    assert [answer.response for answer in answers] == [by_picture[images[0]] for images in batch]


def test_the_same_request_is_sent_once(server, opened) -> None:
    backbone = opened()
    prepared = backbone.prepare([draw_face("Fear")])
    one, nothing, other = backbone.look([prepared] * 3).ask([FIRST, None, FIRST])
    assert nothing is None
    assert one == other
    assert len(server.requests) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "trouble",
    [
        [hang_up],
        [torn],
        [half],
        [SLOW],
        [says("", message={"content": 7})],
        [status(500, "Internal Server Error", "text/plain"), status(503, {"message": "loading"})],
        [status(code, {"message": "wait"}) for code in (408, 409)],
        [status(425), status(429)],
        [status(502, "<html><title>Bad Gateway</title></html>", "text/html")],
        [status(200, {"message": "upstream", "code": 502})],
        [lambda handler, request: handler.reply(200, '{"choices": []}')],
    ],
)
def test_what_may_pass_is_tried_again_and_changes_nothing(trouble: Any, server, evaluate) -> None:
    server.then.extend(trouble)
    marred = evaluate(options={"timeout": "5"} if SLOW in trouble else {})
    assert len(server.asked) == len({request.key for request in server.asked}) + len(trouble)
    with ChatServer() as other:
        assert marred == evaluate(output="other", options={"base_url": other.url})


@pytest.mark.parametrize(("said", "least", "most"), [("0.3", 0.3, 3), ("date", 0.2, 5), ("-5", 0, 1), ("soon", 0, 1)])
def test_the_server_says_how_long_to_wait(said: str, least: float, most: float, server, opened, monkeypatch) -> None:
    waited: list[float] = []
    whole = client.asyncio.wait_for

    async def note(awaitable: Any, seconds: float) -> Any:
        waited.append(seconds)
        return await whole(awaitable, min(seconds, 0.01))

    monkeypatch.setattr(client.asyncio, "wait_for", note)
    monkeypatch.setattr(client.time, "time", lambda: 1_000_000.0)
    after = formatdate(1_000_003, usegmt=True) if said == "date" else said
    server.then.append(status(429, {"message": "slow down"}, retry_after=after))
    backbone = opened()
    (answer,) = backbone.look([backbone.prepare([draw_face("Fear")])]).ask([FIRST])
    assert answer.response in SEVEN
    (seconds,) = waited
    assert seconds == pytest.approx(3) if said == "date" else least <= seconds <= most


def test_no_server_can_make_us_wait_for_hours(server, opened, monkeypatch) -> None:
    monkeypatch.setattr(client, "LONGEST_WAIT", 0.01)
    server.then.extend([status(503, retry_after="86400"), status(503, retry_after="inf")])
    backbone = opened()
    (answer,) = backbone.look([backbone.prepare([draw_face("Fear")])]).ask([FIRST])
    assert answer.response in SEVEN


# -- the key ----------------------------------------------------------------------------------------------------------


def test_the_key_is_sent_and_stands_nowhere(server, evaluate, tmp_path: Path, monkeypatch, capsys) -> None:
    key = "sk-secret-0123456789"
    monkeypatch.setenv("MY_KEY", key)
    server.then.append(says(f"You sent {key}"))
    server.trials.append(status(503, {"message": f"busy, {key}"}))
    evaluate(options={"key_variable": "MY_KEY"})
    assert all(request.headers["Authorization"] == f"Bearer {key}" for request in server.requests)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert (tmp_path / "run" / "run.json") in files
    assert not [file for file in files if key.encode() in file.read_bytes()]
    assert key not in "".join(capsys.readouterr())
    assert "You sent [key]" in (tmp_path / "run" / "predictions.jsonl").read_text()


def test_a_proxy_in_the_environment_gets_nothing(server, evaluate, monkeypatch) -> None:
    with ChatServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "")
        evaluate()
        assert not proxy.requests


# -- one sample -------------------------------------------------------------------------------------------------------


def test_what_concerns_one_sample_is_told_of_that_sample(server, opened) -> None:
    backbone, faces = opened(), tiny_images(5)
    batch = [backbone.prepare([face]) for face in faces]
    troubles = {
        0: status(400, {"message": "cannot read this image"}),
        1: says(None, finish_reason="content_filter"),
        2: status(500, "boom", "text/plain"),
        3: says(None, finish_reason="length"),
    }

    def behave(handler: Any, request: Any) -> None:
        place = next((i for i, images in enumerate(batch) if images[0] in request.images), None)
        troubles.get(place, honest)(handler, request)

    server.always = behave
    backbone.load()
    refused, filtered, failing, cut, fine = backbone.look(batch).ask([FIRST] * 5)
    assert "refuses this sample: status 400: cannot read this image" in str(refused)
    assert "content filter" in str(filtered)
    assert "fails over this sample: status 500: boom, 3 times" in str(failing)
    assert "raise --set max_tokens" in str(cut)
    assert fine.response in SEVEN


@pytest.mark.parametrize(
    ("reply", "response"),
    [
        (says(None, message={"refusal": "I cannot judge faces."}), "I cannot judge faces."),
        (says("", message={"content": None}), ""),
        (says("Fear and", finish_reason="length"), "Fear and"),
        (says("", message={"content": [{"type": "text", "text": "Fe"}, {"type": "text", "text": "ar"}]}), "Fear"),
        (says("\x1b[2J Fear\u202e"), "\x1b[2J Fear\u202e"),
    ],
)
def test_what_the_model_said_is_an_answer_whatever_it_is(reply: Any, response: str, server, evaluate) -> None:
    server.then.append(reply)
    told = [turn["response"] for record in evaluate("direct", batch_size=1) for turn in record["turns"]]
    assert told[0] == response


def test_a_refused_sample_is_a_record_and_the_run_goes_on(server, evaluate) -> None:
    marked: list[str] = []
    server.then.append(lambda handler, request: (marked.extend(request.images), honest(handler, request)))
    whole = evaluate("direct", "first", batch_size=1)
    server.always = by_image(marked, status(422, {"message": "too small"}))
    left = evaluate("direct", "second", batch_size=1)
    assert left[0]["status"] == "error"
    assert "too small" in left[0]["reason"]
    assert left[1:] == whole[1:]


def test_ctrl_c_ends_the_waiting_at_once(server, opened, monkeypatch) -> None:
    reached, release = threading.Event(), threading.Event()
    server.always = waits(reached, release)
    backbone = opened(timeout=60.0)
    viewing = backbone.look([backbone.prepare([draw_face("Fear")])])

    def interrupt() -> None:
        reached.wait(120)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with interruptible(), pytest.raises(KeyboardInterrupt):
        viewing.ask([FIRST])
    assert server.now == 1  # and not because an answer came
    wait_for(lambda: not asyncio.all_tasks(event_loop._loop()))  # nothing is waited for any more
    release.set()
