"""The executor ``local``: runs in processes of this machine, one process for those of one model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Annotated

from coabench.base.schema import at_least
from coabench.sweep.executor import Ending, Executor, ExecutorRequest
from coabench.sweep.planned import Planned
from coabench.sweep.worker import order

TICK = 0.1
"""Seconds between two looks at the processes."""
PATIENCE = 10.0
"""Seconds in which runs that are asked to stop may do so: a batch that a model computes cannot be interrupted."""
LAST = 1.0
"""Seconds in which the last word of a process that is dead may come."""
SHOWN = 12
"""Last lines of standard error that are shown of a process that died."""


class LocalExecutor(Executor):
    """Runs some processes at a time.

    A process carries out one run after the other as long as they would load the same model. Where a run fails, the next
    gets a process of its own, so that neither memory nor a crash of one is the loss of another.

    With several jobs and several CUDA devices each job gets a device of its own, in turn; without CUDA each gets its
    share of the cores.
    """

    @dataclass(frozen=True)
    class Options:
        """*jobs*: how many runs at a time."""

        jobs: Annotated[int, at_least(1)] = 1

    def __init__(self, request: ExecutorRequest) -> None:
        self._jobs: int = request.options.jobs

    def execute(self, runs: Sequence[Planned]) -> Generator[Ending | None]:
        """See `coabench.sweep.executor.Executor`."""
        devices = cuda_devices() if self._jobs > 1 else []
        waiting, working = deque(runs), dict[int, _Worker]()
        try:
            while waiting or working:
                for slot in range(self._jobs):
                    if slot not in working and waiting:
                        run = waiting.popleft()
                        working[slot] = _Worker(surroundings(slot, self._jobs, devices, run.request.device))
                        working[slot].begin(run)
                time.sleep(TICK)
                for slot, worker in list(working.items()):
                    if worker.answered:
                        ending = worker.ending()
                        if ending.problem is None and waiting and _same_model(ending.run, waiting[0]):
                            worker.begin(waiting.popleft())
                        else:
                            del working[slot]
                            worker.close()
                        yield ending
                yield None
        finally:
            for worker in working.values():
                worker.terminate()
            until = time.monotonic() + PATIENCE
            for worker in working.values():
                worker.stop(until - time.monotonic())


def surroundings(slot: int, jobs: int, devices: Sequence[str], device: str) -> dict[str, str]:
    """Return the environment variables that a job adds.

    Args:
        slot: which of the *jobs* it is, from 0.
        devices: the CUDA devices of this machine, as ``CUDA_VISIBLE_DEVICES`` names them.
        device: ``--device`` of the run; one that names its device by number keeps it.
    """
    added: dict[str, str] = {}
    if devices and device in ("auto", "cuda"):
        added["CUDA_VISIBLE_DEVICES"] = devices[slot % len(devices)]
    if jobs > 1 and "OMP_NUM_THREADS" not in os.environ:
        added["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // jobs))
    return added


def cuda_devices() -> list[str]:
    """Return the CUDA devices that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    import torch

    count = torch.cuda.device_count()
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return visible[:count] if visible else [str(i) for i in range(count)]


class _Worker:
    """A process that carries out one run at a time."""

    def __init__(self, added: Mapping[str, str]) -> None:
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "coabench.sweep.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **added},
            start_new_session=True,  # Ctrl-C is for the sweep, which then stops its runs
        )
        self._answers: SimpleQueue[bytes] = SimpleQueue()
        Thread(target=self._read, daemon=True).start()

    def begin(self, run: Planned) -> None:
        """Order a run."""
        self._run = run
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it died at once: its ending says so
            self._process.stdin.write(order(run.request, run.identity))
            self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as answers:
            for line in iter(answers.readline, b""):
                self._answers.put(line)

    @property
    def answered(self) -> bool:
        """Whether it says how the run ended, or is dead."""
        return not self._answers.empty() or self._process.poll() is not None

    def ending(self) -> Ending:
        """Return how its run ended: what it says itself, or what can be seen of its death."""
        try:
            problem = json.loads(self._answers.get(timeout=LAST))["problem"]
        except (Empty, ValueError, LookupError, TypeError):
            self._process.wait()
            problem = self._death()
        return Ending(self._run, problem)

    def close(self) -> None:
        """Let it end, whose run has."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self.stop(PATIENCE)

    def terminate(self) -> None:
        """Ask it to stop; its run then says that it was."""
        self._process.terminate()

    def stop(self, patience: float) -> None:
        """Wait until it has stopped, then kill it, wherever it is: its log stays valid."""
        try:
            self._process.wait(max(0.0, patience))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close()

    def _death(self) -> str:
        code = self._process.returncode
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").strip().splitlines()[-SHOWN:]
        how = f"ended with exit code {code}" if code >= 0 else f"was killed by {_signal(-code)}"
        if code == -9:
            how += ", as systems do that run out of memory"
        return "\n".join([f"the process of the run {how}", *(f"  {line}" for line in said)])

    def _close(self) -> None:
        for file in (self._process.stdin, self._errors):
            if file is not None:
                with suppress(BrokenPipeError):
                    file.close()


def _same_model(one: Planned, other: Planned) -> bool:
    return one.model is not None and one.model == other.model


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
