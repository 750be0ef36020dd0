"""What images hold, whatever they are called: hashes by which the same image is recognised."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from coabench.dataset import Sample
from coabench.inference.loading import load_ahead
from coabench.inference.preparation import original

if TYPE_CHECKING:
    from PIL.Image import Image

AHEAD = 32


class Content(NamedTuple):
    """What an image holds.

    Attributes:
        sha256: of the file's bytes.
        pixels: SHA-256 over ``WIDTHxHEIGHT`` and the RGB bytes of the decoded picture, before anything is done to it. A
            copy that was saved again without losses, in another format or another orientation, has the same.
        plain: whether the image reader did nothing beyond decoding; see `coabench.support.images`.
    """

    sha256: str
    pixels: str
    plain: bool


def contents(samples: Sequence[Sample]) -> dict[str, Content]:
    """Return what the images of samples hold, by id; those that cannot be read are left out."""
    loaded = load_ahead((original(sample.image) for sample in samples), _pixels, ahead=lambda: AHEAD)
    return {
        sample.id: Content(image.sha256, image.prepared, not image.notes)
        for sample, image in zip(samples, loaded, strict=True)
        if image.sha256 is not None and image.error is None
    }


def _pixels(position: int, image: Image) -> str:
    return hashlib.sha256(f"{image.width}x{image.height}".encode() + image.tobytes()).hexdigest()
