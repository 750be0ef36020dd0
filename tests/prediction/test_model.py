"""``coabench.predict`` and ``coabench.load``: pictures as Python has them."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image
from support.footage import PHOTOGRAPH
from support.in_process import plugins_on

import coabench
from coabench.backbone import Backbone, BackboneRequest, Viewing
from coabench.cli.predict import command
from coabench.prediction.answer import FacePrediction
from coabench.prediction.progress import PredictionProgress
from coabench.testing import ScriptedBackbone

CHOICE: dict[str, Any] = {"backbone": "scripted:a", "detector": "brightest", "options": {"backbone.noise": False}}


@pytest.fixture(autouse=True)
def desk(scripted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with plugins_on(scripted):
        yield


class Mine(Backbone[Any]):
    """Answers with the first option."""

    def __init__(self, request: BackboneRequest) -> None:
        return

    def identity(self) -> Mapping[str, Any]:
        return {}

    def look(self, batch: Sequence[Any]) -> Viewing:
        return ScriptedBackbone().look(batch)


def square(shade: int = 200) -> np.ndarray:
    picture = np.full((160, 240, 3), 20, np.uint8)
    picture[30:90, 20:80] = shade
    return picture


def said(predictions: list[Any]) -> list[Any]:
    return [(each.label, each.status, each.box, [turn.answer for turn in each.turns]) for each in predictions]


def test_arguments_are_the_options_with_their_defaults() -> None:
    spelt = {"set": "options"}
    context = command.make_context("predict", ["photo.jpg"])
    options = {}
    for parameter in command.params:
        argument = max(parameter.opts, key=len).removeprefix("--").replace("-", "_")
        options[spelt.get(argument, argument)] = context.params[parameter.name] or None
    for name in ("paths", "format", "output", "overwrite", "explain_text"):  # of the command line alone
        del options[name]
    parameters = {**inspect.signature(coabench.load).parameters, **inspect.signature(coabench.predict).parameters}
    arguments = {name: each.default or None for name, each in parameters.items()}
    assert {
        name: value for name, value in arguments.items() if name not in ("pictures", "progress", "loading")
    } == options


def test_a_photograph_shows_itself_with_both_answers() -> None:
    (face,) = coabench.predict(PHOTOGRAPH, decode="score")
    assert face.box is not None
    assert face.label in repr(face)
    assert repr(face).startswith("Prediction('")
    assert f"primary={face.answers['primary']!r} {face.probabilities['primary'][face.answers['primary']]:.2f}" in repr(
        face
    )
    assert sum(face.probabilities["secondary"].values()) == pytest.approx(1)
    assert face.confidence == pytest.approx(
        face.probabilities["primary"][face.answers["primary"]]
        * face.probabilities["secondary"][face.answers["secondary"]]
    )


def test_a_path_an_image_and_an_array_are_answered_alike(tmp_path: Path) -> None:
    Image.fromarray(square()).save(tmp_path / "a.png")
    model = coabench.load(**CHOICE)
    with Image.open(tmp_path / "a.png") as image:
        answers = [model.predict(each) for each in ("a.png", tmp_path / "a.png", image, square())]
        together = model.predict([tmp_path / "a.png", image, square()], batch_size=2)
    assert len(answers[0]) == 1
    assert all(said(each) == said(answers[0]) for each in answers)
    assert said(together) == 3 * said(answers[0])
    assert [each.picture.file for each in together] == [str(tmp_path / "a.png"), "pictures[1]", "pictures[2]"]


def test_an_image_is_turned_upright_and_put_on_white_as_its_file_is(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(square()).save(tmp_path / "turned.png", exif=exif)
    clear = Image.fromarray(square())
    clear.putalpha(Image.fromarray(np.where(square()[..., 0] > 100, 0, 255).astype(np.uint8)))
    clear.save(tmp_path / "clear.png")
    model = coabench.load(**CHOICE)
    for name in ("turned.png", "clear.png"):
        with Image.open(tmp_path / name) as image:
            of_file, of_image = model.predict(name), model.predict(image)
        assert said(of_file) == said(of_image)
        assert of_file[0].picture.notes == of_image[0].picture.notes != ()


def test_questions_are_rewritten_and_answers_read_back() -> None:
    own: dict[str, Any] = {
        "backbone": "scripted:a",
        "options": CHOICE["options"],
        "strategy": "direct",
        "faces": "none",
    }
    model = coabench.load(**own, rewrite=["language", "order:rotate=2"])
    (plain,), (other,) = coabench.predict(square(), **own), model.predict(square())
    asked, was = other.turns[0].question, plain.turns[0].question
    assert asked.prompt.startswith("Wähle")
    assert tuple(asked.options) == (*was.options[2:], *was.options[:2])
    assert other.label in was.options
    assert any("no native speaker" in note for note in model.notes)
    assert not any("ranked" in note for note in model.notes)
    with pytest.raises(coabench.UserError, match="changes no question of strategy 'direct'"):
        coabench.load(**own, rewrite="comma:last=yes")


def test_faces_are_chosen_at_each_call() -> None:
    model = coabench.load(**CHOICE)
    assert model.predict(square(), faces="largest")[0].box == (20, 30, 80, 90)
    assert model.predict(square(), faces="none")[0].box is None
    assert model.predict(square(20))[0].status == "no-face"
    whole = coabench.load(**{**CHOICE, "faces": "none", "detector": "auto"})
    assert said(whole.predict(square())) == said(model.predict(square(), faces="none"))
    with pytest.raises(coabench.UserError, match="loaded with faces='none'"):
        whole.predict(square(), faces="all")


def test_a_broken_file_is_an_answer_and_a_wrong_kind_is_not(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    model = coabench.load(**CHOICE)
    broken, good = model.predict(["broken.jpg", square()])
    assert (broken.status, good.status == "error") == ("error", False)
    assert "cannot be decoded" in broken.reason
    for wrong, words in (
        (5, "no picture"),
        ([square(), None], r"pictures\[1\] is no picture"),
        (square().astype(float), "uint8"),
        (np.zeros((0, 4, 3), np.uint8), "shape"),
        ("absent.jpg", "nothing there"),
        ("https://example.org/a.jpg", "nothing is fetched"),
    ):
        with pytest.raises(coabench.UserError, match=words):
            model.predict(wrong)
    for changed in ({"faces": "some"}, {"batch_size": 0}, {"every": -1}):
        with pytest.raises(coabench.UserError):
            model.predict(square(), **changed)
    with pytest.raises(coabench.UserError, match="decode"):
        coabench.load(**CHOICE, decode="guess")


def test_what_would_be_voted_is_not_drawn_once() -> None:
    with pytest.raises(coabench.UserError, match="votes among many dialogues"):
        coabench.load(**CHOICE, decode="sample")


def test_a_backbone_may_be_a_class_of_ones_own() -> None:
    (answer,) = coabench.predict(square(), backbone=Mine, faces="none")
    assert [turn.question.name for turn in answer.turns] == ["primary", "secondary"]


def test_progress_is_counted_in_files(capfd: pytest.CaptureFixture[str]) -> None:
    class Counting(PredictionProgress):
        seen: ClassVar[list[Any]] = []

        def start(self, total: int) -> Any:
            self.seen.append(total)
            return super().start(total)

        def advance(self, done: int, said: Sequence[FacePrediction]) -> None:
            self.seen.append((done, len(said)))

    model = coabench.load(**CHOICE)
    Path("broken.png").write_bytes(b"")
    assert len(model.predict([square(), "broken.png", square()], batch_size=2, progress=Counting())) == 3
    assert Counting.seen == [3, (1, 1), (2, 1), (3, 1)]
    assert capfd.readouterr().err == ""
    model.predict([square()], progress=True)
    shown = capfd.readouterr().err
    assert "detector: brightest" in shown
    assert "1/1 file, 1 face" in shown
