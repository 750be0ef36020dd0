"""Pictures that Python holds in memory: PIL images and NumPy arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from coabench.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image


def in_memory(value: Any) -> bool:
    """Whether it is a PIL image or an array."""
    import numpy as np
    from PIL import Image

    return isinstance(value, Image.Image | np.ndarray)


def as_image(value: Any, name: str) -> Image:
    """Return a PIL image as it is, and an array as one; `UserError`, about *name*, for an array that is no picture."""
    import numpy as np
    from PIL import Image

    if isinstance(value, Image.Image):
        return value
    shape = value.shape
    if value.dtype != np.uint8 or not (value.ndim == 2 or (value.ndim == 3 and shape[2] in (3, 4))) or 0 in shape:
        raise UserError(
            f"{name} is no picture",
            expected="an array (height, width, 3) of uint8, 0 to 255, in RGB; or (height, width) of greys",
            found=f"shape {shape} of {value.dtype}",
            remedy="convert it, for example with (255 * array).astype('uint8')",
        )
    return Image.fromarray(np.ascontiguousarray(value))
