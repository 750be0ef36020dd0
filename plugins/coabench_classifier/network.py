"""Networks in files: one image in, one row of numbers out."""

from __future__ import annotations

import warnings
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coabench.base.reading import is_file, what_is_at
from coabench.errors import UserError, first_line

Numbers = npt.NDArray[np.float32]
Shape = tuple[int | None, int | None, int | None, int | None]

_EXTERNAL = b"\n\x08location\x12"
"""How ``key: "location"`` of a tensor that is kept in another file is written in an ONNX file (protobuf)."""


class Network(ABC):
    """A network that was opened.

    Attributes:
        shape: of its input, None for sizes that the file leaves open; None as a whole where it says nothing.
        runtime: what runs it, with the version.
    """

    shape: Shape | None
    runtime: str

    @abstractmethod
    def __call__(self, image: Numbers) -> npt.NDArray[Any]:
        """Return the output for one image, a batch of one."""


def open_network(path: Path) -> Network:
    """Open a file.

    Raises:
        UserError: it is not there, is something else, or has other inputs and outputs than a classifier of images.
    """
    kinds: dict[str, type[OnnxNetwork] | type[TorchScriptNetwork]] = {
        ".onnx": OnnxNetwork,
        ".pt": TorchScriptNetwork,
        ".torchscript": TorchScriptNetwork,
    }
    if path.suffix.lower() not in kinds or not is_file(path):
        raise UserError(
            f"{path} is no classifier",
            expected=f"a file that ends in {', '.join(kinds)}",
            found="another file" if is_file(path) else what_is_at(path),
            remedy="correct --backbone classifier:FILE",
        )
    return kinds[path.suffix.lower()](path)


class OnnxNetwork(Network):
    """An ONNX file with its weights inside, run by onnxruntime on the CPU."""

    def __init__(self, path: Path) -> None:
        try:
            onnxruntime: Any = import_module("onnxruntime")
        except ImportError as error:
            raise UserError(
                "ONNX files need onnxruntime, which cannot be imported",
                found=str(error),
                remedy="pip install 'coabench[classifier]'",
            ) from error
        content = path.read_bytes()
        if _EXTERNAL in content:  # read from wherever the working directory has such a file, and not in any hash
            raise UserError(
                f"{path} keeps its weights in another file",
                expected="an ONNX file with its weights inside, so that its hash says what ran",
                remedy="export it with external_data=False",
            )
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no base class of their own
            raise UserError(
                f"{path} cannot be opened", expected="an ONNX file", found=first_line(error), remedy="export it anew"
            ) from error
        self.runtime = f"onnxruntime {onnxruntime.__version__}"
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        signature = ", ".join(f"{i.name}: {i.type} {i.shape}" for i in inputs)
        if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
            raise UserError(
                f"{path} has other inputs than a classifier of images",
                expected="one input, a float tensor of four dimensions (batch, channels, height, width in some order)",
                found=signature or "none",
                remedy="export the classifier alone, with images as its input",
            )
        if inputs[0].shape[0] not in (1, None) and not isinstance(inputs[0].shape[0], str):
            raise UserError(
                f"{path} takes only {inputs[0].shape[0]} images at a time",
                expected="one image at a time, or any number",
                found=signature,
                remedy="export it with a batch of one, or an open one",
            )
        if len(outputs) != 1:
            raise UserError(
                f"{path} has {len(outputs)} outputs",
                expected="one, with a number per class",
                found=", ".join(output.name for output in outputs),
                remedy="export the classifier with that output alone",
            )
        self._input = inputs[0].name
        self.shape = _sizes(inputs[0].shape)

    def __call__(self, image: Numbers) -> npt.NDArray[Any]:
        return np.asarray(self._session.run(None, {self._input: image})[0])


class TorchScriptNetwork(Network):
    """A TorchScript archive, run by torch on the CPU. Such an archive is a program: see docs/classifier.md."""

    shape = None

    def __init__(self, path: Path) -> None:
        if not _is_torchscript(path):  # what torch.save writes looks alike, and holds Python objects
            raise UserError(
                f"{path} is no TorchScript archive",
                expected="what torch.jit.save writes, code and weights",
                found="a pickle (such as a state dict), or something else: it is not opened",
                remedy="export the model with torch.jit.trace(model, example).save(FILE), or as ONNX",
            )
        torch: Any = import_module("torch")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # a word to those who write such files
                module = torch.jit.load(str(path), map_location="cpu")
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"{path} cannot be opened", expected="a TorchScript archive", found=first_line(error)
            ) from error
        self._module, self._torch = module.eval().float(), torch
        self.runtime = f"torch {torch.__version__}"

    def __call__(self, image: Numbers) -> npt.NDArray[Any]:
        with self._torch.inference_mode():
            output = self._module(self._torch.from_numpy(image))
        if not isinstance(output, self._torch.Tensor):
            raise TypeError(f"the output is a {type(output).__name__}, not one tensor")
        return np.asarray(output.float().numpy())


def _is_torchscript(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False
    return any(n.endswith("/constants.pkl") for n in names) and any("/code/" in n for n in names)


def _sizes(shape: Sequence[Any]) -> Shape:
    batch, *rest = (size if isinstance(size, int) else None for size in shape)
    return (batch, rest[0], rest[1], rest[2])
