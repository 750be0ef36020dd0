"""What the backbone sees of a face, and which faces are looked at."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coabench.detector import Face
from coabench.errors import UserError
from coabench.live.crops import parse_count
from coabench.support.crops import crop, crop_box, select_faces


def face(left: int, top: int, width: int, height: int, score: float = 0.9) -> Face:
    return Face((left, top, left + width, top + height), score)


def test_a_crop_is_a_square_around_the_middle_of_the_box() -> None:
    assert crop_box((100, 100, 180, 200), 640, 480, margin=0) == (90, 100, 190, 200)
    assert crop_box((100, 100, 180, 200), 640, 480, margin=0.2) == (70, 80, 210, 220)
    assert crop_box((100, 100, 180, 200), 640, 480, margin=-0.1) == (100, 110, 180, 190)


def test_at_the_edge_the_square_moves_inwards() -> None:
    assert crop_box((0, 0, 80, 100), 640, 480, margin=0.2) == (0, 0, 140, 140)
    assert crop_box((600, 400, 640, 480), 640, 480, margin=0) == (560, 400, 640, 480)


def test_where_the_frame_is_too_small_the_margin_shrinks() -> None:
    assert crop_box((200, 40, 500, 440), 640, 480, margin=0.5) == (110, 0, 590, 480)


def test_a_box_larger_than_the_short_side_is_cut_off_by_the_frame() -> None:
    for margin in (0, 0.3, 5):
        assert crop_box((0, 0, 640, 480), 640, 480, margin) == (0, 0, 640, 480)
        assert crop_box((0, 0, 480, 640), 480, 640, margin) == (0, 0, 480, 640)
    assert crop_box((20, 0, 620, 480), 640, 480, margin=0.3) == (20, 0, 620, 480)


def test_a_picture_that_is_a_face_stays_as_it_is() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    assert (np.asarray(crop(frame, (0, 0, 100, 100))) == frame).all()


def test_a_crop_holds_the_pixels_of_its_frame_and_outlives_it() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    picture = crop(frame, (10, 10, 20, 30), margin=0)
    wanted = frame[10:30, 5:25].copy()
    frame[:] = 0
    assert picture.mode == "RGB"
    assert (np.asarray(picture) == wanted).all()


@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    start=st.tuples(st.integers(0, 59), st.integers(0, 59)),
    extent=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    margin=st.one_of(st.just(0.0), st.floats(-0.45, 2)),
)
def test_every_crop_lies_in_the_frame_and_is_square_where_it_can_be(
    size: tuple[int, int], start: tuple[int, int], extent: tuple[int, int], margin: float
) -> None:
    width, height = size
    left, top = min(start[0], width - 1), min(start[1], height - 1)
    box = (left, top, min(left + extent[0], width), min(top + extent[1], height))
    x0, y0, x1, y1 = crop_box(box, width, height, margin)
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height
    if max(box[2] - box[0], box[3] - box[1]) <= min(size):
        assert x1 - x0 == y1 - y0
    if margin >= 0:
        assert x0 <= box[0]
        assert y0 <= box[1]
        assert x1 >= box[2]
        assert y1 >= box[3]


def test_the_largest_faces_are_chosen() -> None:
    small, large, thin = face(0, 0, 20, 20), face(50, 0, 40, 50), face(200, 0, 8, 90)
    assert select_faces([small, thin, large]) == [large, thin, small]
    assert select_faces([small, thin, large], count=1) == [large]
    assert select_faces([small, thin, large], min_face=10) == [large, small]
    assert select_faces([small, thin, large], count=2, min_face=30) == [large]
    assert select_faces([]) == []


def test_how_many_faces_can_be_said_in_three_ways() -> None:
    assert [parse_count(text) for text in ("all", "largest", "1", "12")] == [None, 1, 1, 12]
    for text in ("0", "-1", "some", "", "1.5", "²"):
        with pytest.raises(UserError, match="--faces"):
            parse_count(text)
