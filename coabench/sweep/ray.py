"""The executor ``ray``: every run a task on a Ray cluster, started again where a worker is lost.

A task is started again in another process, maybe on another machine, and resumes the run's directory. So all machines
must see the same file system at the same paths, and have the same coabench and plugins.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from typing import Any

from coabench.base import signals
from coabench.errors import JobError, UserError, first_line
from coabench.runs.identity_part import Part
from coabench.sweep.executor import Ending, Executor, ExecutorRequest
from coabench.sweep.planned import Planned
from coabench.sweep.sheet import Resources
from coabench.sweep.worker import perform

LOCAL = "local"
"""The address of a cluster that is started on this machine and ends with the sweep."""
RETRIES = 3
"""How often a run is started again whose worker was lost."""
STORE = 100 * 2**20
"""Bytes of Ray's object store: requests and results are small."""
TICK = 0.5
PATIENCE = 10.0
"""Seconds that a cluster may take to answer at all."""


class RayExecutor(Executor):
    """Carries out runs as Ray tasks. Raises `UserError` where Ray cannot be imported."""

    spreads = True

    @dataclass(frozen=True)
    class Options:
        """*address*: of the cluster; None for that of ``RAY_ADDRESS``, or one on this machine."""

        address: str | None = None

    def __init__(self, request: ExecutorRequest) -> None:
        self._address: str = request.options.address or os.environ.get("RAY_ADDRESS") or LOCAL
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read at import: no usage statistics unasked
        if self._address == LOCAL:
            # Ray listens on every network interface and obeys whoever connects: only this sweep has the password.
            os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        try:
            with signals.kept():  # Ray handles SIGTERM, too
                import ray
        except ImportError:
            raise UserError("the executor ray needs Ray, which cannot be imported",
                            remedy="pip install 'coabench[ray]'") from None  # fmt: skip
        self._ray: Any = ray
        self._open = ExitStack()

    def check(self, runs: Sequence[Planned]) -> None:
        """Connect to the cluster, or begin one; refuse what a cluster on this machine will never have."""
        self._check_address()
        own = {"include_dashboard": False, "object_store_memory": STORE} if self._address == LOCAL else {}
        self._open.enter_context(redirect_stdout(sys.stderr))  # where Ray tells of lost workers
        self._open.callback(self._ray.shutdown)
        try:
            with signals.kept():
                self._ray.init(address=self._address, logging_level="ERROR", log_to_driver=False, **own)
        except Exception as error:  # Ray raises whatever it likes, plain Exception included
            if self._address == LOCAL:
                raise JobError("no Ray cluster could be begun on this machine", found=first_line(error),
                               remedy="run the same command again, or leave --executor ray out") from None  # fmt: skip
            raise UserError(
                f"there is no Ray cluster at {self._address} that could be used",
                found=first_line(error),
                remedy="correct --ray-address or RAY_ADDRESS, or leave both out for a cluster on this machine",
            ) from None
        if self._address == LOCAL:
            self._check_resources(runs)

    def _check_address(self) -> None:
        """Refuse an address where nobody answers: Ray itself would retry for many minutes."""
        if self._address in (LOCAL, "auto"):
            return
        host, colon, port = self._address.rpartition(":")
        if "//" in self._address or not colon or not port.isdigit():
            raise UserError(f"--ray-address {self._address} cannot be used", expected="HOST:PORT, auto or local",
                            remedy="give the address that `ray start --head` printed")  # fmt: skip
        try:
            socket.create_connection((host, int(port)), timeout=PATIENCE).close()
        except (OSError, OverflowError) as error:
            raise UserError(
                f"nobody answers at the Ray address {self._address}",
                found=str(error),
                remedy="correct --ray-address or RAY_ADDRESS, or leave both out for a cluster on this machine",
            ) from None

    def _check_resources(self, runs: Sequence[Planned]) -> None:
        there = self._ray.cluster_resources()
        for run in runs:
            for what, wanted, available in (
                ("CPUs", run.resources.cpus, there.get("CPU", 0)),
                ("GPUs", run.resources.gpus, there.get("GPU", 0)),
                ("bytes of memory", run.resources.memory, there.get("memory", 0)),
            ):
                if wanted is not None and wanted > available:
                    self._open.close()
                    raise UserError(
                        f"the run {run.label} asks for {wanted:,.10g} {what}, which this machine does not have",
                        expected=f"at most {available:,.10g}",
                        remedy="lower 'resources' in the sheet, or pass --ray-address of a cluster that has them",
                    )

    def execute(self, runs: Sequence[Planned]) -> Generator[Ending | None]:
        """See `coabench.sweep.executor.Executor`."""
        task = self._ray.remote(max_retries=RETRIES, max_calls=1)(perform_there)  # max_calls: a process for each
        folder, variables = os.getcwd(), {k: v for k, v in os.environ.items() if k.startswith("COABENCH_")}  # noqa: PTH109
        working: dict[Any, Planned] = {}
        try:
            working |= {
                task.options(**options_of(run.resources), name=run.directory.name).remote(
                    folder, variables, run.request, run.identity
                ): run
                for run in runs
            }
            while working:
                ended, _ = self._ray.wait(list(working), timeout=TICK)
                for one in ended:
                    yield Ending(working.pop(one), self._problem(one))
                yield None
                if working and not self._ray.is_initialized():
                    raise JobError("the connection to the Ray cluster is lost", remedy="run the same command again")
        finally:
            self._stop(working)
            self._open.close()

    def _stop(self, working: Mapping[Any, Planned]) -> None:
        """Ask what still runs to stop; each run then says that it was."""
        if working and self._ray.is_initialized():
            for one in working:
                self._ray.cancel(one)
            self._ray.wait(list(working), num_returns=len(working), timeout=PATIENCE)

    def _problem(self, one: Any) -> str | None:
        try:
            problem: str | None = self._ray.get(one)
        except self._ray.exceptions.RayError as error:
            return f"Ray could not carry out the run ({type(error).__name__}): {first_line(error)}"
        return problem


def perform_there(folder: str, variables: Mapping[str, str], request: Any, identity: Part) -> str | None:
    """Carry out a run in a Ray worker, in the folder and with coabench's variables of the sweep."""
    os.environ.update(variables)
    # Ray cancels by it; a sweep in the background of a script has it ignored, and its workers inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        os.chdir(folder)
    except OSError as error:
        return (
            f"the worker does not see the folder {folder}: {error.strerror}\n"
            "  what to do: run the sweep in a folder on a file system that all machines of the cluster share"
        )
    return perform(request, identity)


def options_of(resources: Resources) -> dict[str, float]:
    """Return what Ray is to reserve for a run: one CPU where the sheet leaves it open."""
    options = {"num_cpus": resources.cpus, "num_gpus": resources.gpus, "memory": resources.memory}
    return {name: value for name, value in options.items() if value is not None}
