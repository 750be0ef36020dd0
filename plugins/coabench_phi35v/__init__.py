"""Phi-3.5-vision as a backbone: a native port on torch, without remote code and without torchvision."""

from __future__ import annotations

from coabench import hookimpl
from coabench.hookspecs import Register


@hookimpl
def coabench_register_backbones(register: Register) -> None:
    """Register the port under the name that users type."""
    register(
        "phi-3.5-vision",
        "coabench_phi35v.backbone:Phi35Vision",
        description="Phi-3.5-vision and its LoRA adapters, looked at once and asked many times",
    )
