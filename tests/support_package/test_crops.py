"""A face is cut out by its landmarks, or by its box."""

from math import cos, radians, sin

import numpy as np
import pytest
from PIL import Image, ImageDraw

from coabench.detector import Face, Landmarks
from coabench.errors import UserError
from coabench.support.crop_settings import CropSettings, Padding
from coabench.support.crops import TEMPLATE, align, crop_face, landmarks_in_crop, similarity


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
    assert align(np.zeros((50, 50, 3), np.uint8), ((9, 9),) * 5, CropSettings(size=20)).size == (20, 20)


@pytest.mark.parametrize(("size", "margin"), [(None, 0.0), (56, 0.0), (224, 0.25), (40, 0.1)])
def test_landmarks_come_to_lie_where_the_template_has_them(size: int | None, margin: float) -> None:
    points = placed(2, 20, 300, 100)
    picture = align(dots(points), points, CropSettings(margin, size))
    side = picture.width
    assert picture.size == (side, side)
    assert side == size or side == 224
    bright = np.asarray(picture.convert("L"))
    places = np.array([[(v + 112 * margin) / (112 * (1 + 2 * margin)) * side for v in point] for point in TEMPLATE])
    for column, row in places.astype(int):
        assert bright[row, column] > 80
    face = Face((0, 0, 640, 480), 1.0, points)
    assert np.allclose(landmarks_in_crop(face, CropSettings(margin, size), (640, 480), picture.size), places)
    assert bright.mean() < 40


@pytest.mark.parametrize("padding", ["shift", "edge"])
def test_landmarks_are_where_a_box_shows_them(padding: Padding) -> None:
    points = placed(0.5, 10, 30, 150)
    settings = CropSettings(0.4, 90, align=False, padding=padding)
    face = Face((20, 140, 95, 215), 1.0, points)
    picture = crop_face(dots(points), face, settings)
    bright = np.asarray(picture.convert("L"))
    for x, y in landmarks_in_crop(face, settings, (640, 480), picture.size):
        assert bright[int(y), int(x)] > 80


def test_a_face_without_landmarks_or_unaligned_is_cut_out_by_its_box() -> None:
    points = placed(1, 20, 300, 100)
    frame = dots(points)
    box = (250, 90, 350, 210)
    by_box = crop_face(frame, Face(box, 1.0), CropSettings())
    assert by_box.size == (120, 120)
    assert np.array_equal(by_box, crop_face(frame, Face(box, 1.0, points), CropSettings(align=False)))
    assert crop_face(frame, Face(box, 1.0), CropSettings(size=64)).size == (64, 64)
    assert crop_face(frame, Face(box, 1.0, points), CropSettings()).size == (112, 112)


def ramp() -> np.ndarray:
    """Return a picture of 60 × 40 pixels whose red is 100 + column and whose green is 100 + row."""
    column, row = np.meshgrid(np.arange(60), np.arange(40))
    return np.stack([100 + column, 100 + row, np.full((40, 60), 9)], axis=2).astype(np.uint8)


@pytest.mark.parametrize(
    ("padding", "left"),
    [
        ("shift", [100, 101, 102, 103, 104]),
        ("edge", [100, 100, 100, 100, 100]),
        ("reflect", [103, 102, 101, 100, 100]),
        ("black", [0, 0, 0, 0, 100]),
    ],
)
def test_what_a_box_shows_beyond_the_picture(padding: Padding, left: list[int]) -> None:
    crop = np.asarray(crop_face(ramp(), Face((0, 10, 20, 30), 1.0), CropSettings(0.2, padding=padding)))
    assert crop.shape == (28, 28, 3)
    assert crop[14, :5, 0].tolist() == left


@pytest.mark.parametrize(("padding", "corner"), [("shift", 100), ("edge", 100), ("reflect", 125), ("black", 0)])
def test_what_an_aligned_crop_shows_beyond_the_picture(padding: Padding, corner: int) -> None:
    points = placed(0.25, 0, -3, -3)
    crop = np.asarray(crop_face(ramp(), Face((0, 0, 20, 20), 1.0, points), CropSettings(1.0, padding=padding)))
    assert crop.shape == (84, 84, 3)
    assert crop[0, 5, 0] == pytest.approx(corner, abs=2)


def test_a_box_that_stays_as_it_is_has_its_margin_on_both_axes() -> None:
    box = (10, 10, 20, 30)
    as_it_is = CropSettings(0.1, align=False, square=False)
    crop = np.asarray(crop_face(ramp(), Face(box, 1.0), as_it_is))
    assert np.array_equal(crop, ramp()[8:32, 9:21])
    assert crop_face(ramp(), Face(box, 1.0), CropSettings(0.1, 48, align=False, square=False)).size == (24, 48)
    wide = np.asarray(crop_face(ramp(), Face((0, 10, 60, 20), 1.0), as_it_is))
    assert np.array_equal(wide, ramp()[9:21])


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(UserError, match="is a square"):
        CropSettings(square=False)
    with pytest.raises(UserError, match="no padding is called 'white'"):
        CropSettings(padding="white")  # type: ignore[arg-type]
