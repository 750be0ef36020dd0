"""Answers at a WebSocket: who gets them, who does not, and what becomes of those that are slow."""

import json
import re
import ssl
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.process import ROOT, Run, wait_for
from support.served import ConnectionClosed, connect, fetch

from coabench.dialogue import Prediction
from coabench.errors import UserError
from coabench.live.publish import Publisher, SocketServing, read_targets
from coabench.live.publish.channel import WAITING

from .test_channels import answer

for package in ("starlette", "uvicorn"):
    pytest.importorskip(package)


class Published:
    """A publisher with a socket, and what it said."""

    def __init__(self, target: str = "ws://127.0.0.1:0", **serving: Any) -> None:
        self.said: list[str] = []
        self.publisher = Publisher(read_targets([target]), SocketServing("", **serving), None, self.said.append)
        self.url = self.said[0].removeprefix("publishing at ")

    def subscribe(self, **options: Any) -> Any:
        return connect(self.url, **options)


@pytest.fixture
def published() -> Iterator[Published]:
    made = Published()
    yield made
    made.publisher.close()


def kinds(socket: Any) -> list[str]:
    """Return the kinds of all lines until the server ends."""
    found = []
    try:
        while True:
            found.append(json.loads(socket.recv(20))["kind"])
    except ConnectionClosed as closed:
        return [*found, f"closed: {closed.rcvd.code if closed.rcvd else None}"]


def test_every_program_gets_every_answer_from_when_it_comes(published: Published) -> None:
    with published.subscribe() as early:
        published.publisher.begin({"source": "0"}, published.said.append)
        assert json.loads(early.recv(20))["source"] == "0"
        published.publisher(answer(0))
        line = json.loads(early.recv(20))
        assert (line["kind"], line["face"], line["prediction"]) == ("answer", 3, "Sadly Angry")
        with published.subscribe() as late:
            assert json.loads(late.recv(20))["kind"] == "session"
            published.publisher(answer(1))
            assert json.loads(early.recv(20)) == json.loads(late.recv(20))
            assert published.publisher.close()
            assert kinds(early) == kinds(late) == ["end", "closed: 1001"]
    assert len(published.said) == 1


def test_pages_of_this_machine_may_listen_and_no_others(published: Published) -> None:
    for origin in ("http://localhost:3000", "http://127.0.0.1", "https://[::1]:8"):
        with published.subscribe(origin=origin):
            pass
    http = published.url.replace("ws://", "http://")
    for origin in (
        "http://attacker.example",
        "null",
        "file://",
        "http://localhost.attacker.example",
        "http://a@localhost",
    ):
        assert turned_down(http, Origin=origin) == 403
    assert turned_down(http, Origin="http://localhost", Host="attacker.example") == 421


