"""The smallest classifiers there are: the mean colour of an image, then one linear layer; ONNX and TorchScript."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FER2013 = ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")
"""Classes in an order and spelling that are not the label spaces'."""


def weights(classes: int = len(FER2013), channels: int = 3) -> np.ndarray:
    """Return weights, shape (channels, classes): the hue of a picture decides, not its brightness."""
    drawn = np.random.default_rng(7).normal(0, 30, (channels, classes))
    return (drawn - drawn.mean(0)).astype(np.float32)


def list_labels(model: Path, labels: Sequence[str] = FER2013) -> None:
    """Write the label list beside a model."""
    model.with_suffix(".labels.txt").write_text("\n".join(labels) + "\n")


def write_onnx(
    path: Path,
    *,
    shape: Sequence[int | str] = ("n", 3, 32, 32),
    labels: Sequence[str] = FER2013,
    softmax: bool = False,
    kind: int = TensorProto.FLOAT,
    inputs: int = 1,
    outputs: int = 1,
    **saving: object,
) -> Path:
    """Write such a network, with its label list."""
    flat = len(shape) == 2  # no image at all
    first = shape[1] in (1, 3)
    channels = int(shape[1] if first else shape[3])
    axes = [2, 3] if first else [1, 2]
    mean = {"axes": axes, "keepdims": 0}
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Identity" if flat else "ReduceMean", ["float"], ["mean"], **({} if flat else mean)),
        helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
        helper.make_node("Softmax" if softmax else "Identity", ["logits"], ["out"]),
        *(helper.make_node("Identity", ["logits"], [f"more{i}"]) for i in range(1, outputs)),
    ]
    given = [helper.make_tensor_value_info("image", kind, list(shape))]
    given += [helper.make_tensor_value_info(f"also{i}", TensorProto.FLOAT, ["n"]) for i in range(1, inputs)]
    made = [helper.make_tensor_value_info("out", TensorProto.FLOAT, [shape[0], len(labels)])]
    made += [helper.make_tensor_value_info(f"more{i}", TensorProto.FLOAT, [shape[0], len(labels)])
             for i in range(1, outputs)]  # fmt: skip
    constants = [numpy_helper.from_array(weights(len(labels), channels), "weights")]
    graph = helper.make_graph(nodes, "colour", given, made, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9)
    onnx.save(model, str(path), **saving)
    list_labels(path, labels)
    return path


def write_torchscript(path: Path, size: int = 32) -> Path:
    """Write the same network as a TorchScript archive, with its label list."""
    import torch

    class Colour(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = torch.nn.Parameter(torch.from_numpy(weights()))

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return image.mean((2, 3)) @ self.weights

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(Colour().eval(), torch.zeros(1, 3, size, size)).save(str(path))
    list_labels(path)
    return path
