"""The samples of a data set as another process sees them: other hashes, folders listed the other way round."""

from __future__ import annotations

import glob
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coabench.dataset import Card
from coabench.registry.options import distribute
from coabench.registry.registrations import Registration
from coabench.testing.datasets import listed


class _Backwards:
    """What `os.scandir` gives, the last entry first."""

    def __init__(self, scan: Any) -> None:
        with scan:
            self._entries = list(scan)[::-1]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._entries)

    def __next__(self) -> Any:
        if not self._entries:
            raise StopIteration
        return self._entries.pop(0)

    def __enter__(self) -> _Backwards:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def close(self) -> None:
        return


def main() -> None:
    """Read the request from standard input, and print the samples as JSON."""
    request = json.load(sys.stdin)
    factory = Registration("", request["target"], "", "").load()  # imports are over before folders turn round
    listdir, scandir = os.listdir, os.scandir
    os.listdir = lambda *arguments: listdir(*arguments)[::-1]  # type: ignore[assignment]
    os.scandir = lambda *arguments: _Backwards(scandir(*arguments))  # type: ignore[assignment]
    for globber in vars(glob).values():  # since Python 3.13 pathlib keeps scandir there
        if isinstance(globber, type) and "scandir" in vars(globber):
            globber.scandir = staticmethod(os.scandir)  # type: ignore[attr-defined]
    root = Path(request["root"]) if request["root"] else None
    options = distribute(request["assignments"], {"dataset": factory.Options})["dataset"]
    dataset = factory(Card.read(Path(request["card"])), root, options)
    print(json.dumps(listed({split: dataset.samples(split) for split in request["splits"]})))
