"""A face is cut out by its landmarks, or by its box."""

from math import cos, radians, sin

import numpy as np
import pytest
from PIL import Image, ImageDraw

from coabench.detector import Face, Landmarks
from coabench.support.crops import TEMPLATE, CropSettings, align, crop_face, similarity


def placed(scale: float, degrees: float, x: float, y: float) -> Landmarks:
    """Return the template's points scaled, turned and moved."""
    a, b = scale * cos(radians(degrees)), scale * sin(radians(degrees))
    one, two, three, four, five = ((a * p - b * q + x, b * p + a * q + y) for p, q in TEMPLATE)
    return one, two, three, four, five


def dots(landmarks: Landmarks) -> np.ndarray:
    picture = Image.new("RGB", (640, 480), "black")
    for x, y in landmarks:
        ImageDraw.Draw(picture).ellipse((x - 6, y - 6, x + 6, y + 6), fill="white")
    return np.asarray(picture)


@pytest.mark.parametrize("degrees", [0, 30, -75, 180])
@pytest.mark.parametrize("scale", [0.3, 1, 4])
def test_the_transform_undoes_how_a_face_lies(scale: float, degrees: float) -> None:
    points = placed(scale, degrees, 200, 100)
    matrix = similarity(points, TEMPLATE)
    assert np.allclose(np.asarray(points) @ matrix[:, :2].T + matrix[:, 2], TEMPLATE)


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    one, two, three, four, five = ((-x, y) for x, y in TEMPLATE)
    assert np.linalg.det(similarity((one, two, three, four, five), TEMPLATE)[:, :2]) > 0


def test_landmarks_in_one_place_still_give_a_picture() -> None:
    assert align(np.zeros((50, 50, 3), np.uint8), ((9, 9),) * 5, size=20).size == (20, 20)


@pytest.mark.parametrize(("size", "margin"), [(None, 0.0), (56, 0.0), (224, 0.25), (40, 0.1)])
def test_landmarks_come_to_lie_where_the_template_has_them(size: int | None, margin: float) -> None:
    points = placed(2, 20, 300, 100)
    picture = align(dots(points), points, margin, size)
    side = picture.width
    assert picture.size == (side, side)
    assert side == size or side == 224
    bright = np.asarray(picture.convert("L"))
    for x, y in TEMPLATE:
        place = ((v + 112 * margin) / (112 * (1 + 2 * margin)) * side for v in (x, y))
        column, row = (int(v) for v in place)
        assert bright[row, column] > 80
    assert bright.mean() < 40


def test_a_face_without_landmarks_or_unaligned_is_cut_out_by_its_box() -> None:
    points = placed(1, 20, 300, 100)
    frame = dots(points)
    box = (250, 90, 350, 210)
    by_box = crop_face(frame, Face(box, 1.0), CropSettings())
    assert by_box.size == (120, 120)
    assert np.array_equal(by_box, crop_face(frame, Face(box, 1.0, points), CropSettings(align=False)))
    assert crop_face(frame, Face(box, 1.0), CropSettings(size=64)).size == (64, 64)
    assert crop_face(frame, Face(box, 1.0, points), CropSettings()).size == (112, 112)
