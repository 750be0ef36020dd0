"""Answers at a real broker, mosquitto: what it gets, and what happens where it refuses, goes, and comes back."""

import getpass
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.process import Run, wait_for

from coabench.errors import UserError
from coabench.live.publish import Publisher, SocketServing, read_targets
from coabench.live.publish.mqtt import PASSWORD, USERNAME
from coabench.web.certificate import self_signed

from .test_channels import answer

pytestmark = pytest.mark.process

MOSQUITTO = shutil.which("mosquitto") or next(iter(map(str, Path("/usr/sbin").glob("mosquitto"))), None)
if MOSQUITTO is None:
    pytest.skip("no broker: mosquitto is not installed", allow_module_level=True)
mqtt = pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed")


class Broker:
    """A mosquitto in a process of its own, on a port that was free."""

    def __init__(self, folder: Path, *more: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        anonymous = not any("password_file" in line for line in more)
        lines = [f"listener {self.port} 127.0.0.1", f"allow_anonymous {str(anonymous).lower()}", *more]
        lines.append(f"user {getpass.getuser()}")  # which may read the folder
        self._config.write_text("\n".join(lines) + "\n")
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([str(MOSQUITTO), "-c", str(self._config)], stderr=subprocess.DEVNULL)
        wait_for(self._listens, self.process)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(20)


class Listener:
    """A subscriber to everything, and what it got: topic, line, and whether it was retained."""

    def __init__(self, port: int, *login: str, ca: Path | None = None) -> None:
        self.got: list[tuple[str, dict[str, Any], bool]] = []
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        if login:
            self._client.username_pw_set(*login)
        if ca is not None:
            self._client.tls_set(str(ca))
        subscribed = threading.Event()
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_message = lambda _c, _d, m: self.got.append((m.topic, json.loads(m.payload), m.retain))
        self._client.connect("localhost" if ca else "127.0.0.1", port)
        self._client.loop_start()
        assert subscribed.wait(20)

    def kinds(self) -> list[tuple[str, str]]:
        return [(topic, line["kind"]) for topic, line, _ in self.got]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def published(port: int, said: list[str], scheme: str = "mqtt", host: str = "127.0.0.1") -> Publisher:
    return Publisher(read_targets([f"{scheme}://{host}:{port}/lab/faces"]), SocketServing(""), None, said.append)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    started = Broker(tmp_path)
    yield started
    started.end()


def test_answers_come_under_the_topic_and_the_session_stays_under_its_own(broker: Broker) -> None:
    said: list[str] = []
    listener = Listener(broker.port)
    with published(broker.port, said) as publisher:
        publisher.begin({"source": "0"}, said.append)
        for frame in range(20):
            publisher(answer(frame))
        wait_for(lambda: len(listener.got) == 21)
        late = Listener(broker.port)
        wait_for(lambda: late.got)
        assert [(line["kind"], kept) for _, line, kept in late.got] == [("session", True)]  # no stale answer
        late.close()
    wait_for(lambda: len(listener.got) == 22)
    assert [line["number"] for _, line, _ in listener.got if line["kind"] == "answer"] == [*range(1, 21)]
    assert {*listener.kinds()} == {
        ("lab/faces/session", "session"),
        ("lab/faces", "answer"),
        ("lab/faces/session", "end"),
    }
    listener.close()
    assert said == []


def test_a_lost_broker_is_tried_again_and_its_absence_delays_nobody(broker: Broker) -> None:
    said: list[str] = []
    with published(broker.port, said) as publisher:
        publisher.begin({}, said.append)
        publisher(answer(0))
        time.sleep(0.1)
        broker.end()
        wait_for(lambda: said)
        assert "is gone" in said[0]
        began = time.monotonic()
        for frame in range(1, 11):
            publisher(answer(frame))
        assert time.monotonic() - began < 1
        broker.start()
        listener = Listener(broker.port)
        wait_for(lambda: len(said) == 2)
        assert said[1] == f"the broker 127.0.0.1:{broker.port} is back"
        publisher(answer(11))
        wait_for(lambda: len([1 for _, kind in listener.kinds() if kind == "answer"]) >= 11)
        numbers = [line["number"] for _, line, _ in listener.got if line["kind"] == "answer"]
        assert sorted({*numbers})[-11:] == [*range(2, 13)]
        listener.close()


def test_a_broker_that_stays_away_costs_lines_which_are_counted(broker: Broker) -> None:
    said: list[str] = []
    publisher = published(broker.port, said)
    publisher.begin({}, said.append)
    broker.end()
    wait_for(lambda: said)
    for frame in range(300):
        publisher(answer(frame))
    began = time.monotonic()
    assert publisher.close()
    assert time.monotonic() - began < 2
    assert said[1:] == [
        f"the broker 127.0.0.1:{broker.port} is slow: lines are dropped, the oldest first",
        f"300 lines for the broker 127.0.0.1:{broker.port} were dropped",
    ]
    broker.start()


def test_a_session_that_dies_is_declared_ended_by_the_broker(broker: Broker) -> None:
    listener = Listener(broker.port)
    publisher = published(broker.port, [])
    publisher.begin({}, print)
    channel: Any = publisher._channels[0]
    channel._client._sock_close()  # as where the process is killed
    wait_for(lambda: ("lab/faces/session", "end") in listener.kinds())
    publisher.close()
    listener.close()


def test_no_broker_is_said_before_anything_is_written(coabench: Run, tmp_path: Path) -> None:
    words = ("webcam", "--no-window", "--source", "face.png", "--log", "a.jsonl")
    result = coabench(*words, "--publish", "mqtt://127.0.0.1:1/faces")
    assert result.returncode == 2
    assert "Connection refused" in result.stderr
    assert not (tmp_path / "a.jsonl").exists()


def test_name_and_password_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    users = tmp_path / "users"
    users.touch(mode=0o600)
    tool = Path(str(MOSQUITTO)).parent.parent / "bin" / "mosquitto_passwd"
    subprocess.run([str(tool), "-b", str(users), "anna", "secret"], check=True, capture_output=True)
    broker = Broker(tmp_path, f"password_file {users}")
    try:
        with pytest.raises(UserError, match="takes no connection") as refusal:
            published(broker.port, [])
        assert "authori" in str(refusal.value).lower()
        monkeypatch.setenv(USERNAME, "anna")
        monkeypatch.setenv(PASSWORD, "secret")
        listener = Listener(broker.port, "anna", "secret")
        with published(broker.port, []) as publisher:
            publisher.begin({}, print)
        wait_for(lambda: len(listener.got) == 2)
        listener.close()
    finally:
        broker.end()


def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cryptography")
    pair = self_signed(tmp_path / "tls", ["localhost"])
    broker = Broker(tmp_path, f"certfile {pair.cert}", f"keyfile {pair.key}")
    try:
        with pytest.raises(UserError, match="takes no connection") as refusal:
            published(broker.port, [], "mqtts", "localhost")
        assert "certificate" in str(refusal.value)
        monkeypatch.setenv("SSL_CERT_FILE", str(pair.cert))
        listener = Listener(broker.port, ca=pair.cert)
        with published(broker.port, [], "mqtts", "localhost") as publisher:
            publisher.begin({}, print)
        wait_for(lambda: len(listener.got) == 2)
        listener.close()
    finally:
        broker.end()
