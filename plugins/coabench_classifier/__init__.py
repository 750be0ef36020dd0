"""Classifiers of basic emotions, as ONNX or TorchScript files, beside the models that are asked in words."""

from __future__ import annotations

from coabench import hookimpl
from coabench.hookspecs import Register


@hookimpl
def coabench_register_backbones(register: Register) -> None:
    """Register the backbone ``classifier``."""
    register(
        "classifier",
        "coabench_classifier.backbone:Classifier",
        description="basic-emotion probabilities of an ONNX or TorchScript file: classifier:FILE",
    )
