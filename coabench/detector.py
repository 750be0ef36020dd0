"""The Detector interface: faces in a frame."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Face:
    """A face found in a frame: its box in pixels (left, top, right, bottom) and the detector's score in 0…1."""

    box: tuple[int, int, int, int]
    score: float


class Detector(ABC):
    """Finds faces."""

    @abstractmethod
    def detect(self, frame: Image) -> list[Face]:
        """Return the faces in an RGB frame, the most confident first; an empty list where there is none."""
