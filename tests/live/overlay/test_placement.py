"""Where plates go."""

import pytest

from coabench.detector import Box
from coabench.live.overlay.placement import Room, gap, leader
from coabench.live.tracker import intersection

FACE = (200, 200, 300, 300)


def test_beside_the_face_wherever_there_is_room() -> None:
    plate = (150, 40)
    assert Room((640, 480), [], [FACE]).beside(plate, FACE).area == (200, 160, 350, 200)
    above = (190, 100, 400, 190)
    assert Room((640, 480), [above], [FACE]).beside(plate, FACE).area == (200, 300, 350, 340)
    below = (150, 310, 400, 400)
    assert Room((640, 480), [above], [FACE, below]).beside(plate, FACE).area == (300, 200, 450, 240)
    nowhere = Room((640, 480), [above, (310, 0, 400, 480), (100, 0, 190, 480), below], [FACE]).beside(plate, FACE)
    assert not nowhere.free


def test_a_face_at_the_edge_has_its_plate_in_the_picture() -> None:
    for face in ((0, 0, 80, 80), (560, 400, 640, 480), (-50, 430, 30, 480)):
        area = Room((640, 480), [], [face]).beside((200, 60), face).area
        assert min(area) >= 0
        assert area[2] <= 640
        assert area[3] <= 480
        assert gap(area, face) == 0
        assert intersection(area, face) == 0


def test_a_free_corner_where_nothing_else_is_free() -> None:
    middle = (0, 60, 640, 480), (0, 0, 400, 60)
    spot = Room((640, 480), [], [FACE, *middle]).nearest((200, 50), FACE)
    assert spot.free
    assert spot.area == (400, 10, 600, 60)  # as near as can be
    full = Room((640, 480), [(0, 0, 640, 100)], [(0, 0, 640, 480), FACE]).nearest((200, 50), FACE)
    assert not full.free
    assert intersection(full.area, (0, 0, 640, 100)) == 0


def test_its_own_face_is_hidden_before_another() -> None:
    other = (300, 0, 640, 480)
    spot = Room((640, 480), [], [(0, 0, 300, 480), other]).nearest((100, 40), (0, 0, 300, 480))
    assert not spot.free
    assert intersection(spot.area, other) == 0


def test_corners_are_tried_in_order() -> None:
    order = ("top left", "bottom left", "bottom right")
    assert Room((640, 480), [], []).corner((100, 50), order).area == (0, 0, 100, 50)
    assert Room((640, 480), [], [(0, 0, 200, 480)]).corner((100, 50), order).area == (540, 430, 640, 480)
    assert Room((640, 480), [], []).corner((100, 50), ("bottom",)).area == (270, 430, 370, 480)


@pytest.mark.parametrize(
    ("plate", "ends"),
    [
        ((0, 0, 100, 50), ((100, 50), (200, 200))),
        ((220, 400, 280, 450), ((250, 400), (250, 300))),
        ((400, 240, 500, 260), ((400, 250), (300, 250))),
    ],
)
def test_the_shortest_line_leads_to_the_box(plate: Box, ends: tuple[tuple[int, int], tuple[int, int]]) -> None:
    assert leader(plate, FACE) == ends
