"""What stands in a file of tensors, and a fingerprint that need not read all of it."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Annotated, Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from coabench.base.json import parse_json
from coabench.base.reading import open_file, why
from coabench.base.schema import At, at_least, read_fields
from coabench.errors import UserError, first_line

SMALL = 64 * 2**20
"""Files below this many bytes are hashed whole."""
HEADER = 100_000_000
"""Bytes of a header, at most, as the library has it."""
SAMPLE = 4096
"""Bytes hashed at the beginning, in the middle and at the end of every tensor of a larger file."""


@dataclass(frozen=True)
class Entry:
    """A tensor in a file: its shape, its type as safetensors names it, its bytes from *begin* to *end*."""

    shape: tuple[int, ...]
    dtype: str
    begin: int
    end: int


@dataclass(frozen=True)
class _Stored:
    """A tensor as the header describes it."""

    shape: tuple[Annotated[int, at_least(0)], ...]
    dtype: str
    data_offsets: tuple[Annotated[int, at_least(0)], Annotated[int, at_least(0)]]


PLAIN = frozenset({"BF16", "F16", "F32"})
"""The types of weights that are not quantised."""
WIDTHS = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "BF16": 2, "F16": 2, "I16": 2, "BOOL": 1, "U8": 1, "I8": 1}
"""Bytes of a number of a type, of those that may be read."""


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
            with open_file(path) as file:
                size = os.fstat(file.fileno()).st_size
                length = int.from_bytes(file.read(8), "little")
                if not 0 < length <= min(size - 8, HEADER):
                    raise ValueError("its header does not fit the file")
                self.header = file.read(length)
            self._start = 8 + length
            self.entries = _entries(parse_json(self.header), size - self._start)
        except (OSError, ValueError) as e:
            raise self._unreadable(why(e)) from e
        for name, entry in self.entries.items():
            if types is not None and entry.dtype not in types:
                raise UserError(
                    f"{path}: tensor {name} is of type {entry.dtype}",
                    expected=", ".join(sorted(types)),
                    remedy="use the unquantised checkpoint",
                )

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
        with open_file(self.path) as file:
            for _, entry in sorted(self.entries.items()):
                for at in _samples(entry.begin, entry.end):
                    file.seek(self._start + at)
                    digest.update(file.read(min(SAMPLE, entry.end - at)))
        return digest.digest()


def _entries(table: object, size: int) -> dict[str, Entry]:
    """Return the tensors that a header describes, one after another over all *size* bytes behind it.

    Raises:
        ValueError: they are no tensors, overlap, or leave bytes out.
    """
    at, entries, last = At("its header"), {}, 0
    if not isinstance(table, dict):
        raise ValueError("its header is no JSON object")
    try:
        stored = {n: read_fields(_Stored, v, at.field(n)) for n, v in table.items() if n != "__metadata__"}
    except UserError as error:
        raise ValueError(f"{error.problem}: {error.found or error.expected}") from None
    for name, each in sorted(stored.items(), key=lambda item: item[1].data_offsets):
        begin, end = each.data_offsets
        if begin != last or end < begin:
            raise ValueError(f"its tensor {name} takes bytes {begin} to {end}, the one before ends at {last}")
        if (width := WIDTHS.get(each.dtype)) is not None and prod(each.shape) * width != end - begin:
            raise ValueError(f"its tensor {name} of shape {list(each.shape)} takes {end - begin} bytes")
        entries[name], last = Entry(each.shape, each.dtype, begin, end), end
    if last != size:
        raise ValueError(f"its tensors take {last} bytes, the file has {size} for them")
    return entries


def fingerprint(files: Iterable[TensorFile], begin: bytes = b"") -> str:
    """Return a SHA-256, in hex, over *begin* and the fingerprints of some files, by name."""
    digest = hashlib.sha256(begin)
    for file in sorted(files, key=lambda file: file.path.name):
        digest.update(file.fingerprint())
    return digest.hexdigest()


def file_digest(path: Path) -> bytes:
    """Return the sha256 of a file's bytes."""
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").digest()


class TorchFile:
    """A file of tensors that torch has pickled: unpickled without code, mapped and not read.

    Raises:
        UserError: where it cannot be read, or holds anything but tensors and plain values; the values are left out.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            open_file(path).close()  # for what it refuses
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
        _add_samples(digest, self.entries)
        return digest.digest()


def tensors_fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """Return a SHA-256, in hex, over tensors: all bytes of small ones, samples of each of large ones."""
    digest = hashlib.sha256()
    large = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) >= SMALL
    _add_samples(digest, tensors, SAMPLE if large else SMALL)
    return digest.hexdigest()


def _add_samples(digest: Any, tensors: Mapping[str, Tensor], size: int = SAMPLE) -> None:
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        data = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
        for at in _samples(0, len(data)) if size == SAMPLE else [0]:
            digest.update(data[at : at + size].cpu().numpy().tobytes())


def _samples(begin: int, end: int) -> list[int]:
    return [begin, max(begin, (begin + end - SAMPLE) // 2), max(begin, end - SAMPLE)]
