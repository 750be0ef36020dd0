"""What is wrong before anything is sent, and what ends a run: told in words, nothing lost."""

from __future__ import annotations

import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
from coabench_openai.address import Address
from coabench_openai.backbone import Server
from support.chat_server import ChatServer, half, hang_up, honest, label_for, page, says, slowly, status

from coabench.backbone import BackboneRequest
from coabench.errors import JobError, UserError

SLOW = slowly(10)
SECRET = "sk-abcdefghijklmnop123456"


# -- before anything is sent ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"backbone": "openai"}, "needs the name of a model"),
        ({"options": {"base_url": "none"}}, r"needs the address of a server(?s:.*)http://127.0.0.1:8000/v1"),
        ({"options": {"base_url": "127.0.0.1:8000"}}, "no address of a server"),
        ({"options": {"base_url": "ftp://host/v1"}}, "no address of a server"),
        ({"options": {"base_url": "http://host:port/v1"}}, "no address of a server"),
        ({"options": {"base_url": "http://[::1/v1"}}, "no address of a server"),
        ({"options": {"base_url": "http://host/v1 extra"}}, "no address of a server"),
        ({"options": {"base_url": "http://host/v1/chat/completions"}}, "leave /chat/completions away"),
        ({"options": {"base_url": f"http://me:{SECRET}@host/v1"}}, "a user name, a password or a key"),
        ({"options": {"base_url": f"http://host/{SECRET}/v1"}}, "a user name, a password or a key"),
        ({"options": {"base_url": "http://host/v1?api_key=hunter2"}}, "more than an address"),
        ({"options": {"server": f"http://me:{SECRET[3:]}@host/v1"}}, "--set server holds a user name, a password or a"),
        ({"options": {"server": SECRET}}, "--set server holds a user name, a password or a key"),
        ({"backbone": f"openai:{SECRET}"}, "--backbone holds a user name, a password or a key"),
        ({"options": {"key_variable": SECRET}}, "names no environment variable"),
        ({"options": {"key_variable": "sk_abcdefghijklmnop123456"}}, "is not set"),
        ({"options": {"ca_file": "nowhere.pem"}}, "nowhere.pem cannot be read"),
        ({"options": {"timeout": "0"}}, "timeout=0.0 makes no sense"),
        ({"options": {"concurrency": "0"}}, "1 or more"),
        ({"options": {"constrain": "guided"}}, "guided_choice"),
        ({"options": {"constrain": "regex"}, "decode": "score"}, "constrain=regex has no effect"),
        (
            {"strategy": "direct", "decode": "score", "options": {"scores": "first-token"}},
            "Sadly Fearful and Sadly Surprised(?s:.*)pair-scores",
        ),
        ({"options": {"body.temperature": "1"}}, "body.temperature is a field that coabench sets itself"),
        ({"options": {"body.top_k": "five"}}, r"body.top_k=five cannot be read(?s:.*)a value in JSON"),
        (
            {"options": {"body.metadata": f'{{"who": "{SECRET}"}}'}},
            "body.metadata holds a user name, a password or a key",
        ),
        ({"options": {"serve_with": "vllm"}}, "base_url and serve_with contradict each other"),
        ({"options": {"base_url": "none", "serve_with": "/nowhere/vllm"}}, "there is no such executable"),
        ({"options": {"serve_args": "--seed 1"}}, "serve_args has no effect without serve_with"),
        ({"adapter": "."}, "takes no adapter for a server that runs already(?s:.*)serve_with=vllm"),
        ({"device": "cpu"}, "--device cpu is for the server to decide"),
        ({"dtype": "float16"}, "--dtype float16 is for the server to decide"),
    ],
)
def test_what_is_wrong_before_the_run_is_told_and_nothing_is_sent_or_written(
    given: dict[str, Any], told: str, server: ChatServer, evaluate: Any, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=told) as caught:
        evaluate(**given)
    assert not server.requests
    assert not (tmp_path / "run").exists()
    assert not any(secret in str(caught.value) for secret in (SECRET, "hunter2", "sk_abc"))


def test_the_address_is_one_however_it_is_typed() -> None:
    for typed in ("http://LOCALHOST:8000/v1/", "http://localhost:8000/v1"):
        assert Address.read(typed).url == "http://localhost:8000/v1"
    assert [Address.read(f"{typed}/v1").private for typed in ("http://127.9.9.9", "http://[::1]:80", "https://a.org")]
    assert not Address.read("http://192.168.0.7:8000/v1").private


