"""Tensors by key in a folder that several processes may share and anybody may delete, bounded in bytes.

An entry is a safetensors file with a checksum over key and content: one that is torn, changed or misnamed is no entry.
Entries that this process has not asked for make room for new ones, the longest unused first. Those that it has asked
for stay: a training that goes over more images than fit, in another order each epoch, would otherwise find few of them.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from coabench.base.files import replacing

SUFFIX = ".safetensors"
PATIENCE = 10.0
"""Seconds to wait for another process that writes."""


class TensorStore:
    """A folder of tensors.

    Args:
        folder: is made where it is missing, for its owner alone.
        limit: how many bytes its files may have together.

    Attributes:
        looked, found: how often `get` was called, and found what it was asked for.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = folder, limit
        self._since = time.time_ns() - 10**9  # times of files are coarser
        self.looked = self.found = 0

    def get(self, key: bytes, compute: Callable[[], Tensor]) -> Tensor:
        """Return the tensor of a key, on the CPU: what is kept, else what *compute* returns, which is then kept."""
        path = self._folder / f"{hashlib.sha256(key).hexdigest()}{SUFFIX}"
        self.looked += 1
        kept = _read(path, key)
        if kept is not None:
            self.found += 1
            with suppress(OSError):
                os.utime(path)
            return kept
        tensor = compute().detach().cpu().contiguous()
        with suppress(OSError, Timeout, SafetensorError):  # a full disk: the next time is as slow as this one
            self._put(path, key, tensor)
        return tensor

    def _put(self, path: Path, key: bytes, tensor: Tensor) -> None:
        """Write an entry where there is room for it, or room can be made."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        data = save({"tensor": tensor}, {"checksum": _checksum(key, tensor)})
        with FileLock(self._folder / ".lock", timeout=PATIENCE):
            if self._make_room(len(data)):
                with replacing(path) as beside:
                    beside.write_bytes(data)

    def _make_room(self, size: int) -> bool:
        """Delete what is in the way of a new file of some bytes; return whether that is enough.

        Only who holds the lock writes, so other half-written files are those of processes that are gone.
        """
        entries = []
        for entry in os.scandir(self._folder):
            if entry.name.endswith(".tmp"):
                Path(entry.path).unlink(missing_ok=True)
            elif entry.name.endswith(SUFFIX):
                status = entry.stat()
                entries.append((status.st_mtime_ns, status.st_size, Path(entry.path)))
        over = size + sum(its for _, its, _ in entries) - self._limit
        for used, its, path in sorted(entries):
            if over <= 0 or used >= self._since:
                break
            path.unlink(missing_ok=True)
            over -= its
        return over <= 0


def _read(path: Path, key: bytes) -> Tensor | None:
    """Return the tensor of an entry; None where there is none that can be trusted."""
    try:
        with safe_open(path, "pt") as file:
            tensor: Tensor = file.get_tensor("tensor")
            return tensor if (file.metadata() or {}).get("checksum") == _checksum(key, tensor) else None
    except (OSError, SafetensorError, ValueError):
        return None


def _checksum(key: bytes, tensor: Tensor) -> str:
    """Return a hash of a key, and the shape, type and bytes of a contiguous tensor."""
    made = hashlib.sha256(key + f"{tensor.dtype} {tuple(tensor.shape)}".encode())
    made.update(bytes_of(tensor))
    return made.hexdigest()


def bytes_of(tensor: Tensor) -> memoryview:
    """Return the bytes of a tensor's values."""
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
