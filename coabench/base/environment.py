"""What a run records about the machine and the software, beside its identity."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from coabench.base.shipped import CHECKOUT

PACKAGES = ("coabench", "torch", "transformers", "peft", "accelerate", "safetensors", "numpy", "pillow",
            "opencv-python", "opencv-python-headless")  # fmt: skip


def describe() -> Mapping[str, Any]:
    """Return versions, platform, processor, memory, and the git commit where the bench runs from a checkout."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "memory_gib": memory_gib(),
        "packages": installed(*PACKAGES),
        "git": _git(),
    }


def installed(*names: str) -> dict[str, str]:
    """Return the version of each of these packages that is installed."""
    return {name: found for name in names if (found := _version(name))}


def processor() -> str | None:
    """Return the model of the processor; None where the system does not say."""
    return next(iter(cpu_fields("model name")), platform.processor()) or None


def memory_gib() -> float | None:
    """Return the memory of the machine in GiB, to a tenth; None where the system does not say."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


@cache
def cpu_fields(name: str) -> tuple[str, ...]:
    """Return the values of a field of ``/proc/cpuinfo``, one per processor; none where there is no such file."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    pairs = [line.partition(":") for line in lines]
    return tuple(value.strip() for field, _, value in pairs if field.strip() == name)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git() -> Mapping[str, Any] | None:
    if not (CHECKOUT / ".git").exists():
        return None
    commands = (["git", "rev-parse", "HEAD"], ["git", "status", "--porcelain", "--untracked-files=no"])
    try:
        commit, changes = (
            subprocess.run(c, cwd=CHECKOUT, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
            for c in commands
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": bool(changes)}
