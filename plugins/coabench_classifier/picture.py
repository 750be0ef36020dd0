"""From an image to the numbers that a network takes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from coabench.errors import UserError
from coabench_classifier.network import Numbers, Shape

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
"""Mean and standard deviation of ImageNet's images (white is 1), in the order red, green, blue."""

Fit = Literal["squash", "pad", "crop"]
"""How an image of another shape becomes height × width: its sides are scaled each by its own factor, or it is padded
with black, or its middle is cut out."""
SQUASH: Fit = "squash"


@dataclass(frozen=True)
class Input:
    """What a network takes: (value · pixels − mean) / std, with value in 0…1, of an image scaled to height × width.

    Attributes:
        layout: ``nchw`` or ``nhwc``.
        channels: ``rgb``, ``bgr`` or ``gray``.
        pixels: the value of white before normalising.
        mean, std: one number per channel, in the order of the channels.
    """

    height: int
    width: int
    layout: str
    channels: str
    pixels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    fit: Fit = SQUASH

    def to_json(self) -> dict[str, Any]:
        """Return it for a run's identity, which names no ``fit`` where images are squashed, as before there was one."""
        return {key: value for key, value in asdict(self).items() if (key, value) != ("fit", SQUASH)}

    def distorts(self, image: Image) -> bool:
        """Whether the proportions of an image change."""
        return self.fit == SQUASH and image.width * self.height != image.height * self.width

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one image, a batch of one."""
        size, channels = (self.height, self.width), (len(self.mean),)
        return (1, *channels, *size) if self.layout == "nchw" else (1, *size, *channels)

    @classmethod
    def of(
        cls,
        shape: Shape | None,
        size: int | None,
        layout: str | None,
        channels: str | None,
        pixels: int,
        mean: str,
        std: str,
        fit: Fit = SQUASH,
    ) -> Self:
        """Put together what the file says and what the user says.

        Args:
            shape: of the network's input, as far as the file tells; None for torch's convention, ``nchw``.

        Raises:
            UserError: they contradict each other, or something is said by neither.
        """
        layout = layout or (_layout(shape) if shape else "nchw")
        _, *rest = shape or (None, None, None, None)
        count, height, width = rest if layout == "nchw" else (rest[2], rest[0], rest[1])
        channels = channels or ("gray" if count == 1 else "rgb")
        wanted = 1 if channels == "gray" else 3
        if count not in (wanted, None):
            raise _contradiction(f"channels={channels} with layout={layout}", f"an input with {count} channels")
        for fixed in (height, width):
            if size is not None and fixed not in (size, None):
                raise _contradiction(f"size={size}", f"an input of {height}×{width} pixels")
        height, width = height or size, width or size
        if height is None or width is None:
            raise UserError(
                "the classifier does not say how large its images are",
                expected="--set size=N, the side in pixels",
                remedy="add it, with the size that the network was trained with",
            )
        if min(height, width) < 1:
            raise UserError(f"size={size} makes no sense", expected="1 or more")
        means, stds = _per_channel("mean", mean, channels), _per_channel("std", std, channels)
        if min(stds) <= 0:
            raise UserError(f"std={std} makes no sense", expected="numbers above 0")
        return cls(height, width, layout, channels, pixels, means, stds, fit)


def pixels_of(image: Image, spec: Input) -> Numbers:
    """Return an RGB image as the network takes it: float32, of the shape `Input.shape`."""
    from PIL import ImageOps
    from PIL.Image import Resampling

    size, bilinear = (spec.width, spec.height), Resampling.BILINEAR
    if spec.fit == "pad":
        scaled = ImageOps.pad(image, size, bilinear, color="black")
    elif spec.fit == "crop":
        scaled = ImageOps.fit(image, size, bilinear)
    else:
        scaled = image.resize(size, bilinear)
    values = np.asarray(scaled.convert("L") if spec.channels == "gray" else scaled, dtype=np.float32)
    values = values.reshape(spec.height, spec.width, -1)
    return _laid_out(values[..., ::-1] if spec.channels == "bgr" else values, spec)


def filled(spec: Input, brightness: float) -> Numbers:
    """Return an even grey picture, 0 black and 1 white, as the network takes it."""
    return _laid_out(np.full((spec.height, spec.width, len(spec.mean)), 255 * brightness, np.float32), spec)


def _laid_out(values: Numbers, spec: Input) -> Numbers:
    mean, std = np.asarray(spec.mean, np.float32), np.asarray(spec.std, np.float32)
    normal = (values * np.float32(spec.pixels / 255) - mean) / std
    ordered = normal.transpose(2, 0, 1) if spec.layout == "nchw" else normal
    return np.ascontiguousarray(ordered[None], dtype=np.float32)


def _layout(shape: Shape) -> str:
    layouts = [layout for layout, count in (("nchw", shape[1]), ("nhwc", shape[3])) if count in (1, 3)]
    if len(layouts) != 1:
        raise UserError(
            f"the classifier's input {list(shape)} does not tell where its channels stand",
            expected="1 or 3 channels, second (nchw) or last (nhwc)",
            remedy="add --set layout=nchw or --set layout=nhwc, or export it for images of 1 or 3 channels",
        )
    return layouts[0]


def _per_channel(name: str, text: str, channels: str) -> tuple[float, ...]:
    count = 1 if channels == "gray" else 3
    if text == "imagenet" and count == 3:
        return IMAGENET[name][:: -1 if channels == "bgr" else 1]
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not all(np.isfinite(numbers)) or len(numbers) not in (1, count):
        raise UserError(
            f"--set {name}={text} does not fit {channels} images",
            expected=f"a number{', three between commas, or imagenet' if count == 3 else ''}",
            remedy=f"correct --set {name}=…",
        )
    return numbers if len(numbers) == count else numbers * count


def _contradiction(option: str, found: str) -> UserError:
    return UserError(
        f"--set {option} contradicts the classifier's file",
        expected="what the file says",
        found=found,
        remedy="leave that option away, or correct it",
    )
