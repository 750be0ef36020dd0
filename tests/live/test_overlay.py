"""The overlay: it stays in the picture, on a copy, and shows what it should."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from coabench.dialogue import Answer, Prediction, Question, Turn
from coabench.labels import Choices
from coabench.live import overlay
from coabench.live.overlay import Marks, draw
from coabench.live.rates import Rates
from coabench.live.snapshot import FaceAnswer, FaceView, Frame, Snapshot
from coabench.live.tracker import intersection

QUESTION = Question("?", Choices(("Happiness", "Surprise")))


def turn(label: str | None, response: str = "", scores: dict[str, float] | None = None) -> Turn:
    return Turn(QUESTION, Answer(response or str(label), label=label, scores=scores))


def face(
    box: tuple[int, int, int, int],
    *said: Turn,
    label: str | None = "Happily Surprised",
    seconds: float = 0.1,
    **more: Any,
) -> FaceView:
    prediction = Prediction(label) if label else Prediction.invalid("unparsed-primary")
    crop = Image.new("RGB", (1, 1))
    answer = FaceAnswer(0, 0.0, 1, box, 0.9, crop, "chain-of-affect", said, prediction, seconds)
    return FaceView(**{"track": 1, "box": box, "score": 0.9, "turns": said, "answer": answer, "age": 0.4, **more})


def snapshot(*faces: FaceView) -> Snapshot:
    return Snapshot(Frame(np.zeros((1, 1, 3), np.uint8), 0.0, 0), faces, Rates(9, 9, 9, 0, 9, 1.0, 0.9, 1.1))


def grey(width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 128, np.uint8)


def words(view: FaceView, details: bool = True) -> list[str]:
    return [text for text, _ in overlay._lines(view, details)]


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (1920, 1080), (480, 854), (64, 48), (16, 16), (1, 1)])
def test_any_resolution_any_number_of_faces_also_at_and_beyond_the_border(size: tuple[int, int]) -> None:
    width, height = size
    third, half = (width // 3, height // 3), (width // 2, height // 2)
    boxes = [(0, 0, width, height), (-20, -20, 5, 5), (width - 3, height - 3, width + 40, height + 40)]
    boxes += [(*third, third[0] + 1, third[1] + 1), (0, half[1], half[0], height)]
    long = "A label that is much longer than anything that would fit beside a face in any picture"
    views = [face(box, turn("Happiness"), turn(long), label=long, stale=i % 2 == 0) for i, box in enumerate(boxes)]
    image = grey(width, height)
    marks = Marks(fps=30.0, about="a " * 60, notice="no " * 60, recording=True, paused=True)
    drawn = draw(image, snapshot(*views), marks)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert (image == 128).all()
    assert (drawn != 128).any()


def test_nothing_is_drawn_far_from_a_face_and_the_corners() -> None:
    drawn = draw(grey(640, 480), snapshot(face((300, 300, 380, 380))), Marks(details=False))
    changed = np.argwhere((drawn != 128).any(axis=2))
    assert changed[:, 0].max() < 390
    assert not (drawn[100:200] != 128).any()
    assert (drawn[300, 300:380] != 128).any()


def test_plates_of_neighbours_do_not_hide_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    placed: list[tuple[int, int, int, int]] = []
    paste = overlay._paste

    def spy(*arguments: Any) -> Any:
        placed.append(paste(*arguments))
        return placed[-1]

    monkeypatch.setattr(overlay, "_paste", spy)
    boxes = [(100, 200, 180, 280), (190, 200, 270, 280), (280, 200, 360, 280)]
    draw(grey(640, 480), snapshot(*[face(b, turn("Happiness"), turn("Surprise")) for b in boxes]), Marks())
    faces = placed[-3:]
    assert all(intersection(a, b) == 0 for i, a in enumerate(faces) for b in faces[i + 1 :])


def test_what_is_said_about_a_face() -> None:
    box = (0, 0, 9, 9)
    scores = {"Happiness": -0.105, "Surprise": -2.303}
    sure = face(box, turn("Happiness", scores=scores), turn("Surprise", scores={"Happiness": -50.0, "Surprise": 0.0}))
    assert words(sure) == ["#1  Happily Surprised  90%", "1 Happiness  2 Surprise", "0.4 s ago"]
    assert words(sure, details=False) == ["#1  Happily Surprised  90%"]
    plain = face(box, turn("Happiness"), turn("Surprise"))
    assert words(plain)[0] == "#1  Happily Surprised"
    smooth = face(box, turn("Happiness"), turn("Surprise"), smoothed="Sadly Angry")
    assert words(smooth)[:2] == ["#1  Sadly Angry  (smoothed)", "now Happily Surprised"]
    both = (turn("Happiness"), turn("Surprise"))
    assert words(face(box, *both, asking=True, turns=()))[1] == "1 Happiness  2 Surprise"
    assert words(face(box, *both, asking=True, turns=(turn("Anger"),), seconds=1.0))[1] == "1 Anger  2 …"
    assert words(face(box, *both, asking=True, turns=(turn("Anger"),), seconds=0.1))[1] == "1 Happiness  2 Surprise"
    assert words(face(box, turn("Happily Surprised"))) == ["#1  Happily Surprised", "0.4 s ago"]
    first = FaceView(1, box, 0.9, asking=True)
    assert words(first) == ["#1  asking", "1 …"]
    assert words(FaceView(1, box, 0.9, turns=(turn("Anger"),), asking=True)) == ["#1  asking", "1 Anger  2 …"]
    assert words(FaceView(1, box, 0.9)) == ["#1"]
    old = face(box, turn("Happiness"), turn("Surprise"), age=12.34, stale=True)
    assert words(old)[-1] == "12.3 s ago  stale"
    assert words(old, details=False)[-1] == "stale"


def test_what_a_model_says_cannot_break_out_of_its_line() -> None:
    said = words(face((0, 0, 9, 9), turn("Happiness"), turn(None, "line\nline \x1b[31m" + "x" * 99), label=None))
    assert said[0] == "#1  no label: unparsed-primary"
    assert "\n" not in said[1]
    assert "\x1b" not in said[1]
    assert len(said[1]) < 60


def test_rec_is_drawn_in_red_only_while_recording() -> None:
    def red(recording: bool) -> int:
        drawn = draw(grey(640, 480), snapshot(), Marks(recording=recording)).astype(int)
        return int(((drawn[..., 0] > 180) & (drawn[..., 1] < 90)).sum())

    assert red(False) == 0
    assert red(True) > 50
