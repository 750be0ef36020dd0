"""A run that is killed asks nothing twice."""

from __future__ import annotations

import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from support.chat_server import ChatServer, hang_up, honest, says, waits
from support.process import Run, start, wait_for
from support.runs import untimed

from coabench.errors import JobError
from coabench.runs.run import PENDING

FILE = Path(PENDING) / "openai.jsonl"


def command(server: ChatServer, output: Path) -> list[str]:
    options = ["--limit", "10", "--batch-size", "5", "--output", str(output), "--set", "concurrency=2"]
    return ["evaluate", "--backbone", "openai:my-vlm", "--set", f"base_url={server.url}", *options]


def kept(run: Path) -> list[bytes]:
    return [line for line in (run / FILE).read_bytes().splitlines() if line]


def test_a_killed_run_goes_on_and_asks_nothing_twice(
    server: ChatServer, environment: dict[str, str], coabench: Run, tmp_path: Path
) -> None:
    reached, release = threading.Event(), threading.Event()
    held = waits(reached, release, hang_up)
    server.then.extend([honest] * 13)
    server.always = lambda handler, request: (honest if request.trial else held)(handler, request)
    run, whole = tmp_path / "run", tmp_path / "whole"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with start(tmp_path, environment, *command(server, run), **quiet) as process:
        assert reached.wait(120)
        wait_for(lambda: len(kept(run)) == 13, process)  # the second batch is under way
        process.send_signal(signal.SIGKILL)
    server.always = honest
    release.set()
    assert len(untimed(run)) == 5
    remembered = (run / FILE).read_bytes()
    assert b"base64" not in remembered
    (run / FILE).write_bytes(remembered + remembered[:99])  # and a torn line
    asked = set(server.answered)
    assert coabench(*command(server, run)).returncode == 0
    assert set(server.answered.values()) == {1}
    assert asked < set(server.answered)
    assert not (run / PENDING).exists()
    assert coabench(*command(server, whole)).returncode == 0
    assert untimed(run) == untimed(whole)


def test_what_was_answered_before_the_server_went_is_kept_unless_the_run_is_begun_anew(
    server: ChatServer, evaluate: Any, tmp_path: Path
) -> None:
    def goes_after(number: int) -> None:
        server.then.extend([honest] * number)
        server.always = lambda handler, request: (honest if request.trial else hang_up)(handler, request)
        with pytest.raises(JobError):
            evaluate(batch_size=8, options={"retries": "0"})
        server.always = honest

    run = tmp_path / "run"
    goes_after(3)
    assert len(kept(run)) == 3
    goes_after(2)
    assert len(kept(run)) == 5
    whole = evaluate(batch_size=8)
    assert set(server.answered.values()) == {1}
    assert evaluate(batch_size=8, output="whole") == whole

    goes_again = evaluate(batch_size=8, output="run", overwrite=True)
    assert goes_again == whole
    assert set(server.answered.values()) == {3}


def test_overwriting_a_run_that_was_stopped_uses_none_of_its_answers(
    server: ChatServer, evaluate: Any, tmp_path: Path
) -> None:
    server.then.extend([honest] * 3)
    server.always = lambda handler, request: (honest if request.trial else hang_up)(handler, request)
    with pytest.raises(JobError):
        evaluate(batch_size=8, options={"retries": "0"})
    server.always = says("Fear")
    told = evaluate(batch_size=8, overwrite=True)
    assert {turn["response"] for record in told for turn in record["turns"]} == {"Fear"}
