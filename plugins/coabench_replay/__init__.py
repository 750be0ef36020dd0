"""Answers from a log: what a run recorded, asked again of nobody."""

from __future__ import annotations

from coabench import hookimpl
from coabench.hookspecs import Register


@hookimpl
def coabench_register_backbones(register: Register) -> None:
    """Register the backbone ``replay``."""
    register(
        "replay",
        "coabench_replay.backbone:Replay",
        description="the answers that a run has recorded: replay:RUN, its directory or its predictions.jsonl",
    )
