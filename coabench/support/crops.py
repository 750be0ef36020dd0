"""From a face in a picture to the picture that a backbone sees: aligned by five landmarks, or cut out by its box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from coabench.detector import Box, Face, Landmarks, Pixels
from coabench.support.crop_settings import MARGIN, CropSettings

if TYPE_CHECKING:
    from PIL.Image import Image

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

_NUMPY_MODES: Mapping[str, Literal["edge", "symmetric", "constant"]] = {
    "edge": "edge", "reflect": "symmetric", "black": "constant",
}  # fmt: skip


def crop_face(frame: Pixels, face: Face, settings: CropSettings) -> Image:
    """Return the picture of a *face* that was found in *frame*, RGB."""
    if settings.align and face.landmarks is not None:
        return align(frame, face.landmarks, settings)
    picture = _cut(frame, face.box, settings)
    if settings.size is None:
        return picture
    from PIL import Image

    longest = max(picture.size)
    width, height = (longest, longest) if settings.square else picture.size
    wanted = max(round(width * settings.size / longest), 1), max(round(height * settings.size / longest), 1)
    if picture.size == wanted:
        return picture
    return picture.resize(wanted, Image.Resampling.BICUBIC, reducing_gap=3.0)


def align(frame: Pixels, landmarks: Landmarks, settings: CropSettings) -> Image:
    """Return a square picture in which the landmarks lie as near as they can to `TEMPLATE`.

    The frame is turned, scaled and moved, nothing else (`similarity`). The margin is in parts of the template's side.
    """
    from PIL import Image

    from coabench.support.opencv import opencv

    cv2 = opencv()
    matrix, scale, side = _alignment(landmarks, settings)
    smaller = int(1 / scale)  # pixels of the frame that one of the picture stands for
    if smaller > 1:  # or a warp, which looks at few pixels, would skip some
        height, width = frame.shape[:2]
        frame = cv2.resize(frame, (-(-width // smaller), -(-height // smaller)), interpolation=cv2.INTER_AREA)
        matrix[:, :2] *= (width / frame.shape[1], height / frame.shape[0])
    matrix[:, 2] += matrix[:, :2].sum(1) / 2 - 0.5  # OpenCV counts from the middle of the first pixel
    border = {"reflect": cv2.BORDER_REFLECT, "black": cv2.BORDER_CONSTANT}.get(settings.padding, cv2.BORDER_REPLICATE)
    warped = cv2.warpAffine(frame, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=border)
    return Image.fromarray(warped)


def _alignment(landmarks: Landmarks, settings: CropSettings) -> tuple[Any, float, int]:
    """Return the 2 × 3 matrix from the frame to an aligned picture, its scale, and the picture's side in pixels."""
    matrix = similarity(landmarks, TEMPLATE)
    scale = float((matrix[0, 0] ** 2 + matrix[1, 0] ** 2) ** 0.5)
    whole = TEMPLATE_SIDE * (1 + 2 * settings.margin)
    side = settings.size or max(round(whole / scale), 1)
    matrix[:, 2] += TEMPLATE_SIDE * settings.margin
    matrix *= side / whole
    return matrix, scale * (side / whole), side


def landmarks_in_crop(face: Face, settings: CropSettings, frame: tuple[int, int], crop: tuple[int, int]) -> Landmarks:
    """Return where the landmarks of a face, which has some, lie in the picture that `crop_face` makes of it.

    Args:
        frame, crop: width and height of the frame and of that picture.
    """
    import numpy as np

    assert face.landmarks is not None
    points = np.asarray(face.landmarks, float)
    if settings.align:
        matrix, _, _ = _alignment(face.landmarks, settings)
        moved = points @ matrix[:, :2].T + matrix[:, 2]
    else:
        left, top, right, bottom = _region(face.box, *frame, settings)
        moved = (points - (left, top)) * (crop[0] / (right - left), crop[1] / (bottom - top))
    one, two, three, four, five = ((float(x), float(y)) for x, y in moved)
    return one, two, three, four, five


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


def crop_box(box: Box, width: int, height: int, margin: float = MARGIN, square: bool = True) -> Box:
    """Return the part of a frame of *width* × *height* that is cut out for a face in *box*.

    A square around the middle of the box, because RAF-DB's aligned faces and the shipped synthetic ones are square, and
    a backbone that scales its input to a square would distort anything else. Its side is the longer side of the box,
    and *margin* times that on either side. At the frame's edge the square moves inwards, and where the frame is too
    small for it, it loses margin, so that a crop holds real pixels only. Where even the bare box is longer than the
    frame's short side (a face that fills the picture, the detector ``none``), the frame cuts the square off: the box
    of a whole frame gives that frame, unchanged.

    Args:
        margin: part of the longer side; negative cuts into the box.
        square: False leaves the box its proportions; the margin is then part of each side, and each axis moves inwards
            or loses margin by itself.
    """
    most = (min(width, height),) * 2 if square else (width, height)
    left, top, right, bottom = _with_margin(box, margin, square, most)
    across, down = right - left, bottom - top
    x, y = _inside(left, across, width), _inside(top, down, height)
    return max(x, 0), max(y, 0), min(x + across, width), min(y + down, height)


def _with_margin(box: Box, margin: float, square: bool, most: tuple[float, float] = (inf, inf)) -> Box:
    """Return the box, made a square or not, with its margin, which it loses beyond *most*; it may leave the frame."""
    left, top, right, bottom = box
    sides = (max(right - left, bottom - top),) * 2 if square else (right - left, bottom - top)
    wanted = [round(side * (1 + 2 * margin)) for side in sides]
    across, down = (
        int(max(min(side, limit), min(side, bare), 1)) for side, limit, bare in zip(wanted, most, sides, strict=True)
    )
    x, y = round((left + right - across) / 2), round((top + bottom - down) / 2)
    return x, y, x + across, y + down


def _inside(start: int, length: int, limit: int) -> int:
    """Return where a stretch must begin so that it lies within 0…limit, or lies centred where it is too long."""
    return min(max(start, 0), limit - length) if length <= limit else (limit - length) // 2


def crop(frame: Pixels, box: Box, margin: float = MARGIN) -> Image:
    """Return the picture of the face in *box*, cut from the clean *frame* it was found in; see `crop_box`.

    Pixels are copied, not resized: a backbone scales to what it needs. The frame may be reused afterwards.
    """
    return _cut(frame, box, CropSettings(margin))


def _region(box: Box, width: int, height: int, settings: CropSettings) -> Box:
    """Return the part of a frame that is cut out for a face in *box*; it may leave the frame where that is padded."""
    if settings.padding == "shift":
        return crop_box(box, width, height, settings.margin, settings.square)
    return _with_margin(box, settings.margin, settings.square)


def _cut(frame: Pixels, box: Box, settings: CropSettings) -> Image:
    import numpy as np
    from PIL import Image

    height, width = frame.shape[:2]
    left, top, right, bottom = _region(box, width, height, settings)
    if settings.padding == "shift":
        return Image.fromarray(frame[top:bottom, left:right].copy())
    inside = frame[max(top, 0) : bottom, max(left, 0) : right]
    beyond = ((max(-top, 0), max(bottom - height, 0)), (max(-left, 0), max(right - width, 0)), (0, 0))
    return Image.fromarray(np.pad(inside, beyond, _NUMPY_MODES[settings.padding]))


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
