"""Where answers are published: what can be typed, and that no reader, slow or gone, ever makes the probe wait."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.process import wait_for

from coabench.dialogue import Prediction
from coabench.errors import UserError
from coabench.live.log import answer_record
from coabench.live.publish import Publisher, SocketServing, read_targets
from coabench.live.publish.channel import WAITING
from coabench.live.snapshot import FaceAnswer


def answer(frame: int) -> FaceAnswer:
    crop = Image.new("RGB", (8, 8))
    return FaceAnswer(frame, frame / 10, 3, (1, 2, 3, 4), 0.9, crop, "direct", (), Prediction("Sadly Angry"), 0.1)


def to_stdout(file: Any, said: list[str]) -> Publisher:
    return Publisher(read_targets(["stdout"]), SocketServing(""), file, said.append)


def pipe() -> tuple[Any, Any]:
    reading, writing = os.pipe()
    return os.fdopen(reading, "rb"), os.fdopen(writing, "wb", buffering=0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file.jsonl", "ws://HOST:PORT"),
        ("stdout://", "ws://HOST:PORT"),
        ("http://127.0.0.1:1", "ws://HOST:PORT"),
        ("ws://127.0.0.1:8770/answers", "a path behind the address"),
        ("mqtt://broker", "the topic ''"),
        ("mqtt://broker/lab/+", "the topic 'lab/+'"),
        ("mqtt://broker/$SYS/a", "the topic '$SYS/a'"),
        ("mqtt://broker:port/a", "ws://HOST:PORT"),
        ("ws://", "--publish 'ws://' cannot be read\n  expected: stdout, ws://HOST"),
        ("ws://", "found: no host and no port"),
        ("wss://:8770", "found: no host"),
        ("ws://127.0.0.1", "--publish 'ws://127.0.0.1' cannot be read"),
        ("ws://127.0.0.1", "found: no port"),
        ("mqtt:///a", "found: no host"),
        ("mqtt://broker:0/a", "ws://HOST:PORT"),
        ("mqtt://broker/\udcff", "the topic '\\udcff'"),
    ],
)
def test_what_cannot_be_published_to_is_refused(text: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        read_targets([text])
    assert said in str(error.value)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UserError) as error:
        read_targets(["mqtt://anna:secret@broker/lab"])
    assert "COABENCH_MQTT_PASSWORD" in str(error.value)
    assert "secret" not in str(error.value)


def test_brokers_have_their_usual_ports() -> None:
    plain, safe, own = read_targets(["mqtt://a/x/y", "mqtts://[::1]/x", "mqtt://a:99/x"])
    assert (plain.host, plain.port, plain.topic, plain.tls) == ("a", 1883, "x/y", False)
    assert (safe.host, safe.port, safe.tls) == ("::1", 8883, True)
    assert own.port == 99
    with pytest.raises(UserError, match="twice"):
        read_targets(["stdout", "stdout"])


def test_lines_hold_what_the_log_holds_and_whose_they_are() -> None:
    reader, writer = pipe()
    with to_stdout(writer, []) as publisher:
        publisher.begin({"source": "0"}, print)
        for frame in range(3):
            publisher(answer(frame))
    writer.close()
    begin, *answers, end = [json.loads(line) for line in reader]
    assert begin == {"schema": 1, "kind": "session", "session": publisher.session, "source": "0"}
    assert end == {"schema": 1, "kind": "end", "session": publisher.session, "answers": 3}
    for number, line in enumerate(answers):
        own = {"schema": 1, "kind": "answer", "session": publisher.session, "number": number + 1, "face": 3}
        assert line == {**own, **json.loads(json.dumps(answer_record(answer(number))))}


def test_a_slow_reader_loses_the_oldest_lines_and_delays_nobody() -> None:
    reader, writer = pipe()
    said: list[str] = []
    publisher = to_stdout(writer, said)
    publisher.begin({}, said.append)
    total = 3000  # more than a pipe and the backlog hold
    for frame in range(total):
        publisher(answer(frame))  # would hang here
    assert said == ["stdout is slow: lines are dropped, the oldest first"]
    numbers: list[int] = []

    def read() -> None:
        numbers.extend(line.get("number", 0) for line in map(json.loads, reader))

    thread = threading.Thread(target=read)
    thread.start()
    assert publisher.close()
    writer.close()
    thread.join()
    *kept, end = numbers
    assert end == 0
    assert kept[-WAITING + 1 :] == list(range(total - WAITING + 2, total + 1))
    assert said[1:] == [f"{total + 2 - len(numbers):,} lines for stdout were dropped"]


def test_a_reader_that_hangs_does_not_keep_the_session_from_ending() -> None:
    reader, writer = pipe()
    said: list[str] = []
    publisher = to_stdout(writer, said)
    publisher.begin({}, said.append)
    for frame in range(3000):
        publisher(answer(frame))
    assert not publisher.close()  # a thread is left behind
    assert "were dropped" in said[-1]
    reader.close()


def test_a_reader_that_goes_ends_the_lines_not_the_session() -> None:
    reader, writer = pipe()
    said: list[str] = []
    publisher = to_stdout(writer, said)
    reader.close()
    publisher(answer(0))
    wait_for(lambda: said)
    assert said == ["nothing is published to stdout any more: Broken pipe"]
    publisher(answer(1))
    assert publisher.close()
    assert len(said) == 1


@pytest.mark.process  # the detector has one of its own
def test_nothing_but_lines_is_on_stdout(coabench: Any, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "white").save(tmp_path / "face.png")
    words = ("webcam", "--no-window", "--backbone", "scripted:a", "--detector", "brightest", "--source", "face.png")
    result = coabench(*words, "--publish", "stdout", "--log", "a.jsonl")
    assert result.returncode == 0, result.stderr
    begin, line, end = [json.loads(line) for line in result.stdout.splitlines()]
    header, logged = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert (begin["kind"], line["kind"], end["kind"]) == ("session", "answer", "end")
    assert begin["session"] == header["session"]
    assert begin["identity"] == header["identity"]
    assert logged.items() <= line.items()
    assert "answers        1" in result.stderr
