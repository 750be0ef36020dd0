"""The image features of the batch at hand, kept so that further questions do not run the vision tower again."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch import Tensor


class ImageFeatures:
    """The image features of one viewing.

    Every model of transformers computes them in ``get_image_features`` of its inner model, called by its forward pass
    or by ``generate``; arguments and result differ from model to model. So a call is remembered as a whole: with the
    same pixels, bit by bit, it returns the same features.
    """

    SIZE = 4
    """How many calls are kept: questions may be about different rows, or show different images."""

    def __init__(self) -> None:
        self._kept: list[tuple[dict[str, Any], Any]] = []

    @contextmanager
    def reused_by(self, model: Any) -> Iterator[None]:
        """Let the model's ``get_image_features`` look up what it computed before; a model without it computes anew."""
        base = getattr(model, "model", model)
        compute: Callable[..., Any] | None = getattr(base, "get_image_features", None)
        if compute is None:
            yield
            return
        signature = inspect.signature(compute)

        @wraps(compute)  # generate reads its signature
        def remembered(*args: Any, **kwargs: Any) -> Any:
            own = {name: value for name, value in kwargs.items() if name != "use_cache"}  # it concerns the text alone
            call = {k: v for k, v in signature.bind(*args, **own).arguments.items() if v is not None}
            features = next((made for before, made in self._kept if _same(before, call)), None)
            if features is None:
                features = compute(*args, **kwargs)
                self._kept = [*self._kept, (call, features)][-self.SIZE :]
            return copy.copy(features)  # generate writes into it

        base.get_image_features = remembered
        try:
            yield
        finally:
            del base.get_image_features


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one is other or (one.shape == other.shape and one.dtype == other.dtype and bool(torch.equal(one, other)))
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)
