"""What is computed of images alone: by the processor, pixels; by the vision tower, features. Each image set once."""

from __future__ import annotations

import copy
import hashlib
import inspect
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from coabench.support.shared_cache import LruCache

PIXELS, FEATURES = "preprocess", "get_image_features"
"""The methods of image processors and of the inner models that compute them."""


class ImageCalls:
    """Calls of one viewing that are about images, and their results.

    Arguments and results differ from model to model. So a call is remembered as a whole: with the same arguments, bit
    by bit, it returns the same.

    Args:
        samples: the images of the viewing.
        shared: results of earlier viewings.
    """

    SIZE = 4
    """How many calls are kept at least: questions may be about different rows, or show different images."""

    def __init__(self, samples: Sequence[Sequence[PIL.Image.Image]], shared: LruCache[Any]) -> None:
        self._shared = shared
        self._own: dict[str, dict[Hashable, Any]] = {PIXELS: {}, FEATURES: {}}
        self._images = {id(image): image for images in samples for image in images}
        self._digests: dict[int, bytes] = {}

    def digest(self, image: PIL.Image.Image) -> bytes:
        """Return what tells an image from others: a SHA-256 over its pixels, their kind, and their number."""
        known = self._digests.get(id(image)) if id(image) in self._images else None
        if known is None:
            colours = image.palette.tobytes() if image.palette else b""
            known = hashlib.sha256(f"{image.mode} {image.size} ".encode() + colours + image.tobytes()).digest()
            if id(image) in self._images:  # held by the viewing: no other image gets its id
                self._digests[id(image)] = known
        return known

    @contextmanager
    def remembered(self, owner: Any, name: str) -> Iterator[None]:
        """Let a method of *owner* look up what it computed before; an owner without it computes as it does."""
        compute: Callable[..., Any] | None = getattr(owner, name, None)
        if compute is None or name in vars(owner):  # an inner call of what is remembered already
            yield
            return
        signature, own = inspect.signature(compute), self._own[name]

        @wraps(compute)  # generate reads its signature
        def looked_up(*args: Any, **kwargs: Any) -> Any:
            named = {n: value for n, value in kwargs.items() if n != "use_cache"}  # it concerns the text alone
            bound = signature.bind(*args, **named).arguments
            key = name, self._known_by({n: value for n, value in bound.items() if value is not None})
            made = own.pop(key, None)
            if made is None:
                made = self._shared.get(key)
            if made is None:
                made = compute(*args, **kwargs)
                self._shared.put(key, made, _bytes(made))
            own[key] = made
            while len(own) > self.SIZE:
                del own[next(iter(own))]
            return copy.copy(made)  # generate, and processors, write into it

        setattr(owner, name, looked_up)
        try:
            yield
        finally:
            delattr(owner, name)

    def _known_by(self, value: Any) -> Hashable:
        """Return what is equal for equal values; for those that nothing is known of, what is equal to nothing."""
        if isinstance(value, dict):
            return tuple((key, self._known_by(value[key])) for key in sorted(value, key=str))
        if isinstance(value, list | tuple):
            return type(value), tuple(map(self._known_by, value))
        if isinstance(value, PIL.Image.Image):
            return self.digest(value)
        if isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype.kind in "biuf"):
            tensor = torch.as_tensor(value).detach().cpu().contiguous()
            content = tensor.view(-1).view(torch.uint8).numpy().tobytes()
            return str(tensor.dtype), tuple(tensor.shape), hashlib.sha256(content).digest()
        return (type(value), value) if isinstance(value, Hashable) else object()


def _bytes(made: Any) -> int:
    """Return how many bytes the tensors in a result take."""
    if isinstance(made, Tensor):
        return made.untyped_storage().nbytes()
    parts = made.values() if hasattr(made, "values") else made if isinstance(made, list | tuple) else ()
    return sum(map(_bytes, parts))
