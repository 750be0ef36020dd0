"""The images that a training learnt from, as its manifest keeps them: what a test image must not be among."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from coabench.base.schema import At, read_fields
from coabench.inference.contents import Content
from coabench.support.images import READER

DIGITS = 32
"""Hexadecimal digits that are kept of a hash: no two images share 128 bits by chance, and manifests stay small."""


@dataclass(frozen=True)
class LearntImages:
    """The images of the train splits, those of the development part too.

    Attributes:
        reader: the version of the image reader that the hashes of pixels come from.
        changed: how many of them it did more to than decode.
        hashes: id -> the first `DIGITS` of the hashes of `Content`: ``SHA256 PIXELS``.
    """

    reader: int
    changed: int
    hashes: Mapping[str, str]

    @classmethod
    def of(cls, images: Mapping[str, Content]) -> Self:
        hashes = {id: f"{image.sha256[:DIGITS]} {image.pixels[:DIGITS]}" for id, image in images.items()}
        return cls(READER, sum(not image.plain for image in images.values()), hashes)

    @classmethod
    def read(cls, data: object, manifest: object) -> Self:
        """Read what `to_json` wrote, or 0.1.0, which kept all digits.

        Raises:
            UserError: it is damaged; names the *manifest*.
        """
        images = read_fields(cls, data, At(f"{manifest}: the images learnt from", "restore the manifest"))
        hashes = {id: " ".join(digest[:DIGITS] for digest in both.split()) for id, both in images.hashes.items()}
        return replace(images, hashes=hashes)

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))

    def among(self, images: Mapping[str, Content]) -> dict[str, str]:
        """Return which *images* are among these: id -> id here.

        Bytes are compared, and pixels where the same version of the reader read both.
        """
        known = {digest: id for id, digests in self.hashes.items() for digest in self._comparable(digests.split())}
        found = {
            id: known.get(image.sha256[:DIGITS]) or known.get(image.pixels[:DIGITS]) for id, image in images.items()
        }
        return {id: other for id, other in found.items() if other is not None}

    def changed_since(self, images: Mapping[str, Content]) -> list[str]:
        """Return the ids whose bytes are not what they were."""
        then = {id: digests.partition(" ")[0] for id, digests in self.hashes.items()}
        now = {id: image.sha256[:DIGITS] for id, image in images.items()}
        return sorted(id for id in {*then, *now} if then.get(id) != now.get(id))

    def _comparable(self, digests: list[str]) -> list[str]:
        return digests if self.reader == READER else digests[:1]
