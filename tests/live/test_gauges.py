"""What a session takes of its machine."""

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from coabench.live import gauges
from coabench.live.gauges import GaugeReader, Gauges

ON_LINUX = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="read from /proc")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "PAUSE", 0.0)


def test_work_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges.os, "cpu_count", lambda: 1)
    reader = GaugeReader()
    time.sleep(0.1)
    idle = reader.read().processor
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    busy = reader.read().processor
    assert idle is not None
    assert busy is not None
    assert 0 <= idle < 0.25 < busy <= 1 or busy > 2 * idle  # the rest of the machine may be busy, too


@ON_LINUX
def test_processes_that_it_started_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges.os, "cpu_count", lambda: 1)
    reader = GaugeReader()
    alone = reader.read().memory
    code = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass\nprint(); input()"
    started = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with started:
        assert started.stdout is not None
        started.stdout.readline()
        after = reader.read()
        started.communicate(b"\n")
    assert alone is not None
    assert after.memory is not None
    assert after.memory > alone + 2**20
    assert after.processor is not None
    assert after.processor > 0.1


def test_a_gpu_is_read_where_torch_works_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def cuda(**more: object) -> object:
        there = {"is_available": lambda: True, "is_initialized": lambda: True, "mem_get_info": lambda: (3, 10)}
        return SimpleNamespace(cuda=SimpleNamespace(**{**there, **more}))

    def refuses() -> int:
        raise ModuleNotFoundError("pynvml")

    reader = GaugeReader()
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert (reader.read().gpu, reader.read().gpu_memory) == (None, None)
    for torch, expected in (
        (cuda(utilization=lambda: 40), (0.4, 7)),
        (cuda(utilization=refuses), (None, 7)),
        (cuda(is_initialized=lambda: False), (None, None)),
    ):
        monkeypatch.setitem(sys.modules, "torch", torch)
        read = reader.read()
        assert (read.gpu, read.gpu_memory) == expected


def test_readings_are_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "PAUSE", 60.0)
    reader = GaugeReader()
    assert reader.read() is reader.read()
    assert Gauges(0.123456, 5).to_json() == {"processor": 0.123, "memory": 5, "gpu": None, "gpu_memory": None}
