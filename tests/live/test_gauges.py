"""What a session takes of its machine."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from coabench.live import gauges
from coabench.live.gauges import GaugeReader, Gauges


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges, "PAUSE", 0.0)


def test_the_processor_is_a_share_of_all_cores_since_the_last_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, family = iter([100.0, 110.0, 111.0]), iter([(1.0, 5), (6.0, 7), (5.0, 7)])
    monkeypatch.setattr(gauges, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(gauges, "_family", lambda: next(family))
    monkeypatch.setattr(gauges, "_gpu", lambda: (None, None))
    monkeypatch.setattr(gauges.os, "cpu_count", lambda: 2)
    reader = GaugeReader()
    assert reader.read() == Gauges(0.25, 7)
    assert reader.read() == Gauges(0.0, 7)  # one of its processes has ended


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="read from /proc")
def test_processes_that_it_started_count() -> None:
    code = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass\nprint(); input()"
    alone = gauges._family()
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        started.stdout.readline()
        both = gauges._family()
        started.communicate(b"\n")
    assert both[0] > alone[0] + 0.15
    assert alone[1] is not None
    assert both[1] is not None
    assert both[1] > alone[1] + 2**20


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
