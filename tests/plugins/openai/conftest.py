"""A server that can misbehave, and runs that ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from coabench_openai import client
from coabench_openai.backbone import Server
from support.chat_server import ChatServer
from support.runs import untimed

from coabench.backbone import BackboneRequest
from coabench.testing import tiny_run

Ask = Callable[..., Any]


@pytest.fixture(autouse=True)
def no_key_and_no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key from the developer's environment; repetitions follow at once where the server names no time."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(client, "FIRST_WAIT", 0.001)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as running:
        yield running


@pytest.fixture
def opened(server: ChatServer) -> Callable[..., Server]:
    """Make the backbone, not loaded."""

    def make(**options: Any) -> Server:
        given = {"base_url": server.url, "retries": 2, "timeout": 60.0, **options}
        return Server(BackboneRequest("my-vlm", options=Server.Options(**given)))

    return make


@pytest.fixture
def evaluate(server: ChatServer, tmp_path: Path) -> Ask:
    """Run a strategy on eight drawn faces."""

    def run(strategy: str = "chain-of-affect", output: str = "run", **rest: Any) -> list[dict[str, Any]]:
        given = {"base_url": server.url, "retries": "2", "timeout": "60", **rest.pop("options", {})}
        rest = {"backbone": "openai:my-vlm", "batch_size": 4, **rest}
        tiny_run(tmp_path / output, strategy=strategy, options=given, **rest)
        return untimed(tmp_path / output)

    return run
