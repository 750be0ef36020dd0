"""What stands in a file of tensors, and a fingerprint that need not read all of it."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from coabench.errors import UserError, first_line

SMALL = 64 * 2**20
"""Files below this many bytes are hashed whole."""
SAMPLE = 4096
"""Bytes hashed at the beginning, in the middle and at the end of every tensor of a larger file."""


@dataclass(frozen=True)
class Entry:
    """A tensor in a file: its shape, its type as safetensors names it, its bytes from *begin* to *end*."""

    shape: tuple[int, ...]
    dtype: str
    begin: int
    end: int


PLAIN = frozenset({"BF16", "F16", "F32"})
"""The types of weights that are not quantised."""


class TensorFile:
    """A safetensors file.

    Args:
        path: the file.
        types: what its tensors may be, as safetensors names it; None for anything.

    Raises:
        UserError: where it is missing, truncated, corrupt, or holds tensors of other types.
    """

    def __init__(self, path: Path, types: frozenset[str] | None = PLAIN) -> None:
        self.path = path
        try:
            size = path.stat().st_size
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                if not 0 < length <= size - 8:
                    raise ValueError("its header does not fit the file")
                self.header = file.read(length)
            self._start = 8 + length
            table = json.loads(self.header)
            table.pop("__metadata__", None)
            self.entries = {name: self._entry(value) for name, value in table.items()}
            end = self._start + max((entry.end for entry in self.entries.values()), default=0)
            if end != size:
                raise ValueError(f"its tensors take {end} bytes, the file has {size}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
            raise self._unreadable(str(e)) from e
        for name, entry in self.entries.items():
            if types is not None and entry.dtype not in types:
                raise UserError(
                    f"{path}: tensor {name} is of type {entry.dtype}",
                    expected=", ".join(sorted(types)),
                    remedy="use the unquantised checkpoint",
                )

    @staticmethod
    def _entry(value: dict[str, Any]) -> Entry:
        begin, end = value["data_offsets"]
        return Entry(tuple(value["shape"]), value["dtype"], begin, end)

    def _unreadable(self, found: str) -> UserError:
        return UserError(
            f"{self.path} cannot be read",
            expected="a complete safetensors file",
            found=found,
            remedy="fetch the file again: it is missing, truncated or corrupt",
        )

    @cached_property
    def _open(self) -> Any:
        try:
            return safe_open(str(self.path), framework="pt")
        except (OSError, SafetensorError) as e:
            raise self._unreadable(str(e)) from e

    def read(self, name: str) -> Tensor:
        """Return a tensor, as it is stored, on the CPU."""
        tensor: Tensor = self._open.get_tensor(name)
        return tensor

    def fingerprint(self) -> bytes:
        """Return a digest of a small file's bytes; of a large one's header and of samples of every tensor.

        A tensor that was trained further differs nearly everywhere, so the samples see it.
        """
        if self._start + sum(e.end - e.begin for e in self.entries.values()) < SMALL:
            return file_digest(self.path)
        digest = hashlib.sha256(self.header)
        with self.path.open("rb") as file:
            for _, entry in sorted(self.entries.items()):
                for at in _samples(entry.begin, entry.end):
                    file.seek(self._start + at)
                    digest.update(file.read(min(SAMPLE, entry.end - at)))
        return digest.digest()


def fingerprint(files: Iterable[TensorFile], begin: bytes = b"") -> str:
    """Return a SHA-256, in hex, over *begin* and the fingerprints of some files, by name."""
    digest = hashlib.sha256(begin)
    for file in sorted(files, key=lambda file: file.path.name):
        digest.update(file.fingerprint())
    return digest.hexdigest()


def file_digest(path: Path) -> bytes:
    """Return the sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


class TorchFile:
    """A file of tensors that torch has pickled: unpickled without code, mapped and not read.

    Raises:
        UserError: where it cannot be read, or holds anything but tensors and plain values; the values are left out.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            self.entries = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
        except (OSError, RuntimeError, ValueError, AttributeError, pickle.UnpicklingError) as e:
            raise UserError(
                f"{path} cannot be read",
                expected="tensors saved by torch.save, and nothing else",
                found=first_line(e),
                remedy="fetch the file again, or save it again with a current torch",
            ) from e

    def read(self, name: str) -> Tensor:
        """Return a tensor, as it is stored, on the CPU."""
        return self.entries[name]

    def fingerprint(self) -> bytes:
        """Return what `TensorFile.fingerprint` does, of a file of this kind."""
        if self.path.stat().st_size < SMALL:
            return file_digest(self.path)
        digest = hashlib.sha256()
        for name, tensor in sorted(self.entries.items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            data = tensor.contiguous().reshape(-1).view(torch.uint8)
            for at in _samples(0, len(data)):
                digest.update(data[at : at + SAMPLE].numpy().tobytes())
        return digest.digest()


def _samples(begin: int, end: int) -> list[int]:
    return [begin, max(begin, (begin + end - SAMPLE) // 2), max(begin, end - SAMPLE)]
