"""The overlay: it stays in the picture, on a copy, hides no face where there is room, and leads from plate to box."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.views import face, plain, snapshot, turn

from coabench.detector import Box
from coabench.live.overlay import Marks, draw, picture
from coabench.live.overlay.colours import FACES, face_colour
from coabench.live.overlay.placement import gap
from coabench.live.tracker import intersection

FIVE = [(0.05, 0.3, 0.2, 0.6), (0.24, 0.25, 0.38, 0.55), (0.42, 0.3, 0.58, 0.6),
        (0.62, 0.28, 0.76, 0.58), (0.8, 0.3, 0.96, 0.62)]  # fmt: skip
CROWD = [(0.02, 0.05, 0.3, 0.55), (0.3, 0.1, 0.55, 0.6), (0.55, 0.05, 0.8, 0.5),
         (0.75, 0.45, 0.99, 0.98), (0.1, 0.55, 0.4, 0.98)]  # fmt: skip


def people(shares: list[tuple[float, float, float, float]], width: int, height: int) -> list[Any]:
    boxes = [tuple(round(v * (height if i % 2 else width)) for i, v in enumerate(box)) for box in shares]
    said = turn("Happiness"), turn("Surprise")
    return [face(box, *said, track=number) for number, box in enumerate(boxes, 1)]  # type: ignore[arg-type]


@pytest.fixture
def spots(monkeypatch: pytest.MonkeyPatch) -> dict[int, tuple[Box, bool]]:
    """The place of each face's plate, and whether a line leads to its box, as far as drawn."""
    placed: dict[int, tuple[Box, bool]] = {}
    place = picture._placed

    def spy(view: Any, box: Box, *more: Any) -> Any:
        text, spot = place(view, box, *more)
        placed[view.track] = (spot.area, gap(spot.area, box) > 0)
        return text, spot

    monkeypatch.setattr(picture, "_placed", spy)
    return placed


def has(image: NDArray[np.uint8], colour: tuple[int, int, int], box: Box) -> int:
    left, top, right, bottom = box
    return int((image[top:bottom, left:right] == colour).all(axis=2).sum())


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (1920, 1080), (480, 854), (64, 48), (16, 16), (1, 1)])
def test_any_resolution_any_number_of_faces_also_at_and_beyond_the_border(size: tuple[int, int]) -> None:
    width, height = size
    third, half = (width // 3, height // 3), (width // 2, height // 2)
    boxes = [(0, 0, width, height), (-20, -20, 5, 5), (width - 3, height - 3, width + 40, height + 40)]
    boxes += [(*third, third[0] + 1, third[1] + 1), (0, half[1], half[0], height)]
    long = "A label that is much longer than anything that would fit beside a face in any picture"
    views = [face(box, turn("Happiness"), turn(long), label=long, stale=i % 2 == 0) for i, box in enumerate(boxes)]
    image = plain(width, height)
    marks = Marks(fps=30.0, about="a " * 60, notice="no " * 60, recording=True, paused=True)
    drawn = draw(image, snapshot(*views), marks)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert (image == 128).all()
    assert (drawn != 128).any()


def test_nothing_is_drawn_far_from_a_face_and_the_corners() -> None:
    drawn = draw(plain(640, 480), snapshot(face((300, 300, 380, 380))), Marks(details=False))
    changed = np.argwhere((drawn != 128).any(axis=2))
    assert changed[:, 0].max() < 390
    assert not (drawn[100:200] != 128).any()
    assert (drawn[300, 300:380] != 128).any()


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (3840, 2160)])
@pytest.mark.parametrize("shares", [FIVE, CROWD])
def test_plates_of_five_people_hide_no_face_and_no_other_plate(
    size: tuple[int, int], shares: Any, spots: dict[int, tuple[Box, bool]]
) -> None:
    views = people(shares, *size)
    draw(plain(*size), snapshot(*views), Marks())
    plates = [spots[view.track][0] for view in views]
    assert all(intersection(plate, view.box) == 0 for plate in plates for view in views)
    assert all(intersection(a, b) == 0 for i, a in enumerate(plates) for b in plates[i + 1 :])
    assert all(min(plate[:2]) >= 0 and plate[2] <= size[0] and plate[3] <= size[1] for plate in plates)


def test_a_line_leads_from_a_plate_that_is_away_to_its_box(spots: dict[int, tuple[Box, bool]]) -> None:
    around = [(200, 150, 300, 270), (0, 0, 640, 150), (0, 270, 640, 420), (0, 150, 195, 270), (305, 150, 640, 270)]
    views = [face(box, turn("Happiness"), track=number) for number, box in enumerate(around, 1)]
    drawn = draw(plain(640, 480), snapshot(*views), Marks(details=False))
    plate, led = spots[1]
    assert led
    assert plate[1] >= 420
    between = (205, 280, 295, 410)
    assert has(drawn, face_colour(1), between) > 100
    beside = draw(plain(640, 480), snapshot(views[0]), Marks(details=False))
    assert not spots[1][1]
    assert has(beside, face_colour(1), between) == 0


def test_the_same_faces_give_the_same_picture_and_a_face_keeps_its_colour() -> None:
    views = people(CROWD, 640, 480)
    first, again = (draw(plain(640, 480), snapshot(*views), Marks()) for _ in range(2))
    assert (first == again).all()
    alone = draw(plain(640, 480), snapshot(views[3]), Marks())
    for image in (first, alone):
        assert has(image, face_colour(4), views[3].box) > 200
    assert len({face_colour(track) for track in range(1, len(FACES) + 1)}) == len(FACES)


def test_every_box_carries_its_number() -> None:
    """Two pictures that differ in the number alone differ in the corner of the box."""
    box, corner = (200, 200, 330, 360), (205, 205, 235, 235)
    few, many = (draw(plain(640, 480), snapshot(face(box, track=1 + len(FACES) * times)), Marks()) for times in (0, 3))
    assert has(few, face_colour(1), corner) > 20
    assert (few[205:215, 203:225] != many[205:215, 203:225]).any()
    for size in ((320, 240), (3840, 2160)):
        drawn = draw(plain(*size), snapshot(*people(FIVE, *size)), Marks())
        for view in people(FIVE, *size):
            assert has(drawn, face_colour(view.track), view.box) > 50


def test_the_line_of_a_box_says_its_state_without_colour() -> None:
    box = (200, 200, 300, 300)

    def gaps(**state: Any) -> int:
        """How often the right edge changes between painted and not."""
        drawn = draw(plain(640, 480), snapshot(face(box, **state)), Marks())
        painted = (drawn[240:300, 298] == face_colour(1)).all(axis=1)
        return int(np.abs(np.diff(painted.astype(int))).sum())

    fresh, stale, awaited = gaps(), gaps(stale=True), gaps(answer=None, asking=True)
    assert fresh <= 1
    assert fresh < stale < awaited


def test_what_belongs_to_no_face_goes_to_a_corner_without_one() -> None:
    face_there = face((0, 0, 200, 150), turn("Happiness"))
    drawn = draw(plain(640, 480), snapshot(face_there), Marks(fps=30.0))
    assert (drawn[60:140, 60:190] == 128).all()
    assert (drawn[-40:, :150] != 128).any()


def test_rec_is_drawn_in_red_only_while_recording() -> None:
    def red(recording: bool) -> int:
        drawn = draw(plain(640, 480), snapshot(), Marks(recording=recording)).astype(int)
        return int(((drawn[..., 0] > 180) & (drawn[..., 1] < 130)).sum())

    assert red(False) == 0
    assert red(True) > 50
