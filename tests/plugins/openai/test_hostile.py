"""Servers that mean harm, or are broken: nothing of the key is kept or shown, and nothing takes memory or time."""

from __future__ import annotations

import base64
import gzip
import json
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from coabench_openai import client
from support.chat_server import ChatServer, Handler, Request, completion, honest, says, status
from support.process import Run
from support.runs import manifest

from coabench.dialogue import Question
from coabench.errors import JobError, SampleError, UserError
from coabench.labels import Choices
from coabench.runs.run import PENDING
from coabench.testing import draw_face

KEY = "sk-a/b+c=0123456789~xyz"
FORMS = {
    "plain": KEY,
    "percent": quote(KEY, safe=""),
    "lower": quote(KEY, safe="").lower(),
    "base64": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    "inner": json.dumps(KEY).replace("/", "\\/").replace("+", "\\u002b"),
}
HUGE = 2**26


def escaped(data: Any) -> str:
    """JSON in which the characters of a key are escaped."""
    return json.dumps(data).replace("/", "\\/").replace("+", "\\u002b").replace("sk-", "\\u0073k-")


def sends(text: str, code: int = 200, **headers: str) -> Callable[[Handler, Request], None]:
    return lambda handler, _: handler.reply(code, text, **headers)


def replies(change: Callable[[dict[str, Any]], None]) -> Callable[[Handler, Request], None]:
    """Answer with a completion that was changed."""

    def behave(handler: Handler, request: Request) -> None:
        data = completion(request, "Fear")
        change(data)
        handler.reply(200, escaped(data))

    return behave


def by_trial(bad: Callable[[Handler, Request], None]) -> Callable[[Handler, Request], None]:
    """Misbehave where it is about a sample."""
    return lambda handler, request: (honest if request.trial else bad)(handler, request)


@pytest.fixture
def keyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def holds_key(text: str) -> list[str]:
    return [name for name, form in FORMS.items() if form in text or json.dumps(form)[1:-1] in text]


# -- the key ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.usefixtures("keyed")
def test_no_answer_name_or_error_holds_the_key(
    form: str, server: ChatServer, evaluate: Any, tmp_path: Path, capsys: Any
) -> None:
    text = FORMS[form]

    def change(data: dict[str, Any]) -> None:
        data["model"] = f"my-vlm of {text}"
        data["choices"][0]["message"]["content"] = [{"text": f"You sent {text[:7]}"}, {"text": text[7:]}]

    server.always = replies(change)
    server.then.append(sends(escaped({"error": {"message": f"rejected: {text}"}}), 400))
    evaluate("direct", batch_size=1)
    files = {file: file.read_text("utf-8") for file in (tmp_path / "run").rglob("*") if file.is_file()}
    assert not [(file, found) for file, content in files.items() if (found := holds_key(content))]
    assert "rejected: " in files[tmp_path / "run" / "predictions.jsonl"]
    assert files[tmp_path / "run" / "predictions.jsonl"].count("[key]") == 8
    assert not holds_key("".join(capsys.readouterr()))
    assert manifest(tmp_path / "run")["sessions"][0]["backbone"]["served"].startswith("my-vlm of ")


@pytest.mark.parametrize(
    "answer",
    [
        lambda text: status(307, location=f"https://elsewhere.example/{text}?key={text}"),
        lambda text: sends(escaped({"error": f"no: {text}"}), 401),
        lambda text: sends(escaped({"detail": [{"loc": [text], text: 1}]}), 404),
        lambda text: sends(escaped({"error": {"message": text, "code": 404}})),
        lambda text: sends(f"<html><title>{text}</title>", 200),
        lambda text: sends(f"{text} is no JSON"),
        lambda text: sends(escaped(text)),
        lambda text: sends("", 200, Content_Encoding=f"x-{text}"),
        lambda text: lambda handler, _: handler.wfile.write(f"HTTP/1.1 2000 {text}\r\n\r\n".encode()),
        lambda text: lambda handler, _: handler.wfile.write(f"HTTP/1.1 200 OK\r\n{text} \t: x\r\n\r\n".encode()),
    ],
)
@pytest.mark.usefixtures("keyed")
def test_no_message_of_a_failure_holds_the_key(answer: Any, server: ChatServer, evaluate: Any) -> None:
    server.always = answer(" ".join(FORMS.values()))
    with pytest.raises(JobError) as caught:
        evaluate(options={"retries": "0"})
    assert not holds_key(str(caught.value))


