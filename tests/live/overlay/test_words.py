"""What the overlay says about faces."""

from dataclasses import replace
from typing import Any

import pytest
from support.views import face, snapshot, turn

from coabench.dialogue import Prediction
from coabench.live.agreement import Agreement
from coabench.live.gauges import Gauges
from coabench.live.overlay.colours import NOTICE
from coabench.live.overlay.words import Marks, about_face, in_corners
from coabench.live.reasons import why_no_label
from coabench.live.snapshot import FaceView, Opinion

BOX = (0, 0, 9, 9)


def words(view: FaceView, details: bool = True) -> list[str]:
    return ["".join(text for text, _ in line) for line in about_face(view, details)]


def test_what_is_said_about_a_face() -> None:
    scores = {"Happiness": -0.105, "Surprise": -2.303}
    sure = face(BOX, turn("Happiness", scores=scores), turn("Surprise", scores={"Happiness": -50.0, "Surprise": 0.0}))
    bars = ["1  Happiness 90%  Surprise 10%", "2  Surprise 100%  Happiness 0%"]
    assert words(sure) == ["#1  Happily Surprised  90%", "1 Happiness  2 Surprise", *bars, "0.4 s ago"]
    assert words(sure, details=False) == ["#1  Happily Surprised  90%"]
    plain = face(BOX, turn("Happiness"), turn("Surprise"))
    assert words(plain)[0] == "#1  Happily Surprised"
    smooth = face(BOX, turn("Happiness"), turn("Surprise"), smoothed="Sadly Angry")
    assert words(smooth)[:2] == ["#1  Sadly Angry  (smoothed)", "now Happily Surprised"]
    both = (turn("Happiness"), turn("Surprise"))
    assert words(face(BOX, *both, asking=True, turns=()))[1] == "1 Happiness  2 Surprise"
    assert words(face(BOX, *both, asking=True, turns=(turn("Anger"),), seconds=1.0))[1] == "1 Anger  2 …"
    assert words(face(BOX, *both, asking=True, turns=(turn("Anger"),), seconds=0.1))[1] == "1 Happiness  2 Surprise"
    assert words(face(BOX, turn("Happily Surprised"))) == ["#1  Happily Surprised", "0.4 s ago"]
    first = FaceView(1, BOX, 0.9, asking=True)
    assert words(first) == ["#1  asking", "1 …"]
    assert words(FaceView(1, BOX, 0.9, turns=(turn("Anger"),), asking=True)) == ["#1  asking", "1 Anger  2 …"]
    assert words(FaceView(1, BOX, 0.9)) == ["#1"]
    old = face(BOX, turn("Happiness"), turn("Surprise"), age=12.34, stale=True)
    assert words(old)[-1] == "12.3 s ago  stale"
    assert words(old, details=False)[-1] == "stale"


def test_no_label_says_why_in_words_in_its_own_colour_and_without_a_percentage() -> None:
    scores = {"Happiness": -0.105, "Surprise": -2.303}
    twice = face(BOX, *[turn("Happiness", scores=scores)] * 2, label=None, why="repeated")
    assert words(twice)[0] == "#1  no label: both answers are the same emotion"
    assert [colour for text, colour in about_face(twice, True)[0] if "no label" in text] == [NOTICE]
    assert all(colour != NOTICE for line in about_face(face(BOX, turn("Happiness")), True) for _, colour in line)
    voted = face(BOX, turn("Happiness", scores=scores), label=None, why="tied", smoothed="Sadly Angry")
    assert words(voted)[1] == "now no label: two labels got equally many votes"


@pytest.mark.parametrize(
    ("prediction", "words"),
    [
        (Prediction("Sadly Angry"), None),
        (Prediction.invalid("no-class"), "the two emotions make none"),
        (Prediction.invalid("unparsed-primary"), "the first answer is no option"),
        (Prediction.invalid("unparsed-mood\x1b"), "the answer to mood\\x1b is no option"),
        (Prediction.invalid("too-shy"), "too-shy"),
        (Prediction(None, "invalid"), "an invalid answer"),
        (Prediction(None, "error", "too small\nby far"), "unusable image: too small\\nby far"),
        (Prediction(None, "error"), "unusable image"),
    ],
)
def test_why_there_is_no_label(prediction: Prediction, words: str | None) -> None:
    assert why_no_label(prediction) == words


def test_what_a_model_says_cannot_break_out_of_its_line() -> None:
    said = words(face(BOX, turn("Happiness"), turn(None, "line\nline \x1b[31m" + "x" * 99), label=None))
    assert said[0] == "#1  no label: the first answer is no option"
    assert "\n" not in said[1]
    assert "\x1b" not in said[1]
    assert len(said[1]) < 60


def corner(marks: Marks) -> list[str]:
    return ["".join(text for text, _ in line) for line in in_corners(snapshot(), marks).get("rates", ())]


def test_rates_are_dashes_while_nothing_comes_and_missing_where_nobody_watches() -> None:
    assert corner(Marks(fps=29.6, about="tiny")) == ["30 fps  1.0 answers/s", "model, median 900 ms  p95 1.1 s", "tiny"]
    assert corner(Marks(fps=29.6, offline=True)) == ["– fps  – answers/s", "model, median –  p95 –"]
    assert corner(Marks(about="tiny", rates=False, gauges=Gauges(0.5))) == ["tiny"]
    assert in_corners(snapshot(), Marks(rates=False)) == {}


def test_side_by_side_every_answerer_has_a_line_and_differences_are_marked_in_words_too() -> None:
    scores = {"Happiness": -0.3, "Surprise": -1.6}
    first = face(BOX, turn("Happiness", scores=scores), label="Happily Surprised")
    other, silent = face(BOX, label="Sadly Angry").answer, face(BOX, label=None).answer
    beside = (
        Opinion("B", answer=other, differs=True),
        Opinion("C", answer=first.answer),
    )
    said = ["".join(text for text, _ in line) for line in about_face(replace(first, beside=beside), True)]
    assert said[:3] == ["#1  A  Happily Surprised  79%  ≠ B", "B ≠ Sadly Angry", "C = Happily Surprised  79%"]
    assert "1  Happiness 79%  Surprise 21%" in said
    without = (Opinion("B", answer=silent, differs=True),)
    said = ["".join(text for text, _ in line) for line in about_face(replace(first, beside=without), False)]
    assert said == ["#1  A  Happily Surprised  79%  ≠ B", "B ≠ no label: the first answer is no option"]


def test_the_corner_says_in_how_many_looks_each_pair_agrees() -> None:
    counted = replace(snapshot(), agreements=(Agreement("A", "B", 40, 10), Agreement("A", "C", 0, 0)))
    said = ["".join(text for text, _ in line) for line in in_corners(counted, Marks())["rates"]]
    assert said[-1] == "A = B  25% of 40"


def test_details_say_where_the_time_goes_and_what_the_machine_bears() -> None:
    rates = replace(snapshot().rates, detect=0.031, wait=1.25)
    seen = replace(snapshot(), rates=rates)

    def said(**more: Any) -> list[str]:
        return ["".join(text for text, _ in line) for line in in_corners(seen, Marks(**more))["rates"]]

    assert said()[2:] == ["detect 31 ms  wait 1.2 s"]
    assert said(gauges=Gauges(0.854, 1_240_000_000))[3:] == ["processor 85% 1.2 GB"]
    assert said(gauges=Gauges(0.1, 2 * 10**9, None, 5 * 10**9))[3:] == ["processor 10% 2.0 GB  GPU 5.0 GB"]
    assert said(gauges=Gauges(0.1), details=False) == ["1.0 answers/s"]
