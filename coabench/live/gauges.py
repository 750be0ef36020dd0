"""What a session takes of its machine: processor, memory, GPU; as far as it says so without more packages."""

from __future__ import annotations

import mmap
import os
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PAUSE = 1.0
"""Seconds between two readings; a reading takes some milliseconds."""
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True)
class Gauges:
    """Readings; None for what cannot be read here.

    Attributes:
        processor: the share of all cores that this process and those it started took since the last reading, 0…1.
        memory: bytes of main memory that they hold; shared pages count for each.
        gpu: the share of the last moments in which the GPU computed, whoever for, 0…1.
        gpu_memory: bytes of its memory in use, whoever uses them.
    """

    processor: float | None = None
    memory: int | None = None
    gpu: float | None = None
    gpu_memory: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the readings by their names, shares rounded to thousandths."""
        return {name: round(value, 3) if value is not None else None for name, value in asdict(self).items()}


class GaugeReader:
    """Reads the gauges, once in a while, from any thread."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._at, self._used = time.monotonic(), _family()[0]
        self._last = Gauges()

    def read(self) -> Gauges:
        """Return the readings, at most `PAUSE` old; of the processor None in the first moments."""
        with self._reading:
            now = time.monotonic()
            if now - self._at >= PAUSE:
                used, memory = _family()
                share = max(0.0, used - self._used) / (now - self._at) / (os.cpu_count() or 1)
                self._at, self._used = now, used
                self._last = Gauges(min(1.0, share), memory, *_gpu())
            return self._last


def _family() -> tuple[float, int | None]:
    """Return the seconds of processor time, and the bytes of memory, of this process and those that descend from it.

    Others are known on Linux only, and so is memory; one that has ended counts no more.
    """
    own, found = os.getpid(), {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):  # it has ended meanwhile
            fields = path.read_text().rpartition(")")[2].split()  # from the third on; see proc(5)
            found[int(path.parent.name)] = int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[21])
    family = [own] if own in found else []
    for process in family:  # which grows meanwhile
        family += [child for child, (parent, _, _) in found.items() if parent == process]
    seconds = sum(os.times()[:2]) + sum(found[each][1] for each in family[1:]) / _TICKS
    return seconds, sum(found[each][2] for each in family) * mmap.PAGESIZE if family else None


def _gpu() -> tuple[float | None, int | None]:
    """Return how busy the GPU is and what of its memory is in use, where torch works on one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None, None
    busy: float | None = None
    with suppress(Exception):  # nvidia-ml-py is not installed, or its driver refuses
        busy = torch.cuda.utilization() / 100
    free, total = torch.cuda.mem_get_info()
    return busy, total - free
