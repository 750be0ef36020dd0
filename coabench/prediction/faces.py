"""The faces in a picture, each cut out as `coabench webcam` cuts it; or the picture as it is, as evaluate takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from coabench.base.schema import at_least
from coabench.detector import Box, Detector
from coabench.errors import UserError
from coabench.live.crops import parse_count
from coabench.live.detector_offers import describe_detector
from coabench.registry.detectors import AUTO, DetectorChoice, find_detector
from coabench.support.crop_settings import MARGIN, MIN_FACE, CropSettings
from coabench.support.crops import crop_face, select_faces

if TYPE_CHECKING:
    from PIL.Image import Image

WHOLE = "none"
"""What ``--faces`` says where the picture itself is taken, without looking for faces."""


@dataclass(frozen=True)
class FaceChoice:
    """Which faces of a picture are asked about, and who finds them.

    Attributes:
        faces: ``all``, ``largest``, how many of the largest, or ``none`` for the picture as it is.
        detector, weights: see `coabench.registry.detectors.find_detector`.
        margin, align: see `coabench.support.crop_settings.CropSettings`.
        min_face: the smallest side of a box that counts, in pixels; smaller faces are left out, and counted.
    """

    faces: str = "all"
    detector: str = AUTO
    weights: Path | None = None
    margin: float = MARGIN
    align: bool = True
    min_face: Annotated[int, at_least(1)] = MIN_FACE

    def find(self) -> DetectorChoice | None:
        """Return the detector, None where none is needed.

        Raises:
            UserError: no such detector, or one that is not available here; ``--faces`` cannot be read.
        """
        if self.faces == WHOLE:
            if self.detector != AUTO or self.weights is not None:
                raise UserError(
                    "--faces none looks for no faces: --detector and --detector-weights do not go with it",
                    remedy="leave one of them out",
                )
            return None
        self.check()
        return find_detector(self.detector, self.weights)

    def check(self) -> None:
        """Refuse (`UserError`) a choice of faces that cannot be read."""
        try:
            if self.faces != WHOLE:
                parse_count(self.faces)
        except UserError:
            raise UserError(
                f"--faces {self.faces!r} cannot be read",
                expected="all, largest, a number from 1, or none for pictures that are faces already",
                remedy="correct --faces",
            ) from None


class Cut(NamedTuple):
    """A face cut out of a picture: its box in the picture and the detector's score, None where the picture is whole."""

    image: Image
    box: Box | None
    score: float | None


class FaceFinder:
    """Finds the faces in pictures and cuts them out."""

    def __init__(self, choice: FaceChoice, detector: Detector | None) -> None:
        self._choice, self._detector = choice, detector

    def choosing(self, choice: FaceChoice) -> FaceFinder:
        """Return a finder with the same detector for another choice of faces.

        Raises:
            UserError: it cannot be read, or needs a detector and there is none.
        """
        choice.check()
        if choice.faces != WHOLE and self._detector is None:
            raise UserError(
                f"faces={choice.faces!r} needs a detector, and the model was loaded with faces='none'",
                remedy="load it with faces='all'; each call may still choose",
            )
        return FaceFinder(choice, None if choice.faces == WHOLE else self._detector)

    def cuts(self, image: Image) -> tuple[list[Cut], int]:
        """Return the faces that are asked about, the largest first, and how many are too small."""
        if self._detector is None:
            return [Cut(image, None, None)], 0
        import numpy as np

        choice, frame = self._choice, np.asarray(image)
        found = self._detector.detect(frame)
        large = select_faces(found, None, choice.min_face)
        chosen = large[: parse_count(choice.faces)]
        how = CropSettings(choice.margin, align=choice.align)
        cuts = [Cut(crop_face(frame, face, how), face.box, face.score) for face in chosen]
        return cuts, len(found) - len(large)


def describe(
    choice: FaceChoice, found: DetectorChoice | None, options: Any
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any]]:
    """Return the detector and the settings, for an identity: they change the answers."""
    if found is None:
        return None, {"faces": WHOLE}
    settings = {
        "faces": choice.faces, "margin": choice.margin, "align": choice.align, "min_face": choice.min_face,
    }  # fmt: skip
    return describe_detector(found, options), settings
