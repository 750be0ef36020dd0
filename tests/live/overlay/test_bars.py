"""Bars of options in the window: as long as their probabilities, and where they have no room, words."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from support.views import face, plain, snapshot

from coabench.dialogue import Answer, Question, Turn
from coabench.labels import Choices
from coabench.live.overlay import Marks, draw, words
from coabench.live.overlay.bars import MOST, Column, chart, columns
from coabench.live.overlay.colours import FACES, TRACK

EMOTIONS = ("Happiness", "Sadness", "Surprise", "Fear")


def scored(name: str = "primary", options: tuple[str, ...] = EMOTIONS) -> Turn:
    scores = {option: float(np.log(0.5 ** (n + 1))) for n, option in enumerate(options)}
    return Turn(Question("?", Choices(options), name=name), Answer("", label=options[0], scores=scores))


def test_every_option_has_a_row_the_likeliest_first() -> None:
    answered = face(
        (0, 0, 9, 9), scored(), Turn(Question("?", Choices(()), name="why"), Answer("because")), scored("secondary")
    )
    first, second = columns(answered.answer)
    assert (first.title, second.title) == ("1 primary", "3 secondary")
    assert first.rows == (
        ("Happiness", 53, True), ("Sadness", 27, False), ("Surprise", 13, False), ("Fear", 7, False)
    )  # fmt: skip
    many = columns(face((0, 0, 9, 9), scored(options=tuple(f"label {n}" for n in range(40)))).answer)
    assert (len(many[0].rows), many[0].more) == (MOST, 40 - MOST)
    assert columns(None) == ()


def test_bars_are_as_long_as_the_probabilities() -> None:
    column = Column("1 primary", (("Anger", 75, True), ("Fear", 20, False), ("Joy", 5, False)), 2)
    drawn, long = chart((column,), 20, 900, FACES[0])[..., :3], 70
    for row, (_, percents, _) in enumerate(column.rows, start=1):
        empty = int((drawn[row * 25 + 14] == TRACK).all(axis=1).sum())
        assert 100 * (long - empty) / long == pytest.approx(percents, abs=2)
    assert chart((column,), 20, 60, FACES[0]).shape[1] <= 60


def test_where_bars_have_no_room_the_likeliest_stand_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def tracks(box: tuple[int, int, int, int], **more: Any) -> int:
        view = replace(face(box, scored(), scored("secondary")), **more)
        drawn = draw(plain(640, 480, 255), snapshot(view), Marks())
        return int((drawn == TRACK).all(axis=2).sum())

    assert tracks((240, 140, 400, 340)) > 500
    assert tracks((10, 10, 630, 470)) == 0  # nothing is free
    unscored = Turn(scored().question, Answer("Happiness", label="Happiness"))
    assert tracks((240, 140, 400, 340), answer=face((0, 0, 9, 9), unscored).answer) == 0
    small = draw(plain(640, 480), snapshot(face((240, 140, 400, 340), scored())), Marks(details=False))
    assert not (small == TRACK).all(axis=2).any()
    said = words.about_face(face((0, 0, 9, 9), scored()), True)
    assert "Happiness 53%" in "".join(text for line in said for text, _ in line)
