"""A server that a run starts for itself, on this machine, and ends with itself: ``--set serve_with=vllm``."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Self

from coabench.base.text import safe
from coabench.errors import JobError, UserError
from coabench_openai.address import Address
from coabench_openai.lora import OWN_ARGUMENTS as LORA_ARGUMENTS
from coabench_openai.lora import ServedLora
from coabench_openai.options import ServerOptions

SUPERVISOR = Path(__file__).with_name("supervise.py")
PATIENCE = 10.0
"""Seconds that the server has to end by itself."""
OWN_ARGUMENTS = ("--host", "--port", "--uds", "--api-key", "--served-model-name")
SECRETS = ("OPENAI_API_KEY", "VLLM_API_KEY")
"""Variables that the server does not get: it is asked without a key."""
SHOWN = 5
"""Lines of the log that an error shows."""
_log = logging.getLogger(__name__)


class LocalServer:
    """``vllm serve`` on a free port of the loopback address.

    Args:
        command: the executable and its arguments, without the address.
        within: how many seconds it may take until it is ready.

    Attributes:
        address: where it will listen.
        log: the file of its output; one in the folder for temporary files unless somebody says otherwise.
        version: what it says of itself; None before it runs.
    """

    def __init__(self, command: Sequence[str], within: float) -> None:
        self._within = within
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        self.address = Address.read(f"http://127.0.0.1:{port}/v1")
        self._command = [*command, "--host", "127.0.0.1", "--port", str(port)]
        self.log: Path | None = None
        self.version: str | None = None
        self._end: weakref.finalize[[subprocess.Popen[bytes]], LocalServer] | None = None

    @classmethod
    def of(cls, model: str, options: ServerOptions, lora: ServedLora | None = None) -> Self | None:
        """Return the server that the options ask for, not started; None where they ask for none.

        Args:
            model: a folder, or a hub id.
            lora: is served beside it.

        Raises:
            UserError: the executable is not there, or the options contradict one another.
        """
        if options.serve_with is None:
            if options.serve_args:
                raise UserError(
                    "serve_args has no effect without serve_with", remedy="add --set serve_with=vllm, or leave it away"
                )
            return None
        if options.base_url is not None:
            raise UserError(
                "base_url and serve_with contradict each other",
                expected="the address of a server that runs, or one that is started for the run",
                remedy="leave one of the two away",
            )
        executable = shutil.which(str(Path(options.serve_with).expanduser()))
        if executable is None:
            raise UserError(
                f"--set serve_with={options.serve_with}: there is no such executable",
                expected="vllm, or the path of that executable in an environment of its own",
                remedy="install vLLM, or correct the path",
            )
        own = (*OWN_ARGUMENTS, *(LORA_ARGUMENTS if lora else ()))
        more = [*(lora.arguments if lora else ()), *_arguments(options.serve_args, own)]
        return cls([executable, "serve", model, *more], options.serve_within)

    def start(self) -> None:
        """Start it, and wait until it is ready.

        Raises:
            JobError: it ends, or is not ready in time.
        """
        log = self._open_log()
        _log.warning(f"starting {shlex.join(self._command)}; its log is {self.log}")
        environment = {name: value for name, value in os.environ.items() if name not in SECRETS}
        with log:
            process = subprocess.Popen(
                [sys.executable, "-I", str(SUPERVISOR), str(PATIENCE), *self._command],
                stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=environment,
                start_new_session=True,  # Ctrl-C is for the run, which then ends it
            )  # fmt: skip
        self._end = weakref.finalize(self, _end, process)
        until = time.monotonic() + self._within
        while not self._is_ready():
            if process.poll() is not None:
                raise self._failed("the server has ended before it was ready")
            if time.monotonic() > until:
                raise self._failed(f"the server is not ready after {self._within:g} seconds (--set serve_within=…)")
            time.sleep(0.2)
        self.version = self._asked_version()
        _log.warning(f"{self.address.url} is ready: vLLM {self.version or 'of unknown version'}")

    def stop(self) -> None:
        """End it, with all its processes; it may have ended already."""
        if self._end is not None:
            self._end()

    def _open_log(self) -> IO[bytes]:
        if self.log is None:
            number, name = tempfile.mkstemp(prefix="coabench-vllm-", suffix=".log")
            self.log = Path(name)
            return os.fdopen(number, "ab")
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            return self.log.open("ab")
        except OSError as error:
            raise JobError(f"the server's log {self.log} cannot be written", found=error.strerror) from None

    def _is_ready(self) -> bool:
        return self._get("/health") is not None

    def _asked_version(self) -> str | None:
        with contextlib.suppress(ValueError):
            told = json.loads(self._get("/version") or b"")
            if isinstance(told, dict) and isinstance(told.get("version"), str):
                return safe(told["version"], 100)
        return None

    def _get(self, path: str) -> bytes | None:
        """Return a small body of the server; None where it does not answer."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with contextlib.suppress(OSError), opener.open(f"http://{self.address.host}{path}", timeout=5) as answer:
            return bytes(answer.read(10_000))
        return None

    def _failed(self, problem: str) -> JobError:
        self.stop()
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log else []
        said = [safe(line, 200) for line in lines if line.strip()][-SHOWN:]
        return JobError(
            problem,
            expected=shlex.join(self._command),
            found=" | ".join(said) or "no word",
            remedy=f"read {self.log}; --set serve_args=… takes further arguments of vllm serve",
        )


def _arguments(typed: str, own: Sequence[str]) -> list[str]:
    try:
        arguments = shlex.split(typed)
    except ValueError as error:
        raise UserError(
            f"--set serve_args={typed} cannot be read",
            expected="arguments as in a shell",
            found=str(error),
            remedy="close the quotes",
        ) from None
    for argument in arguments:
        if argument.partition("=")[0].replace("_", "-") in own:
            raise UserError(
                f"--set serve_args={typed}: {argument} is said by coabench itself",
                expected="other arguments of vllm serve, such as --max-model-len 4096",
                remedy="leave it away",
            )
    return arguments


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the supervisor, which ends the server's group; end the group itself where that takes too long."""
    with contextlib.suppress(OSError):
        process.terminate()
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(PATIENCE + 5)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
