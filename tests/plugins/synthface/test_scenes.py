"""``coabench synthface scenes``: whole scenes whose faces are known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.process import Run
from support.runs import manifest

from coabench.detector import Detector
from coabench.live.tracker import iou
from coabench.registry.detectors import find_detector

SCENES = ("synthface", "scenes", "scenes")


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "scenes.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.usefixtures("assets")
def test_scenes_are_a_data_set_whose_faces_are_known(coabench: Run, tmp_path: Path) -> None:
    made = coabench(*SCENES, "--count", "4")
    assert made.returncode == 0, made.stderr
    assert "--dataset scenes/card.yaml --data-root scenes" in made.stderr
    detector: Detector = find_detector("mtcnn").open()
    found = 0
    for row in rows(tmp_path / "scenes"):
        box = row["left"], row["top"], row["right"], row["bottom"]
        with Image.open(tmp_path / "scenes" / "images" / row["image"]) as image:
            assert image.size == (480, 360)
            found += any(iou(face.box, box) > 0.5 for face in detector.detect(np.asarray(image)))
        assert box[2] - box[0] < 140
        assert row["off_centre"] > 0.1
    assert found == 4
    run = coabench("evaluate", "--backbone", "scripted", "--strategy", "direct", "--dataset", "scenes/card.yaml",
                   "--data-root", "scenes", "--output", "run")  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert manifest(tmp_path / "run")["identity"]["dataset"]["samples"] == 4
    fewer = coabench("synthface", "scenes", "fewer", "--count", "1")
    assert fewer.returncode == 0, fewer.stderr
    first = "images/compound_scene_00000.jpg"
    assert (tmp_path / "fewer" / first).read_bytes() == (tmp_path / "scenes" / first).read_bytes()
    assert rows(tmp_path / "fewer") == rows(tmp_path / "scenes")[:1]


@pytest.mark.usefixtures("assets")
def test_an_interrupted_set_leaves_nothing(coabench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("coabench_synthface.scenes._make_one", stop)
    assert coabench(*SCENES).returncode != 0
    assert not list(tmp_path.iterdir())


def test_a_folder_with_something_in_it_is_left_alone(coabench: Run, tmp_path: Path) -> None:
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / "mine.txt").write_text("mine")
    refused = coabench(*SCENES)
    assert refused.returncode == 2
    assert "is not empty" in refused.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["scenes", "mine.txt"]


@pytest.mark.parametrize(
    ("knob", "problem"),
    [
        ("smallest=130", "smallest and largest do not fit"),
        ("largest=500", "≤ 180"),
        ("roll=-1", "roll cannot be"),
        ("shift=1", "leave them out"),
    ],
)
def test_knobs_that_make_no_sense_are_refused(coabench: Run, tmp_path: Path, knob: str, problem: str) -> None:
    refused = coabench(*SCENES, "--set", knob)
    assert refused.returncode == 2
    assert problem in refused.stderr
    assert not list(tmp_path.iterdir())
