"""What a plugin's tests can use: conformance suites, a scripted backbone, tiny images, a tiny run.

Nothing here is imported before it is used, and pytest only by the suites.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coabench.testing.findings import Defect, Finding
    from coabench.testing.pictures import Picture, draw_face, tiny_images
    from coabench.testing.runs import registered, tiny_run
    from coabench.testing.scripted import ScriptedBackbone, play
    from coabench.testing.spaces import BASIC, COMPOUND, task
    from coabench.testing.suites import (
        BackboneConformance,
        CommandConformance,
        DatasetConformance,
        DetectorConformance,
        ExecutorConformance,
        MetricConformance,
        ParserConformance,
        PluginConformance,
        RewriteConformance,
        SectionConformance,
        StrategyConformance,
        TransformConformance,
    )

_MODULES = ("findings", "pictures", "spaces", "scripted", "runs", "suites")
"""Those that name what is offered, the lightest first."""

__all__ = [
    "BASIC",
    "COMPOUND",
    "BackboneConformance",
    "CommandConformance",
    "DatasetConformance",
    "Defect",
    "DetectorConformance",
    "ExecutorConformance",
    "Finding",
    "MetricConformance",
    "ParserConformance",
    "Picture",
    "PluginConformance",
    "RewriteConformance",
    "ScriptedBackbone",
    "SectionConformance",
    "StrategyConformance",
    "TransformConformance",
    "draw_face",
    "play",
    "registered",
    "task",
    "tiny_images",
    "tiny_run",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        modules = (importlib.import_module(f"{__name__}.{module}") for module in _MODULES)
        return next(getattr(module, name) for module in modules if hasattr(module, name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