# -- before the first record ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trial", "told"),
    [
        (status(401, {"message": "Incorrect API key"}), r"does not let us in(?s:.*)Incorrect API key; no key was sent"),
        (status(403, "Forbidden", "text/plain"), "does not let us in(?s:.*)OPENAI_API_KEY"),
        (status(404, {"message": "The model `my-vlm` does not exist"}), "no such model(?s:.*)`my-vlm` does not exist"),
        (page(404, "Not Found"), "no chat completions at this path(?s:.*)'Not Found'(?s:.*)/v1"),
        (page(200, "Welcome to nginx!"), "no server of the OpenAI protocol(?s:.*)'Welcome to nginx!'"),
        (status(307, location="https://elsewhere.example/v1"), "another address(?s:.*)elsewhere.example"),
        (status(402, {"message": "pay"}), "used up"),
        (status(429, {"message": "You exceeded", "code": "insufficient_quota"}), "used up(?s:.*)You exceeded"),
        (status(200, {"message": "no such model", "code": 404}), "no such model"),
        (status(418, "teapot", "text/plain"), "status 418: teapot"),
    ],
)
def test_a_server_that_will_never_answer_ends_the_run_at_once_and_nothing_is_left(
    trial: Any, told: str, server: ChatServer, evaluate: Any, tmp_path: Path
) -> None:
    server.trials.extend([trial] * 9)
    with pytest.raises(JobError, match=told):
        evaluate()
    assert len(server.requests) == 1
    assert not (tmp_path / "run").exists()


def test_no_picture_leaves_before_the_server_was_tried_on_a_plain_one(server: ChatServer, evaluate: Any) -> None:
    evaluate()
    assert [request.trial for request in server.requests[:3]] == [True, True, False]
    assert [len(request.images) for request in server.requests[:3]] == [1, 0, 1]
    assert server.requests[0].prompt == server.requests[2].prompt


def test_a_server_that_takes_any_name_says_what_answers(server: ChatServer, evaluate: Any, tmp_path: Path) -> None:
    def renamed(handler: Any, request: Any) -> None:
        request.body["model"] = "qwen-7b.gguf"
        honest(handler, request)

    server.always = renamed
    evaluate()
    assert "the server says that what answers is qwen-7b.gguf" in (tmp_path / "run" / "run.json").read_text()


