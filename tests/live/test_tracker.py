"""Each face keeps its identity while it is in the picture."""

import random
from itertools import permutations

import pytest

from coabench.detector import Box, Face
from coabench.live.tracker import LIMIT, Tracker, _assign, iou


def face(x: float, y: float = 100, side: int = 60, score: float = 0.9) -> Face:
    return Face((round(x), round(y), round(x) + side, round(y) + side), score)


def ids(tracker: Tracker, faces: list[Face], time: float) -> dict[Box, int]:
    return {track.face.box: track.id for track in tracker.update(faces, time) if track.last_seen == time}


def test_a_face_that_moves_keeps_its_identity() -> None:
    tracker = Tracker()
    for step in range(50):
        moving = face(10 + 9 * step, 100 + 3 * step)
        assert ids(tracker, [moving], step / 30) == {moving.box: 1}


def test_two_faces_that_pass_each_other_are_not_confused() -> None:
    tracker = Tracker()
    for step in range(60):
        upper, lower = face(10 + 8 * step, 100), face(490 - 8 * step, 165)  # one below the other as they pass
        order = [upper, lower] if step % 2 else [lower, upper]
        assert ids(tracker, order, step / 15) == {upper.box: 1, lower.box: 2}


def test_faces_side_by_side_that_move_together_are_not_confused() -> None:
    tracker = Tracker()
    first = ids(tracker, [face(100), face(165), face(230)], 0.0)
    after = ids(tracker, [face(130), face(195), face(260)], 0.1)  # each is now half over its neighbour's place
    assert list(first.values()) == [1, 2, 3]
    assert list(after.values()) == [1, 2, 3]


@pytest.mark.parametrize("seed", range(20))
def test_faces_that_do_not_overlap_are_never_swapped_whatever_is_missed(seed: int) -> None:
    """Five faces wander in lanes of their own; each is missed now and then, for less than the tracker's memory."""
    rng = random.Random(seed)
    tracker, known = Tracker(keep=1.0), {}
    places = [100.0] * 5
    missed_since = [-1.0] * 5
    for step in range(200):
        time, shown = step / 10, []
        for lane in range(5):
            places[lane] += rng.uniform(-8, 8)
            if step and rng.random() < 0.3 and time - missed_since[lane] < 0.3:
                continue
            missed_since[lane] = time
            shown.append((lane, face(places[lane], 70 * lane, score=rng.uniform(0.5, 1))))
        rng.shuffle(shown)
        found = ids(tracker, [one for _, one in shown], time)
        for lane, one in shown:
            assert known.setdefault(lane, found[one.box]) == found[one.box]
    assert sorted(known.values()) == [1, 2, 3, 4, 5]


def test_a_missed_face_is_remembered_for_a_while_and_in_seconds() -> None:
    for rate in (5, 60):
        tracker = Tracker(keep=0.5)
        tracker.update([face(100)], 0.0)
        for step in range(1, int(0.4 * rate) + 1):
            (track,) = tracker.update([], step / rate)
            assert (track.id, track.last_seen) == (1, 0.0)
        assert ids(tracker, [face(110)], 0.45) == {face(110).box: 1}
        for late in (0.8, 0.9):
            assert len(tracker.update([], late)) == 1
        assert tracker.update([], 0.96) == []
        assert ids(tracker, [face(110)], 1.0) == {face(110).box: 2}


def test_a_new_face_gets_a_new_identity_even_where_one_just_left() -> None:
    tracker = Tracker()
    tracker.update([face(100), face(300)], 0.0)
    tracker.update([face(300)], 0.1)
    assert ids(tracker, [face(300), face(170)], 0.2) == {face(300).box: 2, face(170).box: 3}


def test_a_face_that_hides_another_does_not_take_its_identity() -> None:
    tracker = Tracker(keep=2.0)
    first = ids(tracker, [face(300), face(100)], 0.0)
    staying, passing = first[face(300).box], first[face(100).box]
    for step in range(1, 41):
        x = 100 + 10 * step
        hidden = iou(face(x).box, face(300).box) > 0.3
        shown = [face(x)] if hidden else [face(x), face(300)]
        found = ids(tracker, shown, step / 20)
        assert found[face(x).box] == passing
        if not hidden:
            assert found[face(300).box] == staying


def test_a_track_is_where_its_face_was_last_detected() -> None:
    tracker = Tracker()
    tracker.update([face(100)], 0.0)
    (track,) = tracker.update([face(120)], 0.1)
    assert (track.box, track.last_seen, track.score) == (face(120).box, 0.1, 0.9)


def test_memory_is_bounded_whatever_a_detector_reports() -> None:
    rng = random.Random(0)
    tracker = Tracker(keep=1e9)
    for step in range(20):
        crowd = [face(rng.uniform(0, 4000), rng.uniform(0, 4000), 10, rng.random()) for _ in range(300)]
        assert len(tracker.update(crowd, float(step))) <= LIMIT


def test_the_same_faces_in_another_order_give_the_same_tracks() -> None:
    rng = random.Random(1)
    scenes = [[face(rng.uniform(0, 500), rng.uniform(0, 300), 60, rng.random()) for _ in range(6)] for _ in range(30)]
    one, other = Tracker(), Tracker()
    for step, scene in enumerate(scenes):
        assert one.update(scene, step / 10) == other.update(rng.sample(scene, len(scene)), step / 10)


def test_the_assignment_is_the_best_there_is() -> None:
    rng = random.Random(2)
    for _ in range(200):
        rows, columns = rng.randint(1, 5), rng.randint(1, 5)
        table = [[rng.choice([0.0, rng.random()]) for _ in range(columns)] for _ in range(rows)]
        pairs = _assign(table)
        assert len(set(pairs.values())) == len(pairs)
        assert all(table[row][column] > 0 for row, column in pairs.items())
        wide = [*range(columns), *[None] * rows]
        best = max(
            sum(table[row][column] for row, column in enumerate(chosen) if column is not None)
            for chosen in permutations(wide, rows)
        )
        assert sum(table[row][column] for row, column in pairs.items()) == pytest.approx(best)


def test_nothing_to_assign() -> None:
    assert _assign([]) == {}
    assert _assign([[], []]) == {}
    assert Tracker().update([], 0.0) == []
