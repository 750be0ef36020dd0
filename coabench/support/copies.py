"""Pictures that are there twice: the same pixels, and near-copies such as a recompressed or rescaled one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

DISTANCE = 8
"""How many of the 64 bits of two hashes may differ."""
CORRELATION = 0.99
"""How alike the thumbnails of near-copies are.

Both were measured on the 5,040 synthetic faces that ship, all of different persons: of their 12.7 million pairs 2,400
have hashes at most 8 bits apart, and the thumbnails of none of those correlate by more than 0.971. Of 300 faces stored
anew (JPEG of quality 90, 50, 30; WebP of quality 60; 37 to 224 pixels wide instead of 100, as JPEG too; grey; brighter
by a fifth) every one is found, with correlations of 0.993 and more; of those shifted by 2 pixels one in eight. Of the
118 million pairs among the 15,339 cartoons of tests/support/rafdb_tree.py, which share one drawing, 277 are taken for
near-copies.
"""
HASHED = 32
"""Pixels along a side of the grey picture that is hashed."""
THUMBNAIL = 16
"""Pixels along a side of the grey thumbnail that is compared."""
AT_ONCE = 2**24
"""How many comparisons are made at a time: this bounds the memory."""
MOST = 100_000
"""How many pairs are listed at most; a film as single frames would have millions."""


@dataclass(frozen=True)
class Signature:
    """What is kept of a picture for comparing it.

    Attributes:
        pixels: the SHA-256 of size and RGB values.
        bits: the perceptual hash, 64 times -1 or 1.
        thumbnail: 16×16 grey values; None for a picture of one value, which resembles any other such picture.
    """

    pixels: bytes
    bits: Any = None
    thumbnail: Any = None


def sign(image: Image, flat: bool) -> Signature:
    """Return the signature of an 8-bit RGB picture, *flat* if it is of one value."""
    pixels = hashlib.sha256(b"%d %d " % image.size + image.tobytes()).digest()
    return Signature(pixels) if flat else Signature(pixels, *_perceived(image))


def _perceived(image: Image) -> tuple[Any, Any]:
    """Return hash and thumbnail.

    The hash is the one known as pHash: which of the 8×8 lowest frequencies of a discrete cosine transform of 32×32
    grey values lie above their median (C. Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions,
    2010).
    """
    import numpy as np
    from PIL.Image import Resampling

    grey = image.convert("L")
    small = np.asarray(grey.resize((HASHED, HASHED), Resampling.LANCZOS), dtype=np.float32)
    frequency, position = np.arange(8)[:, None], np.arange(HASHED)[None]
    waves = np.cos(np.pi * frequency * (2 * position + 1) / (2 * HASHED)).astype(np.float32)
    low = (waves @ small @ waves.T).ravel()
    bits = np.where(low > np.median(low[1:]), 1, -1).astype(np.int8)  # the first is the brightness
    return bits, np.asarray(grey.resize((THUMBNAIL, THUMBNAIL), Resampling.LANCZOS)).ravel()


def identical(signatures: Sequence[Signature]) -> list[list[int]]:
    """Return the positions of pictures with the same pixels, each group in order."""
    groups: dict[bytes, list[int]] = {}
    for position, signature in enumerate(signatures):
        groups.setdefault(signature.pixels, []).append(position)
    return [group for group in groups.values() if len(group) > 1]


def near(signatures: Sequence[Signature]) -> Iterator[tuple[int, int]]:
    """Yield the positions of every two near-copies, the earlier one first; `MOST` pairs at most.

    Of identical pictures the first stands for all. The time grows with the square of the number of pictures (a second
    for 15,000), the memory with the number.
    """
    import numpy as np

    firsts = {s.pixels: i for i, s in reversed(list(enumerate(signatures))) if s.thumbnail is not None}
    chosen = sorted(firsts.values())
    if len(chosen) < 2:
        return
    bits = np.stack([signatures[i].bits for i in chosen]).astype(np.float32)
    thumbnails = np.stack([signatures[i].thumbnail for i in chosen])
    left, rows = MOST, max(1, AT_ONCE // len(chosen))
    for start in range(0, len(chosen), rows):
        block = bits[start : start + rows]
        agreeing = block @ bits[: start + len(block)].T  # 64 minus twice the number of bits that differ
        later, earlier = np.nonzero(agreeing >= 64 - 2 * DISTANCE)
        later += start
        later, earlier = later[earlier < later], earlier[earlier < later]
        alike = _correlations(thumbnails, later, earlier) >= CORRELATION
        for one, other in zip(earlier[alike][:left], later[alike], strict=False):
            yield chosen[one], chosen[other]
        left -= int(alike.sum())
        if left <= 0:
            return


def _correlations(thumbnails: Any, ones: Any, others: Any) -> Any:
    """Return the correlation of each pair of thumbnails."""
    import numpy as np

    found = np.empty(len(ones), dtype=np.float32)
    for start in range(0, len(ones), 65536):
        part = slice(start, start + 65536)
        pair = [thumbnails[chosen[part]].astype(np.float32) for chosen in (ones, others)]
        first, second = (values - values.mean(axis=1, keepdims=True) for values in pair)
        sizes = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
        found[part] = (first * second).sum(axis=1) / np.maximum(sizes, 1e-6)
    return found
