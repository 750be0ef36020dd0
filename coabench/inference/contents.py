"""What images hold, whatever they are called: hashes by which the same image is recognised."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from coabench.dataset import ImageSource, Sample
from coabench.errors import SampleError
from coabench.inference.loading import decode_picture, in_order, read_encoded

if TYPE_CHECKING:
    from PIL.Image import Image

AHEAD = 32
MOST = 1_000_000
"""Images that are remembered, a quarter of a kilobyte each."""
_KNOWN: dict[bytes, tuple[bytes, bool]] = {}
"""SHA-256 of a file -> that of its pixels, and whether it is plain; the conditions of a stress ask for it again."""


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
    """Return what the images of samples hold, by id; those that cannot be read are left out.

    Every file is read. What was decoded before in this process, the very same bytes, is not decoded again.
    """
    found = in_order([sample.image for sample in samples], _content, ahead=lambda: AHEAD)
    return {sample.id: content for sample, content in zip(samples, found, strict=True) if content is not None}


def _content(source: ImageSource) -> Content | None:
    try:
        data = read_encoded(source)
        digest = hashlib.sha256(data).digest()
        known = _KNOWN.get(digest)
        if known is None:
            picture = decode_picture(source, data)
            known = _pixels(picture.image), not picture.notes
            if len(_KNOWN) < MOST:
                _KNOWN[digest] = known
    except SampleError:
        return None
    pixels, plain = known
    return Content(digest.hex(), pixels.hex(), plain)


def _pixels(image: Image) -> bytes:
    return hashlib.sha256(f"{image.width}x{image.height}".encode() + image.tobytes()).digest()
