"""What coabench itself registers, which no plugin can take the name of and nobody can disable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coabench.base.version import __version__
from coabench.registry.registrations import Registration

OWN = "coabench"
"""What stands for a plugin there."""


def _made(name: str, target: str, description: str, **details: Any) -> Registration:
    return Registration(name, target, OWN, __version__, description, details)


BUILT_IN: Mapping[str, tuple[Registration, ...]] = {
    "parsers": (
        _made("exact", "coabench.inference.parsing:exact", "the label but for case and quotes, as published"),
        _made("standard", "coabench.inference.parsing:standard", 'or a synonym, or a last sentence "the answer is X"'),
        _made("lenient", "coabench.inference.parsing:lenient", "or a label that an explanation follows"),
    ),
    "executors": (
        _made("local", "coabench.sweep.local:LocalExecutor", "processes on this machine, jobs=1 at a time"),
        _made(
            "ray",
            "coabench.sweep.ray:RayExecutor",
            "tasks on a Ray cluster, that of address=HOST:PORT or one here",
            available="coabench.sweep.availability:ray",
        ),
    ),
}
"""Kind -> its registrations."""
