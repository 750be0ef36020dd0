"""Functions called in a process of their own: nothing imported before, other hashes, folders listed backwards."""

from __future__ import annotations

import glob
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeVar

T = TypeVar("T")


def call_in_process(function: Callable[..., T], *arguments: Any, **environment: str) -> T:
    """Return what a function of a module returns in a new process.

    Args:
        arguments: of the function; they and what it returns pass as JSON.
        environment: variables of the process beside those of this one.

    Raises:
        RuntimeError: it fails, with the last line of its standard error.
    """
    code = (
        f"import json, sys; sys.path[:] = {sys.path!r}\n"
        f"from {function.__module__} import {function.__name__} as function\n"
        "print(json.dumps(function(*json.load(sys.stdin))))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(arguments), capture_output=True, text=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    if result.returncode != 0:
        raise RuntimeError(" ".join(result.stderr.strip().splitlines()[-1:]))
    returned: T = json.loads(result.stdout.splitlines()[-1])
    return returned


class _Backwards(ExitStack):
    """What `os.scandir` gives, the last entry first."""

    def __init__(self, scan: Any) -> None:
        super().__init__()
        with scan:
            self._entries = iter(list(scan)[::-1])

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._entries)


def list_folders_backwards() -> None:
    """List folders the other way round from now on, in this process."""
    listdir, scandir = os.listdir, os.scandir
    os.listdir = lambda *arguments: listdir(*arguments)[::-1]  # type: ignore[assignment]
    os.scandir = lambda *arguments: _Backwards(scandir(*arguments))  # type: ignore[assignment]
    for globber in vars(glob).values():  # since Python 3.13 pathlib keeps scandir there
        if isinstance(globber, type) and "scandir" in vars(globber):
            globber.scandir = staticmethod(os.scandir)  # type: ignore[attr-defined]
