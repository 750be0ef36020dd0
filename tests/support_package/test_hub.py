"""What goes wrong at the hub is said in words, without tokens and passwords."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from coabench.errors import UserError
from coabench.support.hub import folder_of

TOKEN = "hf_abc/def+01234567"
FOUND = r"found: \w+: ."
PASSWORD = "pass/word+1234"


class Hub(BaseHTTPRequestHandler):
    answer: Any

    def do_GET(self) -> None:
        status, body, headers = type(self).answer(self.headers.get("Authorization", ""))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The address of a hub, which the library asks as the user's token says."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        monkeypatch.setattr(constants, "ENDPOINT", url := f"http://127.0.0.1:{server.server_port}")
        yield url
        server.shutdown()


def echoed(sent: str) -> tuple[int, str, dict[str, str]]:
    error = json.dumps({"error": f"bad {sent}"}).replace("/", "\\/")
    return 403, error, {"X-Error-Message": f"bad {sent} {base64.b64encode(sent.encode()).decode()}"}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (echoed, r"\[key\]"),
        (lambda _: (200, "<html>", {}), FOUND),
        (lambda _: (200, "[" * 100_000, {}), FOUND),
        (lambda _: (200, "[]", {}), FOUND),
        (lambda sent: (302, "", {"Location": f"http://[::1?{sent}"}), FOUND),
        (lambda _: (302, "", {"Location": "/again"}), FOUND),
    ],
)
def test_a_hub_that_does_not_answer_is_told_in_words_without_the_token(answer: Any, told: str, hub: str) -> None:
    Hub.answer = staticmethod(answer)
    with pytest.raises(UserError, match=rf"could not be fetched from the hub(?s:.*){told}") as caught:
        folder_of("owner/name", "model")
    assert not any(
        part in str(caught.value) for part in (TOKEN, "\\/def", base64.b64encode(TOKEN.encode()).decode()[:8])
    )
    assert caught.value.__suppress_context__


def test_the_password_of_a_hub_is_not_shown(hub: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    address = hub.replace("://", "://me:pass%2Fword%2B1234@")
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setenv("HF_ENDPOINT", address)
    Hub.answer = staticmethod(lambda sent: (500, sent, {"X-Error-Message": f"{sent} {PASSWORD}"}))
    with pytest.raises(UserError, match="could not be fetched from the hub") as caught:
        folder_of("owner/name", "model")
    assert not any(part in str(caught.value) for part in (PASSWORD, "%2Fword", "me:"))


@pytest.mark.parametrize("token", ["hf_abcdef\u00a01234", "hf_abc def1234", "hf_abc\u043a1234"])
def test_a_token_that_no_header_can_hold_is_refused_and_not_shown(
    token: str, hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(UserError, match=r"token for the hub cannot be sent(?s:.*)HF_TOKEN") as caught:
        folder_of("owner/name", "model")
    assert token[:6] not in str(caught.value)
