"""Sweeps of scripted runs, and what they left."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .runs import manifest, untimed

SHEET = """
name: four
defaults: {backbone: scripted, dataset: drawn, batch_size: 4}
axes:
  strategy: [direct, chain-of-affect]
  decode: [generate, score]
  set: {count: [40]}
"""
"""Four runs of 40 samples."""

SLOW = SHEET.replace("batch_size: 4", "batch_size: 4, set: {delay: 0.05}")
"""The same four runs, each of which takes half a second or more."""

Write = Callable[..., Path]


def logs(output: Path) -> dict[str, list[dict[str, Any]]]:
    """The records of every run of a sweep, without timings."""
    return {log.parent.name: untimed(log.parent) for log in output.glob("*/predictions.jsonl")}


def manifests(output: Path) -> list[dict[str, Any]]:
    return [manifest(path.parent) for path in sorted(output.glob("*/run.json"))]


def workers(beginning: bytes, holding: bytes = b"") -> list[int]:
    """The processes whose command line begins so and holds that."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if command.startswith(beginning) and holding in command:
            found.append(int(folder.name))
    return found


def children(pid: int) -> list[int]:
    """The processes that a process has begun and that still are."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split() if _alive(int(child))]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
