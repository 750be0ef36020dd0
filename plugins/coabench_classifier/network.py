"""Networks in files: one image in, one row of numbers out."""

from __future__ import annotations

import hashlib
import io
import warnings
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from coabench.base.names import require_utf8
from coabench.base.reading import is_file, what_is_at
from coabench.errors import UserError, first_line
from coabench_classifier.onnx_file import LARGEST, required, self_contained, unopened

Numbers = npt.NDArray[np.float32]
Shape = tuple[int | None, int | None, int | None, int | None]

TORCHSCRIPT = "torchscript"
"""What ``--set trust=`` names."""


class Network(ABC):
    """A network that was opened.

    Attributes:
        shape: of its input, None for sizes that the file leaves open; None as a whole where it says nothing.
        runtime: what runs it, with the version.
        sha256: of the bytes that were opened.
        facts: what a run records beside: what the user trusted.
    """

    shape: Shape | None
    runtime: str
    sha256: str
    facts: Mapping[str, str] = MappingProxyType({})

    @abstractmethod
    def __call__(self, image: Numbers) -> npt.NDArray[Any]:
        """Return the output for one image, a batch of one."""


def open_network(path: Path, trust: str | None) -> Network:
    """Open a file.

    Args:
        trust: the kind of program that the user trusts; None for none.

    Raises:
        UserError: it is not there, is something else, is a program that the user has not trusted, or has other inputs
            and outputs than a classifier of images.
    """
    kinds: dict[str, Callable[[Path], Network]] = {
        ".onnx": OnnxNetwork,
        ".pt": partial(TorchScriptNetwork, trusted=trust == TORCHSCRIPT),
        ".torchscript": partial(TorchScriptNetwork, trusted=trust == TORCHSCRIPT),
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
        onnxruntime = required("onnxruntime")
        if (size := path.stat().st_size) > LARGEST:
            raise UserError(f"{path} is too large for an ONNX file", expected="less than 2 GB", found=f"{size:,} bytes")
        content = path.read_bytes()
        self.sha256 = hashlib.sha256(content).hexdigest()
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 4
        settings.add_session_config_entry("session.load_model_format", "ONNX")  # not what the first bytes suggest
        model = self_contained(path, content)
        try:
            self._session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no base class of their own
            raise unopened(path, error) from error
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
    """A TorchScript archive, run by torch on the CPU. Such an archive is a program: see docs/guides/classifier.md."""

    shape = None
    facts = MappingProxyType({"trusted": TORCHSCRIPT})

    def __init__(self, path: Path, *, trusted: bool) -> None:
        require_utf8(path, "the classifier")
        if not _is_torchscript(path):  # what torch.save writes looks alike, and holds Python objects
            raise UserError(
                f"{path} is no TorchScript archive",
                expected="what torch.jit.save writes, code and weights",
                found="a pickle (such as a state dict), or something else: it is not opened",
                remedy="export the model with torch.jit.trace(model, example).save(FILE), or as ONNX",
            )
        content = path.read_bytes()
        self.sha256 = hashlib.sha256(content).hexdigest()
        if not trusted:
            raise UserError(
                f"{path} is a TorchScript archive: a program, which torch would run with your rights",
                expected="an ONNX file, which holds no program, or your word that you trust this one",
                found=f"SHA-256 {self.sha256}",
                remedy=f"take it only from people whose programs you would run: --set trust={TORCHSCRIPT} loads it; or "
                "export the network as ONNX",
            )
        torch: Any = import_module("torch")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # a word to those who write such files
                module = torch.jit.load(io.BytesIO(content), map_location="cpu")
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
