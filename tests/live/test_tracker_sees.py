"""Faces keep their identities over long gaps and behind each other, by what they look like."""

from __future__ import annotations

import io
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
import pytest
from coabench_synthface.folder import SetFolder
from coabench_synthface.shipped import open_shipped
from numpy.typing import NDArray
from PIL import Image

from coabench.detector import Box, Face
from coabench.live.appearance import appearance, similarity
from coabench.live.tracker import Tracker

SIDE = 72
Places = Mapping[int, tuple[float, float]]


@pytest.fixture(scope="module")
def persons() -> list[Image.Image]:
    """Five persons."""
    shipped = SetFolder(open_shipped())
    lines = (line for line in shipped.samples if (line["subset"], line["split"]) == ("compound", "test"))
    files = [line["file"] for line in islice(lines, 0, None, 37)][:5]
    return [Image.open(io.BytesIO(shipped.files.read(file))).convert("RGB").resize((SIDE, SIDE)) for file in files]


def picture(persons: Sequence[Image.Image], places: Places, light: float = 1.0) -> NDArray[np.uint8]:
    """A frame of 640 × 360 with persons at their places; those that come first are in front."""
    canvas = Image.new("RGB", (640, 360), (90, 100, 110))
    for person in reversed(places):
        canvas.paste(persons[person], (round(places[person][0]), round(places[person][1])))
    return np.clip(np.asarray(canvas, np.float32) * light, 0, 255).astype(np.uint8)


def box(place: tuple[float, float]) -> Box:
    left, top = map(round, place)
    return left, top, left + SIDE, top + SIDE


def follow(persons: Sequence[Image.Image], film: Sequence[tuple[float, Places, Sequence[int]]]) -> dict[int, set[int]]:
    """Follow a film, each frame a time, the places, and who is detected; return the identities of every person."""
    tracker, met, jitter = Tracker(), defaultdict(set), random.Random(1)
    for time, places, detected in film:
        faces = {person: tuple(side + jitter.randint(-3, 3) for side in box(places[person])) for person in detected}
        tracks = tracker.update([Face(faces[p], 0.9) for p in detected], time, picture(persons, places))  # type: ignore[arg-type]
        for person, where in faces.items():
            met[person] |= {track.id for track in tracks if track.box == where and track.last_seen == time}
    return dict(met)


def test_ten_frames_alike_at_a_look_in_two_seconds_are_one_track(persons: list[Image.Image]) -> None:
    assert follow(persons, [(2.0 * look, {0: (200, 100)}, [0]) for look in range(10)]) == {0: {1}}


@pytest.mark.parametrize("seed", range(5))
def test_five_people_at_a_look_in_two_seconds_are_five_tracks(persons: list[Image.Image], seed: int) -> None:
    """They move about, and each is missed in one look of six."""
    rng, film = random.Random(seed), []
    for look in range(49):
        places = {person: (20 + 120 * person + rng.uniform(-30, 30), 140 + rng.uniform(-30, 30)) for person in range(5)}
        film.append((2.0 * look, places, [p for p in range(5) if (look + p) % 6 or not look]))
    met = follow(persons, film)
    assert sorted(min(ids) for ids in met.values()) == [1, 2, 3, 4, 5]
    assert all(len(ids) == 1 for ids in met.values())


@pytest.mark.parametrize("rate", [25, 10, 4, 2, 1])
def test_faces_that_cross_keep_their_identities(persons: list[Image.Image], rate: int) -> None:
    """In four seconds two persons change sides, one behind the other; who is hidden is not detected."""
    film = []
    for look in range(4 * rate + 1):
        way = 400 * look / (4 * rate)
        places = {0: (100 + way, 150.0), 1: (500 - way, 150.0)}
        hidden = abs(places[0][0] - places[1][0]) < 0.6 * SIDE
        film.append((look / rate, places, [0] if hidden else [0, 1]))
    assert follow(persons, film) == {0: {1}, 1: {2}}


def test_two_who_change_seats_between_two_looks_keep_their_identities(persons: list[Image.Image]) -> None:
    seats = (200.0, 150.0), (330.0, 150.0)
    film = [(2.0 * look, {0: seats[look % 2], 1: seats[1 - look % 2]}, [0, 1]) for look in range(6)]
    assert follow(persons, film) == {0: {1}, 1: {2}}


def test_somebody_else_far_away_is_somebody_else(persons: list[Image.Image]) -> None:
    tracker, seen = Tracker(), []
    for time, person, place in ((0.0, 0, (50.0, 50.0)), (0.1, 0, (500.0, 250.0)), (2.1, 1, (400.0, 250.0))):
        tracks = tracker.update([Face(box(place), 0.9)], time, picture(persons, {person: place}))
        seen += [track.id for track in tracks if track.last_seen == time]
    assert seen == [1, 2, 3]  # nobody runs so far in a tenth of a second, and another face is another person


def test_a_face_is_lost_after_a_second_and_two_looks(persons: list[Image.Image]) -> None:
    for pause, still in ((0.1, 10), (2.0, 2)):
        tracker = Tracker()
        frame = picture(persons, {0: (200, 100)})
        tracker.update([Face(box((200, 100)), 0.9)], 0.0, frame)
        looks = [len(tracker.update([], pause * look, frame)) for look in range(1, 15)]
        assert looks == [1] * still + [0] * (14 - still)


def test_a_scene_that_is_forgotten_shares_no_track(persons: list[Image.Image]) -> None:
    tracker, frame = Tracker(), picture(persons, {0: (200, 100)})
    for number in (1, 2, 3):
        assert [track.id for track in tracker.update([Face(box((200, 100)), 0.9)], number / 5, frame)] == [number]
        tracker.forget()


def test_appearance_is_of_the_box_and_bounded(persons: list[Image.Image]) -> None:
    places = {person: (20.0 + 120 * person, 140.0) for person in range(5)}
    frame = picture(persons, places)
    looks = [look for place in places.values() if (look := appearance(frame, box(place))) is not None]
    assert [look.shape for look in looks] == [(8, 8, 3)] * 5
    for one, first in enumerate(looks):
        dimmer = appearance(picture(persons, places, 0.9), box(places[one]))
        assert dimmer is not None
        assert similarity(first, first) == 1
        assert similarity(first, dimmer) > max(similarity(first, each) for i, each in enumerate(looks) if i != one)
    assert appearance(frame, (700, 10, 760, 70)) is None
    assert appearance(frame, (-30, -30, 30, 30)) is not None


def test_a_face_can_be_given_an_earlier_identity() -> None:
    tracker = Tracker()
    here, there = Face(box((20, 20)), 0.9), Face(box((400, 200)), 0.9)
    tracker.update([here], 0.0)
    tracker.update([here, there], 0.1)
    assert not tracker.rename(2, 1)  # both are seen
    assert not tracker.rename(7, 1)
    tracker.update([there], 0.2)
    assert tracker.rename(2, 1)
    assert [(track.id, track.box) for track in tracker.update([there], 0.3)] == [(1, there.box)]
    assert [track.id for track in tracker.update([here, there], 0.4)] == [1, 3]  # no identity is used twice
