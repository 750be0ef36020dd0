"""The executor ``ray``, on a cluster of this machine."""

import importlib.util
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from support.process import Run, start, wait_for
from support.sweeps import SHEET, SLOW, Write, logs, workers

here = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
OUTPUT = Path("results/four")
HALF = "\nresources: {cpus: 0.5}\n"
"""Two runs at a time on a single core."""


@here
def test_workers_that_are_killed_lose_nothing(
    environment: dict[str, str], coabench_process: Run, sheet: Write, tmp_path: Path
) -> None:
    assert (
        coabench_process("sweep", sheet(SHEET.replace("name: four", "name: undisturbed"), name="u.yaml")).returncode
        == 0
    )
    sweep = ("sweep", sheet(SLOW.replace("0.05", "0.2"), HALF), "--executor", "ray", "--format", "json")
    process = start(tmp_path, environment, *sweep)
    killed: set[int] = set()
    output = tmp_path / OUTPUT
    wait_for(lambda: sum(log.stat().st_size > 0 for log in output.glob("*/predictions.jsonl")) > 1, process)
    for _ in range(2):
        pid = wait_for(lambda: sorted(set(workers(b"ray::scripted")) - killed), process)[0]
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
    out, message = process.communicate(timeout=120)
    assert process.returncode == 0, message
    assert {row["status"] for row in json.loads(out)} == {"complete"}
    sessions = [json.loads(path.read_text())["sessions"] for path in (tmp_path / OUTPUT).glob("*/run.json")]
    assert sum(map(len, sessions)) > 4  # some were begun again
    assert logs(tmp_path / OUTPUT) == logs(tmp_path / "results" / "undisturbed")


@here
def test_runs_of_a_sweep_that_is_stopped_say_so(environment: dict[str, str], sheet: Write, tmp_path: Path) -> None:
    long = SLOW.replace("0.05", "0.2").replace("count: [40]", "count: [400]")
    process = start(tmp_path, environment, "sweep", sheet(long, HALF), "--executor", "ray")
    wait_for(lambda: any(log.stat().st_size for log in (tmp_path / OUTPUT).glob("*/predictions.jsonl")), process)
    process.send_signal(signal.SIGTERM)
    _, message = process.communicate(timeout=120)
    assert process.returncode == 143
    assert "stopped by SIGTERM: what is recorded is safe" in message
    states = [json.loads(path.read_text())["status"] for path in (tmp_path / OUTPUT).glob("*/run.json")]
    assert states
    assert set(states) == {"stopped"}


@here
def test_what_the_machine_never_has_is_refused(coabench_process: Run, sheet: Write, tmp_path: Path) -> None:
    result = coabench_process("sweep", sheet(further="\nresources: {gpus: 99}\n"), "--executor", "ray")
    assert result.returncode == 2
    assert "asks for 99 GPUs" in result.stderr
    assert not (tmp_path / "results").exists()


@here
@pytest.mark.parametrize(
    ("address", "message"), [("127.0.0.1:9", "nobody answers"), ("ray://127.0.0.1:9", "HOST:PORT, auto or local")]
)
def test_an_address_without_a_cluster_is_refused(coabench: Run, sheet: Write, address: str, message: str) -> None:
    result = coabench("sweep", sheet(), "--executor", "ray", "--ray-address", address)
    assert result.returncode == 2
    assert message in result.stderr


def test_without_ray_the_extra_is_named(coabench: Run, sheet: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    result = coabench("sweep", sheet(), "--executor", "ray")
    assert result.returncode == 2
    assert "pip install 'coabench[ray]'" in result.stderr