def test_nothing_listens(evaluate: Any, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with pytest.raises(JobError, match=f"nothing answers at {address}(?s:.*)start the server"):
        evaluate(options={"base_url": address})
    assert not (tmp_path / "run").exists()


def test_a_certificate_that_nobody_knows_and_one_that_the_user_knows(
    server: ChatServer, evaluate: Any, tmp_path: Path
) -> None:
    pytest.importorskip("cryptography")
    from coabench.web.certificate import self_signed

    certificate = self_signed(tmp_path / "tls", ["localhost"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    address = {"base_url": f"https://localhost:{server.port}/v1"}
    with pytest.raises(JobError, match=r"no trustworthy connection(?s:.*)CERTIFICATE_VERIFY_FAILED(?s:.*)ca_file"):
        evaluate(options=address)
    assert not server.requests
    evaluate(options={**address, "ca_file": str(certificate.cert)})
    with pytest.raises(JobError):  # as if it were no TLS
        evaluate(options={"base_url": f"http://localhost:{server.port}/v1"}, output="plain")


@pytest.mark.parametrize("images", [1, 2])
def test_a_model_that_takes_no_images_is_called_so(images: int, server: ChatServer, evaluate: Any) -> None:
    def text_only(handler: Any, request: Any) -> None:
        refuses = len(request.images) >= images
        (status(400, {"message": "at most 0 images"}) if refuses else says("Fear"))(handler, request)

    server.always = text_only
    with pytest.raises(JobError, match=r"my-vlm takes no images(?s:.*)at most 0 images"):
        evaluate("direct" if images == 1 else "one-shot")


def test_a_model_that_ignores_images_is_called_so_unless_the_user_knows_better(
    server: ChatServer, evaluate: Any
) -> None:
    def blind(handler: Any, request: Any) -> None:
        handler.reply(200, json.dumps({
            "model": "my-vlm", "choices": [{"message": {"content": label_for(request)}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 12, "completion_tokens": 2},
        }))  # fmt: skip

    server.always = blind
    with pytest.raises(JobError, match=r"does not look at images(?s:.*)12 tokens with a picture, 12 without"):
        evaluate()
    evaluate(options={"check_images": "false"})


@pytest.mark.parametrize("status_code", [400, 422])
def test_an_option_that_the_server_refuses_is_no_matter_of_samples(
    status_code: int, server: ChatServer, evaluate: Any
) -> None:
    server.always = status(status_code, '{"detail": "Unexpected fields: seed"}')
    with pytest.raises(JobError, match=r"refuses the question 'primary', even about a plain(?s:.*)Unexpected fields"):
        evaluate()


# -- in the middle ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (hang_up, "has not answered a request that was sent 3 times"),
        (half, r"3 times(?s:.*)a reply that is no JSON"),
        (SLOW, r"3 times(?s:.*)no answer within 3 seconds"),
        (status(503, {"message": "overloaded"}), r"3 times(?s:.*)overloaded(?s:.*)run the same command again"),
        (status(500, "crash", "text/plain"), "fails over every picture(?s:.*)crash"),
        (status(401, {"message": "revoked"}), "does not let us in(?s:.*)revoked"),
        (says("Fear", message={"content": "Fear"}, index=0), "another model than before(?s:.*)other-vlm"),
    ],
)
def test_a_server_that_goes_leaves_what_is_recorded_and_the_same_command_goes_on(
    trouble: Any, told: str, server: ChatServer, evaluate: Any, tmp_path: Path
) -> None:
    whole = evaluate(output="whole", batch_size=2)
    seen = len(server.asked)

    def goes(handler: Any, request: Any) -> None:
        if len(server.asked) <= seen + 6:
            honest(handler, request)
        else:
            request.body["model"] = "other-vlm"
            trouble(handler, request)

    server.always = goes
    with pytest.raises(JobError, match=told):
        evaluate(batch_size=2, options={"timeout": "3"} if trouble is SLOW else {})
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    assert manifest["status"] == "failed"
    assert 0 < len((tmp_path / "run" / "predictions.jsonl").read_text().splitlines()) < len(whole)
    server.always = honest
    assert evaluate(batch_size=2, options={"timeout": "70"}) == whole


def test_when_one_request_has_failed_for_good_no_further_one_is_sent(server: ChatServer, evaluate: Any) -> None:
    server.then.extend([honest, status(401, {"message": "revoked"})])
    with pytest.raises(JobError, match="revoked"):
        evaluate(batch_size=8, options={"concurrency": "1"})
    assert len(server.asked) == 2


def test_the_command_line_says_it_in_words(server: ChatServer, coabench: Any, tmp_path: Path) -> None:
    command = ["evaluate", "--backbone", "openai:my-vlm", "--limit", "4", "--batch-size", "2", "--output", "run"]
    command += ["--set", f"base_url={server.url}", "--set", "retries=1"]
    refused = coabench(*command[:-2], "--set", "base_url=nonsense")
    assert (refused.returncode, (tmp_path / "run").exists()) == (2, False)
    assert "Traceback" not in refused.stderr
    server.then.extend([honest] * 5)
    server.always = lambda handler, request: (honest if request.trial else hang_up)(handler, request)
    failed = coabench(*command)
    assert failed.returncode == 1
    assert "has not answered a request that was sent 2 times" in failed.stderr
    assert "run the same command again" in failed.stderr
    server.always = honest
    done = coabench(*command)
    assert done.returncode == 0, done.stderr
    assert f"images are sent to {server.url}" in done.stderr
    assert set(server.answered.values()) == {1}


# -- another run ------------------------------------------------------------------------------------------------------


def test_what_can_change_an_answer_is_another_run_and_what_cannot_is_not(
    server: ChatServer, evaluate: Any, tmp_path: Path
) -> None:
    evaluate()
    told = json.loads((tmp_path / "run" / "run.json").read_text())
    session = told["sessions"][0]["backbone"]
    assert (session["base_url"], session["served"], session["retries"]) == (server.url, "my-vlm", 2)
    evaluate(options={"retries": "0", "timeout": "61", "concurrency": "1", "check_images": "false"})
    for option, value in (("max_tokens", "7"), ("seed", "none"), ("image_format", "jpeg"), ("greedy", "false")):
        with pytest.raises(UserError, match=option.replace("image_", "image.")):
            evaluate(options={option: value})
    with ChatServer() as moved, pytest.raises(UserError, match="server"):
        evaluate(options={"base_url": moved.url})


def test_a_server_that_moves_keeps_its_name(server: ChatServer, evaluate: Any) -> None:
    whole = evaluate(options={"server": "lab-vllm-0.9"})
    with ChatServer() as moved:
        assert evaluate(options={"server": "lab-vllm-0.9", "base_url": moved.url}) == whole
        assert not moved.requests


def test_a_key_that_is_none_hides_nothing(server: ChatServer, evaluate: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "v1")
    told = evaluate()
    assert all(request.headers["Authorization"] == "Bearer v1" for request in server.requests)
    assert {record["status"] for record in told} <= {"ok", "invalid"}


def test_a_key_on_the_command_line_is_refused(server: ChatServer, evaluate: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "hunter2-hunter2")
    for given in ({"backbone": "openai:hunter2-hunter2"}, {"options": {"base_url": f"{server.url}/hunter2-hunter2"}}):
        with pytest.raises(UserError, match="holds the key") as caught:
            evaluate(**given)
        assert "hunter2" not in str(caught.value)


def test_the_webcam_asks_for_consent_wherever_the_server_is(coabench: Any, server: ChatServer) -> None:
    asked = coabench(
        "webcam",
        "--backbone",
        "openai:my-vlm",
        "--set",
        f"base_url={server.url}",
        "--source",
        "none.mp4",
        "--no-window",
    )
    assert asked.returncode == 2
    assert "--allow-remote-backbone" in asked.stderr
    assert not server.requests
    assert Server.remote
    assert Server(BackboneRequest("m", options=Server.Options(base_url=server.url))).identity()["server"] == server.url
