"""An image -> the crops that the vision tower sees (the "HD transform" of Phi-3.5-vision), bit for bit.

Source: ``processing_phi3_v.py`` of the published checkpoint; torchvision's PIL branch is spelt out with Pillow.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from coabench.errors import SampleError

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class CropSize:
    """How large a crop is.

    Attributes:
        side: in pixels.
        cells: rows (and columns) of tokens that it becomes: patches, merged two by two.
    """

    side: int = 336
    cells: int = 12


PUBLISHED = CropSize()
"""The crops of Phi-3.5-vision: 24 x 24 patches of 14 pixels."""


@dataclass(frozen=True)
class Picture:
    """An image as the vision tower takes it.

    Attributes:
        crops: float32, (1 + rows * columns, 3, side, side): the global view, then the local crops row by row.
        rows, columns: how many local crops stand below and beside each other.
        digest: tells equal images; they are encoded once.
        cells: rows (and columns) of tokens of one crop.
    """

    crops: Tensor
    rows: int
    columns: int
    digest: bytes
    cells: int = PUBLISHED.cells

    @property
    def tokens(self) -> int:
        """How many tokens the image becomes, separators included."""
        local = self.rows * self.cells * (self.columns * self.cells + 1)
        return local + 1 + self.cells * (self.cells + 1)

    @property
    def distinct(self) -> Tensor:
        """The crops that differ from one another: a single local crop is the global view, pixel by pixel."""
        return self.crops[:1] if len(self.crops) == 2 else self.crops


def picture(image: Image.Image, num_crops: int, size: CropSize = PUBLISHED) -> Picture:
    """Cut *image* into at most *num_crops* local crops and one global view.

    Raises:
        SampleError: where the image is so long and thin that nothing is left of its short side.
    """
    rgb = image.convert("RGB")
    digest = hashlib.sha256(repr(rgb.size).encode() + rgb.tobytes()).digest()
    side = size.side
    pixels = _normalised(_upscaled(rgb, num_crops, side))
    rows, columns = pixels.shape[1] // side, pixels.shape[2] // side
    view = nn.functional.interpolate(pixels[None], size=(side, side), mode="bicubic")
    local = pixels.reshape(3, rows, side, columns, side).permute(1, 3, 0, 2, 4).reshape(-1, 3, side, side)
    return Picture(torch.cat([view, local]), rows, columns, digest, size.cells)


def _upscaled(image: Image.Image, num_crops: int, side: int) -> Image.Image:
    """Scale to the largest grid of crops that the ratio allows, and pad the short side with white."""
    portrait = image.width < image.height
    if portrait:  # mirrored, not rotated, as published
        image = image.transpose(Image.Transpose.TRANSPOSE)
    ratio = image.width / image.height
    scale = 1
    while (scale + 1) * math.ceil((scale + 1) / ratio) <= num_crops:
        scale += 1
    width = side * scale
    height = int(width / ratio)
    if height == 0:
        raise SampleError(
            "the image is too long and thin to be cut into crops",
            expected=f"a short side of at least 1/{width} of the long side at num_crops {num_crops}",
            found=f"sides of {image.width} and {image.height} pixels",
        )
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    padded = Image.new("RGB", (width, math.ceil(height / side) * side), (255, 255, 255))
    padded.paste(image, (0, (padded.height - height) // 2))
    return padded.transpose(Image.Transpose.TRANSPOSE) if portrait else padded


def _normalised(image: Image.Image) -> Tensor:
    """Return float32 (3, height, width), CLIP's mean and standard deviation taken off."""
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
    return pixels.sub_(torch.tensor(MEAN)[:, None, None]).div_(torch.tensor(STD)[:, None, None])
