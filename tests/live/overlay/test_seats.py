"""From frame to frame a plate keeps its side, and what it says, while that hides nothing: no flicker."""

from itertools import pairwise
from typing import Any

import pytest
from support.views import face, plain, snapshot, turn

from coabench.detector import Box
from coabench.live.overlay import Marks, Seats, draw, picture
from coabench.live.overlay.placement import Room, Spot, gap
from coabench.live.overlay.seats import PATIENCE
from coabench.live.snapshot import FaceView

SIZE = (640, 480)


@pytest.fixture
def spots(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Box]]:
    """The plates of faces in the order in which they are drawn: what each says, as an array, and its place."""
    drawn: list[tuple[Any, Box]] = []
    place = picture._placed

    def spy(*arguments: Any) -> Any:
        text, spot = place(*arguments)
        drawn.append((text, spot.area))
        return text, spot

    monkeypatch.setattr(picture, "_placed", spy)
    return drawn


def view(left: int, top: int, high: int = 160, **more: Any) -> FaceView:
    return face((left, top, left + 140, top + high), turn("Happiness"), turn("Surprise"), **more)


def side(plate: Box, box: Box) -> str:
    return "above" if plate[3] <= box[1] else "below" if plate[1] >= box[3] else "beside"


def jumps(places: list[Box]) -> int:
    """Return how often a plate moves farther than its face does."""
    return sum(max(abs(a - b) for a, b in zip(one, other, strict=True)) > 40 for one, other in pairwise(places))


def test_a_face_that_trembles_at_the_edge_of_room_keeps_its_plate(spots: list[tuple[Any, Box]]) -> None:
    trembling = [view(240, 64 + 8 * (n % 2)) for n in range(30)]
    for each in trembling:
        draw(plain(*SIZE), snapshot(each), Marks())
    without = jumps([area for _, area in spots])
    spots.clear()
    seats = Seats()
    for each in trembling:
        draw(plain(*SIZE), snapshot(each), Marks(), seats)
    assert without > 20
    assert jumps([area for _, area in spots]) == 0


def test_a_side_is_left_when_it_is_taken_and_kept_when_the_old_one_is_free_again(spots: list[tuple[Any, Box]]) -> None:
    seats = Seats()
    for top in (200, 60, 200):
        draw(plain(*SIZE), snapshot(view(240, top)), Marks(), seats)
    sides = [side(area, (240, top, 380, top + 160)) for top, (_, area) in zip((200, 60, 200), spots, strict=True)]
    assert sides == ["above", "below", "below"]
    draw(plain(*SIZE), snapshot(), Marks(), seats)  # the face left
    draw(plain(*SIZE), snapshot(view(240, 200)), Marks(), seats)
    assert side(spots[-1][1], (240, 200, 380, 360)) == "above"


def test_what_had_to_be_left_out_comes_back_after_a_while(spots: list[tuple[Any, Box]]) -> None:
    seats = Seats()
    for large in [False, True, *[False] * (PATIENCE + 2)]:
        shown = view(4, 4, 470) if not large else face((4, 4, 636, 476), turn("Happiness"), turn("Surprise"))
        draw(plain(*SIZE), snapshot(shown), Marks(), seats)
    heights = [text.shape[0] for text, _ in spots]
    assert heights[1] < heights[0]
    assert heights[2:-2] == [heights[1]] * PATIENCE
    assert heights[-2:] == [heights[0]] * 2


def test_what_left_its_corner_for_a_face_does_not_run_back_at_once() -> None:
    seats, marks = Seats(), Marks(fps=30.0, details=False)

    def top_left(*faces: FaceView) -> bool:
        return bool((draw(plain(*SIZE), snapshot(*faces), marks, seats)[:10, :60] != 128).any())

    assert top_left()
    draw(plain(*SIZE), snapshot(face((0, 0, 200, 200))), marks, seats)
    assert not top_left()


def test_a_plate_away_from_its_face_stays_until_a_nearer_place_is_much_nearer() -> None:
    room = Room(SIZE, [], [(200, 100, 300, 200)])
    here = room.nearest((100, 20), (200, 100, 300, 200))
    kept = room.nearest((100, 20), (200, 100, 300, 200), Spot((200, 60, 300, 80), True))
    assert gap(here.area, (200, 100, 300, 200)) == 0
    assert kept.area == (200, 60, 300, 80)
    far = room.nearest((100, 20), (200, 100, 300, 200), Spot((0, 460, 100, 480), True))
    assert far.area == here.area
    hidden = room.nearest((100, 20), (200, 100, 300, 200), Spot((210, 120, 310, 140), True))
    assert hidden.area == here.area
