"""The embedded default model: Phi-3.5-vision's architecture and code at a thousandth of its size."""

from __future__ import annotations

from coabench import hookimpl
from coabench.hookspecs import Register


@hookimpl
def coabench_register_backbones(register: Register) -> None:
    """Register the backbone ``tiny``."""
    register(
        "tiny",
        "coabench_tiny.backbone:Tiny",
        description="a 3.3 million parameter Phi-3.5-vision for synthetic faces, with its weights",
    )
