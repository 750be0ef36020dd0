"""ONNX files that hold everything they compute with, so that their hash says what ran."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from coabench.errors import UserError, first_line

LARGEST = 2**31 - 1
"""Bytes of a protobuf message, which an ONNX file is."""


def self_contained(path: Path, content: bytes) -> bytes:
    """Return the model of an ONNX file, written anew, for a runtime that may read *content* otherwise than we do.

    A message of protobuf has many encodings, and weights in another file can hide in those that a runtime reads and a
    search does not. So the file is parsed by the schema of ONNX, and what is returned is what was looked at.

    Raises:
        UserError: it is no ONNX file, has weights in another file, or has fields that the schema here does not.
    """
    onnx = required("onnx")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # DecodeError of whichever implementation of protobuf is in use
        raise unopened(path, error) from None
    elsewhere = [tensor for tensor in _tensors(model, onnx.TensorProto) if _is_external(tensor, onnx.TensorProto)]
    if elsewhere:
        files = {entry.value for tensor in elsewhere for entry in tensor.external_data if entry.key == "location"}
        raise UserError(
            f"{path} keeps its weights in another file",
            expected="an ONNX file with its weights inside, so that its hash says what ran",
            found=f"tensors of {', '.join(map(repr, sorted(files))) or 'a file without a name'}",
            remedy="export it with external_data=False, or write it anew: onnx.save(onnx.load(FILE), NEW_FILE)",
        )
    size = model.ByteSize()
    model.DiscardUnknownFields()
    if model.ByteSize() != size:
        raise UserError(
            f"{path} has fields that onnx {onnx.__version__} does not know",
            expected="an ONNX file that the schema explains entirely, so that nothing in it goes unchecked",
            remedy="pip install --upgrade onnx, or export the network anew",
        )
    written: bytes = model.SerializeToString()
    return written


def required(name: str) -> Any:
    """Import a package of the extra; `UserError` where that is not installed."""
    try:
        return import_module(name)
    except ImportError as error:
        raise UserError(
            f"ONNX files need {name}, which cannot be imported",
            found=str(error),
            remedy="pip install 'coabench[classifier]'",
        ) from error


def unopened(path: Path, error: Exception) -> UserError:
    """Return the error of a file that cannot be parsed or loaded."""
    return UserError(
        f"{path} cannot be opened", expected="an ONNX file", found=first_line(error), remedy="export it anew"
    )


def _tensors(message: Any, kind: type) -> Iterator[Any]:
    """Yield every tensor of a message: initializers, sparse ones, attributes, of subgraphs, functions and training."""
    if isinstance(message, kind):
        yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in [value] if hasattr(value, "ListFields") else value:
                yield from _tensors(inner, kind)


def _is_external(tensor: Any, kind: Any) -> bool:
    return bool(tensor.external_data) or tensor.data_location == kind.EXTERNAL
