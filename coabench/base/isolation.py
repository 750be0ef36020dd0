"""Functions called in a process of their own: nothing imported before; a crash or a hang of theirs is an error here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class ProcessFailed(RuntimeError):
    """The function did not return; the message says how its process ended, and the last line of its standard error."""


def call_in_process(
    function: Callable[..., T], *arguments: Any, patience: float | None = None, **environment: str
) -> T:
    """Return what a function of a module returns in a new process.

    Args:
        arguments: of the function; they and what it returns pass as JSON.
        patience: seconds after which the process is ended; None for none.
        environment: variables of the process beside those of this one.

    Raises:
        ProcessFailed: it raised, crashed, or took too long.
    """
    code = (
        f"import json, sys; sys.path[:] = {sys.path!r}\n"
        f"from {function.__module__} import {function.__name__} as function\n"
        "print(json.dumps(function(*json.load(sys.stdin))))"
    )
    try:
        result = subprocess.run(
            [sys.executable, "-c", code], input=json.dumps(arguments).encode(), capture_output=True, check=False,
            env={**os.environ, **environment}, timeout=patience,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ProcessFailed(f"no answer within {patience:.0f} s{_last_line(error.stderr, ' after: ')}") from None
    if result.returncode < 0:
        ended = signal.strsignal(-result.returncode) or f"signal {-result.returncode}"
        raise ProcessFailed(f"its process crashed ({ended}){_last_line(result.stderr, ' after: ')}")
    if result.returncode != 0 or not result.stdout:
        raise ProcessFailed(_last_line(result.stderr) or f"its process ended with exit code {result.returncode}")
    try:
        returned: T = json.loads(result.stdout.splitlines()[-1])
    except ValueError:
        raise ProcessFailed(f"its process wrote something else at the end{_last_line(result.stdout, ': ')}") from None
    return returned


def _last_line(output: bytes | None, before: str = "") -> str:
    lines = (output or b"").decode(errors="replace").strip().splitlines()
    return before + lines[-1] if lines else ""