@pytest.mark.usefixtures("keyed")
def test_no_token_of_a_scored_answer_holds_the_key(server: ChatServer, evaluate: Any, tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        likeliest = [{"token": KEY, "logprob": -0.1}]
        data["choices"][0]["logprobs"] = {"content": [{"top_logprobs": likeliest}]}

    server.always = replies(change)
    records = evaluate("top-1", dataset="testing-basic", options={"retries": "0"})
    assert "first tokens are '[key]'" in records[0]["reason"]


def test_a_log_of_another_version_is_cleared_as_it_is_read(
    server: ChatServer, evaluate: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(server, evaluate)
    pending = tmp_path / "run" / PENDING / "openai.jsonl"
    lines = [json.loads(line) for line in pending.read_text().splitlines() if line]
    pending.write_text("".join(json.dumps({**line, "response": f"Fear {KEY}"}) + "\n" for line in lines))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    evaluate("direct", batch_size=8)
    text = (tmp_path / "run" / "predictions.jsonl").read_text()
    assert "Fear [key]" in text
    assert not holds_key(text)


@pytest.mark.parametrize("key", ["sk-1234\u00a0567", "sk-1234 567", "sk-1234\n567", "sk-1234\u043a567", "sk-1234\x7f"])
def test_a_key_that_no_header_can_hold_is_refused_by_the_name_of_its_variable(
    key: str, server: ChatServer, evaluate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(UserError, match="the environment variable MY_KEY cannot be sent") as caught:
        evaluate(options={"key_variable": "MY_KEY"})
    assert key[:7] not in str(caught.value)
    assert not server.requests


@pytest.mark.parametrize("where", ["backbone", "server", "base_url", "ca_file"])
@pytest.mark.usefixtures("keyed")
def test_a_key_in_an_option_is_refused_in_any_form(where: str, server: ChatServer, evaluate: Any) -> None:
    for form in ("percent", "base64"):
        value = f"{server.url}/{FORMS[form]}" if where == "base_url" else FORMS[form]
        given = {"backbone": f"openai:{value}"} if where == "backbone" else {"options": {where: value}}
        with pytest.raises(UserError) as caught:
            evaluate(**given)
        assert where == "ca_file" or "holds the key" in str(caught.value)
        assert not holds_key(str(caught.value))


# -- replies ----------------------------------------------------------------------------------------------------------


def chained(times: int) -> Callable[[Handler, Request], None]:
    data = bytes(HUGE)
    for _ in range(times):
        data = gzip.compress(data)
    return lambda handler, _: handler.reply(200, data, Content_Encoding=", ".join(["gzip"] * times))


def endless(handler: Handler, _: Request) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for _ in range(HUGE // 2**16):
        handler.wfile.write(b"10000\r\n" + b" " * 2**16 + b"\r\n")


def headers(handler: Handler, _: Request) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for i in range(HUGE // 2**10):
        handler.wfile.write(b"X-%d: %s\r\n" % (i, b"x" * 1000))


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (chained(1), "compressed, unasked: gzip"),
        (chained(3), "compressed, unasked: gzip, gzip, gzip"),
        (endless, "a reply of more than 4194304 bytes"),
        (headers, "has not answered"),
        (sends("[" * 100_000), r"no JSON: \[\["),
        (sends('{"choices": ' * 500), "no JSON"),
        (sends("9" * 5000), "no JSON: 999"),
        (sends("\ufeff{}"), "no JSON"),
        (sends("<html>" + "<title>" * 100_000), "an HTML page"),
        (sends(" " * 2**21), "no JSON: nothing"),
        (sends("x" * 2**21, 418), "status 418: xxx"),
        (sends("", 307, Location="http://[::1"), "has not answered|another address"),
        (sends("", 307, Location="https://u:p@h.example/?token=1"), "found: https://…@h.example/\\?token=…"),
    ],
)
def test_a_reply_that_is_none_ends_in_words_and_takes_no_memory(
    answer: Any, problem: str, server: ChatServer, evaluate: Any
) -> None:
    server.always = answer
    tracemalloc.start()
    try:
        with pytest.raises(JobError, match=problem) as caught:
            evaluate(options={"retries": "0"})
        assert tracemalloc.get_traced_memory()[1] < HUGE  # of server and client
    finally:
        tracemalloc.stop()
    assert len(str(caught.value)) < 2000


def test_replies_are_asked_for_as_they_are(server: ChatServer, evaluate: Any) -> None:
    evaluate("direct")
    assert {request.headers["Accept-Encoding"] for request in server.requests} == {"identity"}


@pytest.mark.parametrize(
    ("logprobs", "problem"),
    [
        ([("Fear", 0.5)], "0.5, which is no log-probability"),
        ([("Fear", float("nan"))], "NaN, which is no log-probability"),
        ([("Fear", True)], "true, which is no log-probability"),
        ([("Fear", "-0.5")], "no log-probability"),
        ([("Fear", 10**400)], "no log-probability"),
        ([(7, -0.5)], "of the token 7"),
        ([("Fear", -0.1), ("Fear", -0.1)], "add up to 1.81"),
    ],
)
def test_log_probabilities_that_are_none_are_no_answer(
    logprobs: Any, problem: str, server: ChatServer, evaluate: Any
) -> None:
    listed = [{"token": token, "logprob": value} for token, value in logprobs]
    bad = says("Fear", logprobs={"content": [{"top_logprobs": listed}]})
    server.always = by_trial(bad)
    records = evaluate("top-1", dataset="testing-basic", options={"retries": "0"})
    assert {record["status"] for record in records} == {"error"}
    assert problem in records[0]["reason"]


def test_tokens_that_cannot_be_are_the_others_rest(server: ChatServer, evaluate: Any) -> None:
    listed = [("Fear", -0.1), ("Ang", -(10**400)), ("Sad", float("-inf")), ("Fear", -3)]
    content = [{"top_logprobs": [{"token": token, "logprob": value} for token, value in listed]}]
    server.always = says("Fear", logprobs={"content": content})
    records = evaluate("top-1", dataset="testing-basic", options={"check_images": "false"})
    assert {record["turns"][0]["label"] for record in records} == {"Fear"}


@pytest.mark.parametrize("count", [-1, True, "12", 10**300, 1.5, None, [], float("inf")])
def test_counts_of_tokens_that_are_none_are_unknown(count: Any, server: ChatServer, evaluate: Any) -> None:
    def change(data: dict[str, Any]) -> None:
        data["usage"] = {"prompt_tokens": count, "completion_tokens": count, "prompt_tokens_details": count}

    server.always = replies(change)
    turns = [turn for record in evaluate("direct") for turn in record["turns"]]
    assert {(turn["prompt_tokens"], turn["new_tokens"]) for turn in turns} == {(0, 0)}


def test_a_name_is_cut_and_no_text_breaks_a_record(server: ChatServer, evaluate: Any, tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        data["model"] = "my-vlm\x1b[2J" + "m" * 2**21
        data["choices"][0]["message"]["content"] = "Fear \ud800"
        data["choices"][0]["finish_reason"] = ["stop"]

    server.always = replies(change)
    records = evaluate("direct")
    assert {record["turns"][0]["response"] for record in records} == {"Fear \ud800"}
    served = manifest(tmp_path / "run")["sessions"][0]["backbone"]["served"]
    assert served.startswith("my-vlm\\x1b[2Jmmm")
    assert len(served) <= 300


@pytest.mark.parametrize("field", ["choices", "message", "content", "model", "usage", "logprobs", "refusal", "error"])
def test_wrong_types_are_an_answer_a_failed_sample_or_words(field: str, server: ChatServer, opened: Any) -> None:
    def bad(value: Any) -> Callable[[Handler, Request], None]:
        def change(data: dict[str, Any]) -> None:
            choice = data["choices"][0]
            owners = {"message": choice, "logprobs": choice, "content": choice["message"], "refusal": choice["message"]}
            owners.get(field, data)[field] = value

        return by_trial(replies(change))

    backbone = opened(retries=0)
    viewing = backbone.look([backbone.prepare([draw_face("Fear")])])
    for value in (None, 0, -1.5, True, "x", [], [None], {}, {"x": [1]}):
        server.always = bad(value)
        for ask in (viewing.generate, viewing.score):
            with suppress(JobError):
                (answer,) = ask([Question("Which emotion?", Choices(("Fear", "Anger")))])
                assert isinstance(answer, SampleError) or isinstance(answer.response, str)


# -- waiting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "after",
    ["NaN", "-1", "1e999", "9" * 400, "-inf", "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 -0000", "x"],
)
def test_a_storm_of_refusals_is_waited_out_so_often_and_no_longer(
    after: str, server: ChatServer, evaluate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LONGEST_WAIT", 0.01)
    server.always = status(429, {"message": "slow down"}, retry_after=after)
    with pytest.raises(JobError, match=r"sent 4 times(?s:.*)slow down"):
        evaluate(options={"retries": "3"})
    assert len(server.requests) == 4


def test_a_long_wait_is_told(
    server: ChatServer, evaluate: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(client, "NOTABLE_WAIT", 0.01)
    server.then.extend([status(429, {"message": "slow down"}, retry_after="0.02")] * 2)
    evaluate("direct", batch_size=1)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == f"{server.url}: waiting for 0 s (repetition 1 of 2) after status 429: slow down"


# -- the replies on disk ----------------------------------------------------------------------------------------------


def stopped(server: ChatServer, evaluate: Any, **rest: Any) -> None:
    """Leave a run with three replies that are in no record yet."""
    server.then.extend([honest] * 3)
    server.always = by_trial(status(401))
    with pytest.raises(JobError):
        evaluate("direct", batch_size=8, options={"concurrency": "1"}, **rest)
    server.always = honest


@pytest.mark.parametrize(
    "damage",
    [
        {"response": 7}, {"tokens": [1, 2]}, {"tokens": "123"}, {"tokens": [0, 0, -1.5]}, {"scores": {"Fear": 0.0}},
        {"scores": [1]}, {"served": 5}, {"key": []}, {"error": {}}, {"more": 1},
        {"response": None}, {"tokens": [0, 0, -1]},
    ],
)  # fmt: skip
def test_a_damaged_reply_is_asked_again(damage: Any, server: ChatServer, evaluate: Any, tmp_path: Path) -> None:
    stopped(server, evaluate)
    pending = tmp_path / "run" / PENDING / "openai.jsonl"
    lines = [json.loads(line) for line in pending.read_text().splitlines() if line]
    assert len(lines) == 3
    pending.write_text("".join(json.dumps(line | damage) + "\n" for line in lines))
    asked = len(server.asked)
    resumed = evaluate("direct", batch_size=8)
    assert len(server.asked) - asked == 8
    assert resumed == evaluate("direct", "whole", batch_size=8)


def test_replies_that_cannot_be_read_end_the_run_in_words(server: ChatServer, evaluate: Any, tmp_path: Path) -> None:
    stopped(server, evaluate)
    pending = tmp_path / "run" / PENDING / "openai.jsonl"
    pending.unlink()
    pending.mkdir()
    with pytest.raises(JobError, match=r"openai\.jsonl cannot be read(?s:.*)remove it"):
        evaluate("direct", batch_size=8)


@pytest.mark.usefixtures("keyed")
def test_the_command_line_shows_no_key(server: ChatServer, coabench: Run, tmp_path: Path) -> None:
    server.always = sends(escaped({"error": {"message": f"no {KEY}"}}), 401)
    base = ["evaluate", "--backbone", "openai:my-vlm", "--limit", "1", "--output", "run", "--set"]
    for command in ([*base, f"base_url={server.url}"], ["--debug", *base, f"base_url={server.url}"]):
        failed = coabench(*command)
        assert failed.returncode == 1
        assert "no [key]" in failed.stderr
        assert not holds_key(failed.stderr + failed.stdout)
