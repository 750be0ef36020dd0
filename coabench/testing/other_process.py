"""Folders listed backwards, as another file system may list them."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any


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
