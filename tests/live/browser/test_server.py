"""The web server behind the live page, from outside: what it tells whom, and what it makes of bad company."""

import hashlib
import io
import json
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from support.process import Run, process_environment
from support.served import BOX, ConnectionClosed, Served, Viewer, closing, fetch, picture, refused, served

for package in ("cv2", "starlette", "uvicorn", "websockets", "cryptography"):
    pytest.importorskip(package)

Environment = dict[str, str]
Answer = tuple[int, dict[str, str], str]
FOREIGN = ["attacker.example", "attacker.example:80", "127.0.0.1.attacker.example", "8.8.8.8", "a@localhost", "[", ""]


@pytest.fixture(scope="module")
def environment(installed: Path) -> Environment:
    return process_environment(installed)


@pytest.fixture(scope="module")
def server(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for the tests that leave it as they found it."""
    with served(environment, tmp_path_factory.mktemp("server")) as started:
        yield started


# -- the page, and who may see it -------------------------------------------------------------------------------------


def test_the_page_comes_with_a_strict_policy_and_nothing_else_is_there(server: Served) -> None:
    status, headers, body = fetch(server.url)
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers
    assert "connect-src &#39;self&#39;" in body
    assert fetch(server.url, "HEAD")[0] == 200
    assert fetch(server.url, "POST")[0] == 405
    assert fetch(server.url + "etc/passwd")[0] == 404


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_host_name_is_refused(server: Served, host: str) -> None:
    assert fetch(server.url, Host=host)[0] in (400, 421)
    if host.startswith("attacker"):
        assert refused(server.url, Host=host, Origin=f"http://{host}") == 421


def test_a_tunnel_may_have_another_port(server: Served) -> None:
    assert fetch(server.url, Host="localhost:9999")[0] == 200


@pytest.mark.parametrize("origin", ["", "null", "http://attacker.example", "http://127.0.0.1", "http://127.0.0.1:1"])
def test_a_socket_that_another_page_opens_is_refused(server: Served, origin: str) -> None:
    assert refused(server.url, Origin=origin) == 403


def test_other_machines_need_consent_and_a_token(environment: Environment, tmp_path: Path, coabench: Run) -> None:
    result = coabench("webcam", "--serve", "0.0.0.0:0")
    assert result.returncode == 2
    assert "--allow-remote" in result.stderr
    assert "SSH tunnel" in result.stderr
    with served(environment, tmp_path, "--allow-remote", address="0.0.0.0:0") as server:
        server.wait_for("without TLS a browser gives (its camera to localhost only)")
        address, _, token = server.url.partition("?token=")
        assert len(token) >= 32
        local = f"http://127.0.0.1:{urlsplit(address).port}/"
        assert fetch(f"{local}?token={token}")[0] == 200
        with Viewer(f"{local}?token={token}") as viewer:
            viewer.hear("hello")
        for wrong in (
            "",
            "?token=",
            f"?token={token[:-1]}",
            f"?token={token}x",
            f"?token={token}&token={token}",
            "?token=%ff",
        ):
            status, _, body = fetch(local + wrong)
            assert status == 403
            assert token not in body
            assert refused(local + wrong) == 403
        assert fetch(f"{local}?token={token}", Host="attacker.example")[0] == 421
        assert token not in "".join(server.said).replace(server.url, "")


# -- frames and answers -----------------------------------------------------------------------------------------------


def test_a_frame_goes_in_and_faces_and_answers_come_out(server: Served) -> None:
    with Viewer(server.url) as viewer:
        hello = viewer.hear("hello")
        assert (hello["backbone"], hello["model"], hello["device"], hello["keeps"]) == ("scripted", "a", "cpu", [])
        assert "direct" in hello["strategies"]
        assert "Happily Surprised" in hello["labels"]
        viewer.start()
        number = viewer.send(picture(), captured=5000.0)
        state = viewer.hear("state", acknowledged=number)
        assert state["size"] == [160, 120]
        assert state["strategy"] == "chain-of-affect:corrected"
        face = state["faces"][0]
        assert all(abs(a - b) <= 2 for a, b in zip(face["box"], BOX, strict=True))
        answer = viewer.hear("answer")
        assert (answer["track"], answer["captured"]) == (face["track"], 5000.0)
        assert [turn["name"] for turn in answer["turns"]] == ["primary", "secondary"]
        assert answer["outcome"] in hello["labels"] or answer["label"] is None
        assert answer["seconds"] > 0
        after = viewer.hear("state")  # once a second at least
        while after["faces"][0]["outcome"] is None:
            after = viewer.hear("state")
        assert after["faces"][0]["outcome"] == answer["outcome"]
        assert after["faces"][0]["age"] == 0.0
        assert after["rates"]["answers"] >= 1
        assert 0 <= answer["wait"] < answer["detect"] + answer["seconds"] + 60
        assert after["rates"]["detect"] > 0
        assert set(after["gauges"]) == {"processor", "memory", "gpu", "gpu_memory"}
        gone = viewer.look(picture((0, 0, 0, 0)))["faces"]
        assert all(face["stale"] for face in gone)


def test_the_next_frame_is_welcome_when_the_last_was_acknowledged_and_not_sooner(server: Served) -> None:
    with Viewer(server.url) as viewer:
        pace = viewer.hear("hello")["limits"]["frames_per_second"]
        viewer.start()
        viewer.send(picture())
        viewer.send(picture())
        viewer.hear("problem", problem="a frame came before the last was acknowledged")
        viewer.hear("state", acknowledged=1)
        began = time.monotonic()
        for _ in range(5):
            viewer.look(picture())
        assert time.monotonic() - began > 4 / pace  # the server's pace, whatever the machine


BAD_FRAMES = {
    "no JPEG": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "no picture at all": b"",
    "a torn JPEG": picture()[:200],
    "a JPEG of nothing": b"\xff\xd8\xff" + bytes(1000),
    "too many bytes": picture() + bytes(600_000),
    "too many pixels": picture(size=(2000, 1000)),
}


def grey() -> bytes:
    file = io.BytesIO()
    Image.new("L", (64, 64), 200).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize("data", BAD_FRAMES.values(), ids=BAD_FRAMES)
def test_a_bad_frame_is_reported_and_the_connection_survives(server: Served, data: bytes) -> None:
    with Viewer(server.url) as viewer:
        viewer.start()
        number = viewer.send(data)
        problem = viewer.hear("problem")
        assert (problem["about"], problem["frame"]) == ("frame", number)
        assert viewer.look(picture())["faces"]


def test_a_grey_picture_is_a_picture(server: Served) -> None:
    with Viewer(server.url) as viewer:
        assert viewer.start().look(grey())["size"] == [64, 64]


GARBAGE = ["", "null", "[]", "7", "{", "{}", '{"type": "fly"}', '{"type": ["start"]}', '{"type": "start", "more": "x"}',
           '{"type": "strategy"}', '{"type": "strategy", "name": 7}', "[" * 900, "x" * 5000, b"", b"short",
           b"\x00" * 4 + b"\x7f\xf8" + b"\x00" * 6 + b"\xff\xd8\xff"]  # fmt: skip


def test_garbage_does_no_harm(server: Served) -> None:
    with Viewer(server.url) as viewer:
        viewer.start()
        for garbage in GARBAGE:
            viewer.socket.send(garbage)
            viewer.hear("problem")
        assert viewer.look(picture())["faces"]


def test_who_sends_nothing_but_garbage_is_shown_out(server: Served) -> None:
    with Viewer(server.url) as viewer:
        viewer.start()
        for _ in range(20):
            viewer.socket.send("garbage")
        assert closing(viewer) == 1008
    with Viewer(server.url) as viewer:
        viewer.start()
        with suppress(ConnectionClosed):  # before all was sent
            viewer.socket.send(bytes(3_000_000))
        assert closing(viewer) in (1009, None)  # None: TCP resets what is still being sent, and the reason with it
    with Viewer(server.url) as viewer:
        assert viewer.start().look(picture())["faces"]


def test_a_frame_without_the_seat_is_refused(server: Served) -> None:
    with Viewer(server.url) as viewer:
        viewer.send(picture())
        assert "seat" in viewer.hear("problem")["problem"]


def test_a_second_viewer_waits_and_sees_nothing_of_the_first(server: Served) -> None:
    with Viewer(server.url) as first, Viewer(server.url) as second:
        first.start()
        faces = first.look(picture())["faces"]
        first.hear("answer")
        second.hear("seat", seat="taken")
        second.say(type="start")
        assert second.hear("problem")["problem"] == "somebody else is connected"
        second.send(picture())
        assert "seat" in second.hear("problem")["problem"]
        second.say(type="strategy", name="direct")
        assert second.hear("problem")["problem"] == "somebody else is connected"
        second.hear("state")
        second.hear("state")
        assert not any(message.get("faces") for message in second.told)
        first.say(type="stop")
        second.hear("seat", seat="free")
        second.start()
        mine = second.look(picture())["faces"]
        assert mine[0]["track"] != faces[0]["track"]
        assert first.hear("seat", seat="taken")
        assert not any(message["type"] == "answer" and message["track"] == faces[0]["track"] for message in second.told)
    with Viewer(server.url) as third:
        third.start()


def test_a_viewers_clock_may_be_wrong(server: Served) -> None:
    with Viewer(server.url) as viewer:
        viewer.start()
        for captured in (1e300, -1e300, 0.0, 0.0, 5.0, 1e18):
            state = viewer.hear("state", acknowledged=viewer.send(picture(), captured=captured))
            assert all(face["age"] is None or 0 <= face["age"] < 600 for face in state["faces"])


def test_faces_are_named_and_merged_by_the_viewer_in_the_seat(environment: Environment, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with served(environment, tmp_path, "--log", log) as server:
        with Viewer(server.url) as viewer, Viewer(server.url) as other:
            viewer.start().look(picture())
            track = viewer.hear("answer")["track"]
            viewer.say(type="name", track=str(track), name="Ann <b>")
            viewer.look(picture())
            assert viewer.hear("state")["faces"][0]["name"] == "Ann <b>"
            other.say(type="name", track=str(track), name="Eve")
            assert other.hear("problem")["problem"] == "somebody else is connected"
            for into in ("17", str(track)):
                viewer.say(type="merge", track=str(track), into=into)
                assert viewer.hear("problem")["problem"] in ("there is no such face", "these are not one face")
        server.end()
    notes = [line for line in map(json.loads, log.read_text().splitlines()) if line.get("kind") == "note"]
    assert notes[0] == {"kind": "note", "text": f"face {track} is called Ann <b>", "track": track, "name": "Ann <b>"}
    assert "Eve" not in log.read_text()


# -- the strategy -----------------------------------------------------------------------------------------------------


def test_the_strategy_is_switched_while_it_runs(environment: Environment, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    with served(environment, tmp_path, "--log", log) as server:
        with Viewer(server.url) as viewer:
            hello = viewer.hear("hello")
            assert hello["keeps"] == ["the answers, without pictures"]
            assert "one-shot" not in hello["strategies"]  # nobody said where its exemplars come from
            viewer.start().look(picture())
            viewer.say(type="strategy", name="direct")
            assert viewer.hear("state", strategy="direct", switching=None)["adapter"] is None
            viewer.look(picture())
            answer = viewer.hear("answer", strategy="direct")
            assert len(answer["turns"]) == 1
            for wrong in ("no-such", "../../etc/passwd.yaml", "one-shot"):
                viewer.say(type="strategy", name=wrong)
                problem = viewer.hear("problem", about="strategy")
                assert "direct" in problem["expected"]
            assert viewer.look(picture())["strategy"] == "direct"
        code, _ = server.end()
        assert code == 130
    header, *lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert header["source"] == "browser"
    assert {line["strategy"] for line in lines if "strategy" in line} == {"chain-of-affect:corrected", "direct"}
    change, note = [line for line in lines if "kind" in line]
    assert (change["kind"], change["changed"], change["identity"]["strategy"]["name"]) == (
        "change",
        "strategy",
        "direct",
    )
    assert note == {"kind": "note", "text": "stopped by Ctrl-C"}


# -- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_end_is_told_even_while_a_model_computes(
    environment: Environment, tmp_path: Path, how: signal.Signals
) -> None:
    with served(environment, tmp_path, "--set", "backbone.delay=60") as server, Viewer(server.url) as viewer:
        viewer.start().look(picture())
        server.process.send_signal(how)
        assert viewer.hear("ended")["why"] == "The server was ended."
        assert closing(viewer) == 1001
        code, said = server.end()
        assert code == 128 + how
        assert "Traceback" not in said


def test_a_failing_backbone_ends_the_server_and_is_reported(environment: Environment, tmp_path: Path) -> None:
    with served(environment, tmp_path, "--set", "backbone.crash_after=1") as server, Viewer(server.url) as viewer:
        viewer.start().send(picture())  # whether it is still acknowledged is a race with the failing backbone
        assert "the machine is on fire" in viewer.hear("ended")["why"]
        code, said = server.end(None)
        assert code == 1
        assert "put it out" in said
        assert "Traceback" not in said


# -- TLS --------------------------------------------------------------------------------------------------------------


def test_a_self_signed_certificate_is_made_once_and_its_fingerprint_shown(
    environment: Environment, tmp_path: Path
) -> None:
    fingerprints = []
    for _ in range(2):
        with served(environment, tmp_path, "--tls-self-signed") as server:
            kept = tmp_path / "config" / "coabench" / "tls"
            trust = ssl.create_default_context(cafile=kept / "self-signed.pem")
            assert fetch(server.url, tls=trust)[0] == 200
            with Viewer(server.url, trust) as viewer:
                assert viewer.start().look(picture())["faces"]
            fingerprint = server.wait_for(r"fingerprint: (\S+)\n")
            fingerprints.append(fingerprint)
            der = ssl.PEM_cert_to_DER_cert((kept / "self-signed.pem").read_text())
            assert fingerprint.replace(":", "").lower() == hashlib.sha256(der).hexdigest()
    assert len(set(fingerprints)) == 1
    if os.name == "posix":
        assert (kept / "self-signed.key").stat().st_mode & 0o077 == 0
        assert kept.stat().st_mode & 0o077 == 0
    (kept / "self-signed.pem").write_text("torn")
    with served(environment, tmp_path, "--tls-self-signed") as server:
        assert server.wait_for(r"fingerprint: (\S+)\n") != fingerprints[0]


# -- what is refused before anything starts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--serve", "8765"], "HOST:PORT"),
        (["--serve", "127.0.0.1:99999"], "HOST:PORT"),
        (["--serve", "::1:8765"], "HOST:PORT"),
        (["--serve", "http://127.0.0.1:8765"], "HOST:PORT"),
        (["--serve", "no.such.name.invalid:8765"], "no address of this machine"),
        (["--serve", "127.0.0.1:0", "--tls-cert", "a.pem"], "--tls-key"),
        (["--serve", "127.0.0.1:0", "--tls-cert", "a.pem", "--tls-key", "b.pem"], "a.pem is no file"),
        (["--serve", "127.0.0.1:0", "--tls-cert", "a.pem", "--tls-self-signed"], "does not go with"),
        (["--serve", "127.0.0.1:0", "--source", "1", "--record", "a.mp4"], "--source, --record and --serve"),
        (["--allow-remote"], "need --serve"),
        (["--no-prompts"], "--no-prompts without --serve"),
        (["--no-films", "--page-address", "any"], "--no-films and --page-address without --serve"),
        (["--serve", "127.0.0.1:0", "--page-address", "http://camera.local"], "cannot be read"),
        (["--offer", "strategy=direct", "--prompts"], "--offer and --prompts without --serve"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_reported(coabench: Run, options: list[str], message: str) -> None:
    result = coabench("webcam", *options)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_files_that_are_no_certificate_are_reported(coabench: Run, tmp_path: Path) -> None:
    for name in ("a.pem", "b.pem"):
        (tmp_path / name).write_text("nothing of that kind")
    result = coabench("webcam", "--serve", "127.0.0.1:0", "--tls-cert", "a.pem", "--tls-key", "b.pem")
    assert result.returncode == 2
    assert "cannot be used" in result.stderr


def test_a_port_that_is_taken_is_reported(coabench: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        result = coabench("webcam", "--serve", f"127.0.0.1:{other.getsockname()[1]}")
    assert result.returncode == 2
    assert "cannot be taken" in result.stderr


def test_the_missing_extra_is_named(coabench: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = coabench("webcam", "--serve", "127.0.0.1:0")
    assert result.returncode == 2
    assert "pip install 'coabench[serve]'" in result.stderr