def turned_down(url: str, **headers: str) -> int:
    """Return the status with which a socket at the root is refused."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    return fetch(url, **{**upgrade, "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", **headers})[0]


def test_other_machines_need_consent_and_a_token() -> None:
    with pytest.raises(UserError, match="can be reached from other machines"):
        Published("ws://0.0.0.0:0")
    made = Published("ws://0.0.0.0:0", allow_remote=True)
    try:
        assert "the answers travel in the clear; wss:// encrypts" in made.said
        port = made.url.partition("?")[0].rstrip("/").rpartition(":")[2]
        token = made.url.partition("?token=")[2]
        assert len(token) == 32
        assert turned_down(f"http://127.0.0.1:{port}/") == 403
        assert turned_down(f"http://127.0.0.1:{port}/?token={token[:-1]}") == 403
        with connect(f"ws://127.0.0.1:{port}/?token={token}"):
            pass
    finally:
        made.publisher.close()


def test_a_program_that_does_not_read_delays_nobody(published: Published) -> None:
    published.publisher.begin({}, published.said.append)
    total, long = 1200, replace(answer(0), prediction=Prediction(None, "invalid", "x" * 20_000))
    with published.subscribe(max_queue=1) as slow, published.subscribe(max_queue=1 << 20) as quick:
        assert json.loads(quick.recv(20))["kind"] == "session"
        for number in range(1, total + 1):
            published.publisher(long)
            assert json.loads(quick.recv(20))["number"] == number
        assert published.said[1:] == ["the program at 127.0.0.1 is slow: lines are dropped, the oldest first"]
        slow.close_timeout = 0.1
        slow.socket.close()
    wait_for(lambda: "were dropped" in published.said[-1])
    lost = int(published.said[-1].partition(" ")[0].replace(",", ""))
    assert 0 < lost < total - WAITING


def test_a_program_that_talks_is_let_go(published: Published) -> None:
    with published.subscribe() as socket:
        socket.send("hello")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(20)
    assert closed.value.rcvd.code == 1008


def test_an_address_that_is_taken_is_refused_before_anything_is_written(
    published: Published, coabench: Run, tmp_path: Path
) -> None:
    address = published.url.rstrip("/")
    result = coabench("webcam", "--no-window", "--source", "face.png", "--publish", address, "--log", "a.jsonl")
    assert result.returncode == 2
    assert "cannot be taken" in result.stderr
    assert not (tmp_path / "a.jsonl").exists()
    result = coabench("webcam", "--no-window", "--publish", "wss://127.0.0.1:0")
    assert result.returncode == 2
    assert "--tls-self-signed" in result.stderr


def test_tls(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    made = Published("wss://127.0.0.1:0", tls_self_signed=True, certificates=tmp_path / "tls")
    try:
        trusting = ssl.create_default_context(cafile=str(tmp_path / "tls" / "self-signed.pem"))
        assert made.url.startswith("wss://127.0.0.1:")
        assert "fingerprint" in made.said[1]
        with made.subscribe(ssl=trusting) as socket:
            made.publisher.begin({}, made.said.append)
            assert json.loads(socket.recv(20))["kind"] == "session"
    finally:
        made.publisher.close()


def test_the_node_of_the_guide_passes_answers_on(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    """With stand-ins for ROS, which is not installed: what it says to ROS, not what ROS makes of it."""
    sent: list[str] = []

    class Node:
        def __init__(self, name: str) -> None:
            self.name = name

        def declare_parameter(self, name: str, value: str) -> None:
            assert (name, value) == ("url", "ws://127.0.0.1:8770")

        def get_parameter(self, name: str) -> Any:
            return SimpleNamespace(value=published.url)

        def create_publisher(self, kind: Any, topic: str, depth: int) -> Any:
            assert topic == "faces/answers"
            return SimpleNamespace(publish=lambda message: sent.append(message.data))

        def destroy_node(self) -> None:
            pass

    stand_ins = {
        "rclpy": SimpleNamespace(
            ok=lambda: not sent, init=lambda: None, spin=lambda node: wait_for(lambda: sent), try_shutdown=lambda: None
        ),
        "rclpy.node": SimpleNamespace(Node=Node),
        "std_msgs.msg": SimpleNamespace(String=lambda data: SimpleNamespace(data=data)),
    }
    for name, module in stand_ins.items():
        monkeypatch.setitem(sys.modules, name, module)
    code = re.search(
        r"^```python\n(.*?)^```", (ROOT / "docs" / "guides" / "publishing.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert code
    node: dict[str, Any] = {"__name__": "node"}
    exec(compile(code[1], "docs/guides/publishing.md", "exec", dont_inherit=True), node)
    thread = threading.Thread(target=node["main"])
    thread.start()
    wait_for(lambda: published.publisher._channels[0]._subscribers)  # type: ignore[attr-defined]
    published.publisher.begin({}, published.said.append)
    published.publisher(answer(0))
    thread.join(20)
    assert json.loads(sent[0])["prediction"] == "Sadly Angry"
