"""Signals that ask a job to end: it says so in its manifest, ends as shells expect it, and continues."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.in_process import plugins_on
from support.process import Run, interruptible, start, wait_for
from support.runs import manifest, untimed

from coabench.api import evaluate
from coabench.base import signals
from coabench.evaluation.progress import Silence

posix = pytest.mark.skipif(os.name != "posix", reason="signals are sent")
BASE = ("evaluate", "--backbone", "scripted:a", "--dataset", "drawn", "--output", "out", "--batch-size", 1)
SLOW = ("--set", "delay=0.05")


@posix
@pytest.mark.parametrize(
    ("name", "cause", "said"),
    [
        ("SIGINT", "Ctrl-C", "interrupted: what is recorded is safe"),
        ("SIGTERM", "SIGTERM", "stopped by SIGTERM: what is recorded is safe"),
        ("SIGHUP", "SIGHUP", "stopped by SIGHUP: what is recorded is safe"),
    ],
)
def test_a_signal_stops_a_run_that_then_continues(
    environment: dict[str, str], coabench: Run, tmp_path: Path, name: str, cause: str, said: str
) -> None:
    number = signal.Signals[name]
    process = start(tmp_path, environment, *BASE, *SLOW)
    wait_for(lambda: recorded(tmp_path), process)
    process.send_signal(number)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert said in message
    assert "Traceback" not in message
    assert (manifest(tmp_path / "out")["status"], manifest(tmp_path / "out")["reason"]) == ("stopped", cause)
    listed = coabench("leaderboard", ".", "--format", "csv")
    assert f"not finished (stopped by {cause})" in listed.stdout
    assert coabench(*BASE).returncode == 0
    assert manifest(tmp_path / "out")["status"] == "complete"
    assert manifest(tmp_path / "out")["reason"] is None
    assert coabench(*BASE[:-3], "whole", *BASE[-2:]).returncode == 0
    assert untimed(tmp_path / "out") == untimed(tmp_path / "whole")


@posix
def test_nohup_is_obeyed(environment: dict[str, str], tmp_path: Path) -> None:
    ignored = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}
    process = start(tmp_path, environment, *BASE, **ignored)
    wait_for(lambda: recorded(tmp_path), process)
    process.send_signal(signal.SIGHUP)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 0, message
    assert manifest(tmp_path / "out")["status"] == "complete"


@posix
def test_a_second_control_c_ends_at_once_and_other_signals_disturb_nothing() -> None:
    with interruptible():
        before = [signal.getsignal(number) for number in signals.ENDING]
        with signals.interrupting():
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)  # `timeout` sends it twice
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
            assert signals.exit_code() == 143
        assert [signal.getsignal(number) for number in signals.ENDING] == before
        assert signals.received() is None


def test_only_the_main_thread_listens() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[Any] = []

    def listen() -> None:
        with signals.interrupting(), signals.kept(), signals.ignoring():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [before]


def test_from_python_an_interruption_is_recorded_and_no_handler_is_touched(scripted: list[str], tmp_path: Path) -> None:
    handlers: list[Any] = []

    class Impatient(Silence):
        def advance(self, records: Sequence[Mapping[str, Any]]) -> None:
            handlers.extend(signal.getsignal(number) for number in signals.ENDING)
            raise KeyboardInterrupt

    before = [signal.getsignal(number) for number in signals.ENDING]
    with plugins_on(scripted), pytest.raises(KeyboardInterrupt):
        evaluate(backbone="scripted:a", dataset="drawn", output=tmp_path / "out", progress=Impatient())
    assert handlers == before
    made = manifest(tmp_path / "out")
    assert (made["status"], made["reason"]) == ("stopped", "an interrupt")


POOL = """
import multiprocessing, time
from concurrent.futures import ProcessPoolExecutor
from coabench.base.signals import leave_to_parent
with ProcessPoolExecutor(2, initializer=leave_to_parent) as pool:
    list(pool.map(abs, range(8)))
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    time.sleep(600)
"""


@posix
@pytest.mark.process
@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked up in /proc")
def test_a_pool_ends_with_its_parent_whatever_ends_that(environment: dict[str, str]) -> None:
    process = subprocess.Popen([sys.executable, "-c", POOL], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    workers = process.stdout.readline().split()
    assert workers
    process.kill()
    process.wait()
    process.stdout.close()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def recorded(folder: Path) -> bool:
    log = folder / "out" / "predictions.jsonl"
    return log.exists() and log.stat().st_size > 0
