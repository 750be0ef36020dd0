"""What the doctor tries: what comes of it where all is well, where something fails, crashes or hangs."""

from __future__ import annotations

import sys
from concurrent.futures import Future
from typing import Any

import pytest

from coabench.base.isolation import ProcessFailed
from coabench.doctor.checks import CHECKS, Row, examine, outcomes
from coabench.support import images
from coabench.support.images import FORMATS, UnreadableImage
from coabench.testing import registered
from coabench.testing.scripted import ScriptedBackbone


def only(rows: list[Row]) -> Row:
    (row,) = rows
    return row


def test_the_model_that_ships_answers() -> None:
    row = only(examine("answer"))
    assert (row["item"], row["state"]) == ("answer", "ok")
    assert "tiny with chain-of-affect answered" in row["found"]
    assert row["seconds"] > 0


def test_a_model_that_cannot_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(ScriptedBackbone):
        def load(self) -> None:
            raise ZeroDivisionError("its weights are gone")

    monkeypatch.setattr("coabench.registry.defaults.BACKBONE", "broken")
    with registered("backbones", "broken", Broken()):
        row = only(examine("answer"))
    assert (row["state"], row["found"]) == ("broken", "ZeroDivisionError: its weights are gone")
    assert "coabench doctor --json" in row["remedy"]
    row = only(examine("answer"))
    assert row["state"] == "broken"
    assert "broken" in row["found"]
    assert row["remedy"]


def test_every_format_that_is_claimed_is_read() -> None:
    rows = {row["item"]: row for row in examine("images")}
    assert {name: rows[name]["state"] for name in FORMATS} == dict.fromkeys(FORMATS, "ok")
    assert set(rows) == {*FORMATS, "HEIC"}


def test_heic_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    heic = next(row for row in examine("images") if row["item"] == "HEIC")
    assert heic["state"] == "missing"
    assert "pip install 'coabench[heic]'" in heic["remedy"]


def test_a_format_that_is_not_read_or_read_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    decode = images.decode

    def odd(data: bytes) -> Any:
        if data.startswith(b"BM"):
            raise UnreadableImage("no luck")
        picture, notes = decode(data)
        return (picture.rotate(180) if data.startswith(b"GIF") else picture), notes

    monkeypatch.setattr(images, "decode", odd)
    rows = {row["item"]: row for row in examine("images")}
    assert (rows["BMP"]["state"], rows["GIF"]["state"], rows["PNG"]["state"]) == ("broken", "broken", "ok")
    assert "no luck" in rows["BMP"]["found"]
    assert "not as it was written" in rows["GIF"]["found"]
    assert rows["BMP"]["remedy"]


def test_a_film_and_a_face() -> None:
    film, face = only(examine("film")), only(examine("face"))
    assert (film["state"], face["state"]) == ("ok", "ok")
    assert "4 frames" in film["found"]
    assert "finds the face of synthface-compound/" in face["found"]


def test_without_opencv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    row = only(examine("film"))
    assert row["state"] == "broken"
    assert "OpenCV cannot be imported" in row["found"]
    assert row["remedy"] == "pip install opencv-python"


def test_an_opencv_that_writes_no_film(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    monkeypatch.setattr(cv2, "VideoWriter_fourcc", lambda *_: 0x20202020)
    row = only(examine("film"))
    assert row["state"] == "broken"
    assert "wrote 4 frames of MPEG-4 and read 0 of them" in row["found"]
    assert "opencv-python" in row["remedy"]


def test_a_detector_that_finds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coabench_detectors.scaling.ScaledDetector.detect", lambda *_: [])
    row = only(examine("face"))
    assert row["state"] == "broken"
    assert "does not find the face" in row["found"]
    assert "--detector" in row["remedy"]


def test_a_crash_of_one_does_not_keep_the_others_from_being_reported() -> None:
    crashed: Future[list[Row]] = Future()
    crashed.set_exception(ProcessFailed("its process crashed (Segmentation fault) after: reading AVIF"))
    done: Future[list[Row]] = Future()
    done.set_result([{"item": "film", "state": "ok", "found": "x", "remedy": "", "seconds": 0.1}])
    first, second = outcomes({"images": crashed, "film": done})
    assert (first.item, first.state) == ("images", "broken")
    assert "reading AVIF" in first.found
    assert first.remedy
    assert (second.item, second.state, second.seconds) == ("film", "ok", 0.1)


@pytest.mark.process
def test_what_fails_in_the_process_of_a_check_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from coabench.doctor import checks

    monkeypatch.setattr(checks, "CHECKS", {"nonsense": CHECKS["film"]})  # unknown in the other process
    (finding,) = outcomes(checks.start())
    assert (finding.item, finding.state) == ("nonsense", "broken")
