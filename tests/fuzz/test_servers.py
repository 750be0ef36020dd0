"""Replies of a model server."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from coabench_openai import client
from hypothesis import strategies as st
from support.chat_server import ChatServer, Handler, Request, completion, likelihoods

from .attempt import Attempts
from .fuzzing import fuzz
from .values import damaged, json_bytes, mutated

SECRET = "s3cr3t/+key\u00a0of/ours"
"""What no file and no message may hold, in whatever form a server sends it back."""
LOGPROBS = [{"token": "Fear", "logprob": -0.1, "top_logprobs": [{"token": "Fear", "logprob": -0.1}]}]
REPLY = {
    "object": "chat.completion",
    "model": "served-model",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Fear", "refusal": None, "reasoning_content": None},
            "logprobs": {"content": LOGPROBS},
        }
    ],
    "usage": {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 7}},
}
ERROR = {"error": {"message": "no", "type": "invalid", "code": 429, "param": None}}


@st.composite
def replies(draw: Callable[..., Any]) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers."""
    status = draw(st.sampled_from((200, 200, 200, 200, 200, 204, 301, 307, 400, 401, 404, 418, 429, 500, 503)))
    valid = draw(st.sampled_from((REPLY, REPLY, REPLY, ERROR)))
    body = draw(mutated(valid).map(json_bytes) | damaged(json_bytes(valid)))
    headers = draw(
        st.dictionaries(
            st.sampled_from(("Retry-After", "Location", "Content-Encoding", "X-Anything")),
            st.sampled_from(("0", "-1", "NaN", "0.001", "gzip", "deflate", "identity", "http://elsewhere/",
                             "gzip, gzip", "\x80", "a" * 5000)),
            max_size=2,
        )
    )  # fmt: skip
    if headers.get("Content-Encoding") == "gzip" and draw(st.booleans()):
        body = gzip.compress(body if draw(st.booleans()) else bytes(2**24))
    elif headers.get("Content-Encoding") == "deflate" and draw(st.booleans()):
        body = zlib.compress(bytes(2**24))
    return status, body, headers


@pytest.fixture(scope="module")
def server() -> Iterator[ChatServer]:
    with ChatServer() as running, pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "FIRST_WAIT", 0.001)
        patch.setattr(client, "LONGEST_WAIT", 0.01)
        yield running


@fuzz(0.09, reply=replies(), decode=st.sampled_from(("generate", "score")))
def test_server_replies(attempts: Attempts, server: ChatServer, reply: Any, decode: str) -> None:
    status, body, headers = reply

    def behave(handler: Handler, request: Request) -> None:
        if request.trial:
            good: Any = likelihoods({"Fear": 0.7, "Anger": 0.2}) if request.body.get("logprobs") else None
            return good(handler, request) if good else handler.reply(200, json.dumps(completion(request, "Fear")))
        return handler.reply(status, body, **{name.replace("-", "_"): value for name, value in headers.items()})

    server.always = behave
    with attempts.folder() as folder:
        attempts.run(folder, "evaluate", "--backbone", "openai:any", "--dataset", "drawn", "--strategy", "direct",
                     "--decode", decode, "--set", "count=2", "--set", f"base_url={server.url}", "--set", "retries=1",
                     "--set", "timeout=20", "--output", "run")  # fmt: skip
