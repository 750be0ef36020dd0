"""How a live probe chooses faces, and how often it asks about them."""

from __future__ import annotations

from dataclasses import dataclass

from coabench.registry.defaults import SMOOTH
from coabench.support.crop_settings import MARGIN, MIN_FACE


@dataclass(frozen=True)
class Settings:
    """How faces are chosen and asked about.

    Attributes:
        every: seconds of the source between two questions about the same face; 0 for as fast as it goes.
        smooth: the last answers of a face that vote on its smoothed label; 1 for none.
        stale_after: seconds after which an answer no longer counts as fresh, once it is there; None for the time in
            which the next one should have come.
        margin, align: see `coabench.support.crop_settings.CropSettings`.
        min_face: the smallest side of a box that is looked at, in pixels.
        faces: how many of the largest faces are looked at; None for all.
        batch: the most faces that are asked about at once; those asked longest ago come first.
    """

    every: float = 0.0
    smooth: int = SMOOTH
    stale_after: float | None = None
    margin: float = MARGIN
    align: bool = True
    min_face: int = MIN_FACE
    faces: int | None = None
    batch: int = 8
