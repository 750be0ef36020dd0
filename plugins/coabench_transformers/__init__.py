"""Any image-text-to-text model of transformers, as a backbone."""

from __future__ import annotations

from coabench import hookimpl
from coabench.hookspecs import Register


@hookimpl
def coabench_register_backbones(register: Register) -> None:
    """Register the backbone ``transformers``."""
    register(
        "transformers",
        "coabench_transformers.backbone:TransformersVision",
        description="any image-text-to-text model of transformers, from a folder or the hub",
        loaded="coabench_transformers.loaded:backbone_of",
    )
