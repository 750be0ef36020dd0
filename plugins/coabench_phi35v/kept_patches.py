"""What a frozen vision tower made of images, from one epoch or training to the next."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import torch
from torch import Tensor, nn

from coabench.base.version import __version__
from coabench.support.tensor_store import TensorStore, bytes_of


class KeptPatches:
    """Patches by the crops that they were made of, the weights of the tower and the arithmetic.

    The crops are hashed as the tower takes them, so whatever decides them is in the key: the image, how it was
    prepared, ``num_crops``, the code and the library that cut it.

    Args:
        store: where they are kept.
        tower: with its weights, which are hashed whole: a second for those of Phi-3.5-vision.
        arithmetic: all else that decides what it computes.
    """

    def __init__(self, store: TensorStore, tower: nn.Module, arithmetic: str) -> None:
        self._store = store
        made = hashlib.sha256(f"{__version__} {torch.__version__} {arithmetic}".encode())
        for name, weight in tower.state_dict().items():
            made.update(f"{name} {weight.dtype} {tuple(weight.shape)} {weight.device.type}".encode())
            made.update(bytes_of(weight))
        self._tower = made.digest()

    def get(self, crops: Tensor, compute: Callable[[], Tensor]) -> Tensor:
        """Return the patches of an image's crops: those that are kept, or what *compute* returns."""
        mixed = [str(torch.get_autocast_dtype(kind)) for kind in ("cpu", "cuda") if torch.is_autocast_enabled(kind)]
        key = hashlib.sha256(self._tower + f"{mixed} {tuple(crops.shape)}".encode())
        key.update(bytes_of(crops))
        return self._store.get(key.digest(), compute)
