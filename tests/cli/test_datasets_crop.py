"""``coabench datasets crop``: faces cut out of a data set's pictures, and a card for them."""

import json
from pathlib import Path

import pytest
import yaml
from PIL import Image
from support.footage import FACE, photograph
from support.process import Run
from support.runs import manifest

from coabench.live.tracker import iou

CARD = """
name: mine
loader: faces
splits: [test, train]
labels:
  classes: [{name: Anger, code: 1}, {name: Happiness, code: 2}]
"""
CROP = (
    "datasets",
    "crop",
    "mine.yaml",
    "--data-root",
    "data",
    "--split",
    "test",
    "--output",
    "out",
    "--detector",
    "mtcnn",
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A photograph for a class, and an empty picture for the other."""
    (tmp_path / "mine.yaml").write_text(CARD)
    root = tmp_path / "data"
    for label in ("Anger", "Happiness"):
        (root / "test" / label).mkdir(parents=True)
    Image.fromarray(photograph()).save(root / "test" / "Happiness" / "astronaut.png")
    Image.new("RGB", (90, 60), "grey").save(root / "test" / "Anger" / "empty.png")
    return root


def test_a_face_is_cut_out_and_its_card_is_evaluated(data: Path, coabench: Run, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in data.rglob("*.png")}
    result = coabench(*CROP, "--missing", "skip", "--size", "64")
    assert result.returncode == 0, result.stderr
    assert "found: 1, no face: 1" in result.stdout
    assert "aligned by landmarks: 1, cut out by their box: 0" in result.stdout
    assert "test/Anger/empty.png: no face" in result.stdout
    assert before == {path: path.read_bytes() for path in data.rglob("*.png")}
    log = [json.loads(line) for line in (tmp_path / "out" / "crops.jsonl").read_text().splitlines()]
    (crop,) = next(row["crops"] for row in log if row["outcome"] == "found")
    assert iou(tuple(crop["box"]), FACE) > 0.5
    assert len(crop["landmarks"]) == 5
    (file,) = (tmp_path / "out").glob("crops-*/*.png")
    with Image.open(file) as image:
        assert image.size == (64, 64)
    run = coabench("evaluate", "--backbone", "scripted", "--strategy", "direct", "--dataset", "out/card.yaml",
                   "--data-root", "out", "--output", "run")  # fmt: skip
    assert run.returncode == 0, run.stderr
    dataset = manifest(tmp_path / "run")["identity"]["dataset"]
    assert dataset["name"] == "mine-cropped"
    assert dataset["samples"] == 1
    assert file.parent.name in json.dumps(dataset)


def test_pictures_without_a_face_are_refused_then_taken_whole(data: Path, coabench: Run, tmp_path: Path) -> None:
    refused = coabench(*CROP)
    assert refused.returncode == 2
    assert "1 of 2 pictures" in refused.stderr
    assert "--missing whole" in refused.stderr
    assert not (tmp_path / "out" / "card.yaml").exists()
    assert (tmp_path / "out" / "failures.png").exists()
    done = (tmp_path / "out" / "crops.jsonl").read_text()
    assert coabench(*CROP, "--missing", "whole").returncode == 0
    assert (tmp_path / "out" / "crops.jsonl").read_text() == done  # nothing was looked at twice
    (lost,) = (path for path in (tmp_path / "out").glob("crops-*/*.png") if "whole" not in path.name)
    crop = lost.read_bytes()
    lost.unlink()
    assert coabench(*CROP, "--missing", "whole").returncode == 0
    assert lost.read_bytes() == crop
    card = yaml.safe_load((tmp_path / "out" / "card.yaml").read_text())
    assert card["splits"] == ["test"]
    assert len((tmp_path / "out" / "faces.jsonl").read_text().splitlines()) == 2
    assert len(list((tmp_path / "out").glob("crops-*/*-whole.png"))) == 1


def test_another_setting_does_not_mix_with_what_is_there(data: Path, coabench: Run) -> None:
    assert coabench(*CROP, "--missing", "skip").returncode == 0
    other = coabench(*CROP, "--missing", "skip", "--margin", "0.2")
    assert other.returncode == 2
    assert "other settings" in other.stderr


def test_a_folder_that_holds_something_else_is_left_alone(data: Path, coabench: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    result = coabench(*CROP)
    assert result.returncode == 2
    assert "is not empty" in result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_a_picture_that_cannot_be_read_is_named(data: Path, coabench: Run) -> None:
    (data / "test" / "Anger" / "broken.png").write_bytes(b"no picture")
    result = coabench(*CROP, "--missing", "whole")
    assert result.returncode == 0, result.stderr
    assert "unreadable: 1" in result.stdout
    assert "broken.png" in result.stdout


def test_of_several_faces_the_largest_the_middle_one_or_all_are_taken(
    data: Path, coabench: Run, tmp_path: Path
) -> None:
    (data / "test" / "Anger" / "empty.png").unlink()
    head = Image.fromarray(photograph()).crop((150, 20, 300, 230))
    scene = Image.new("RGB", (900, 400), "grey")
    scene.paste(head.resize((270, 378)), (10, 10))
    scene.paste(head, (400, 100))
    scene.save(data / "test" / "Happiness" / "astronaut.png")

    def boxes(faces: str) -> list[int]:
        result = coabench(*CROP, "--output", f"out-{faces}", "--faces", faces)
        assert result.returncode == 0, result.stderr
        assert "with several faces: 1" in result.stdout
        (row,) = map(json.loads, (tmp_path / f"out-{faces}" / "crops.jsonl").read_text().splitlines())
        return [crop["box"][0] for crop in row["crops"]]

    (large,), (middle,) = boxes("largest"), boxes("centre")
    assert large < 300 < middle
    assert boxes("all") == [large, middle]
    rows = [json.loads(line) for line in (tmp_path / "out-all" / "faces.jsonl").read_text().splitlines()]
    assert [row["id"].endswith("#2") for row in rows] == [False, True]


def test_a_folder_needs_no_card(data: Path, coabench: Run, tmp_path: Path) -> None:
    result = coabench("datasets", "crop", "data", "--output", "out", "--detector", "mtcnn", "--missing", "whole")
    assert result.returncode == 0, result.stderr
    card = yaml.safe_load((tmp_path / "out" / "card.yaml").read_text())
    assert {"Anger", "Happiness"} <= {each["name"] for each in card["labels"]["classes"]}
    run = ("evaluate", "--backbone", "scripted", "--strategy", "direct", "--dataset", "out/card.yaml", "--data-root")
    assert coabench(*run, "out", "--output", "run").returncode == 0


def test_a_split_that_is_refused_is_not_left_out(data: Path, coabench: Run) -> None:
    every = coabench("datasets", "crop", "mine.yaml", "--data-root", "data", "--output", "out")
    assert every.returncode == 2
    assert "name them with --split" in every.stderr


def test_faces_are_not_written_among_the_pictures(data: Path, coabench: Run) -> None:
    result = coabench(*CROP, "--output", "data/faces")
    assert result.returncode == 2
    assert "lies in the folder of the data set" in result.stderr
    assert not (data / "faces").exists()


def test_a_crop_that_was_cut_short_is_made_again(data: Path, coabench: Run, tmp_path: Path) -> None:
    assert coabench(*CROP, "--missing", "skip").returncode == 0
    (file,) = (tmp_path / "out").glob("crops-*/*.png")
    whole = file.read_bytes()
    file.write_bytes(whole[:100])
    assert coabench(*CROP, "--missing", "skip").returncode == 0
    assert file.read_bytes() == whole
    assert "opencv-python" in json.loads((tmp_path / "out" / "crops.json").read_text())["detector"]["libraries"]


def test_a_box_stays_as_it_is_and_what_lies_beyond_is_black(data: Path, coabench: Run, tmp_path: Path) -> None:
    crop = (*CROP, "--missing", "skip", "--no-square", "--padding", "black")
    refused = coabench(*crop)
    assert refused.returncode == 2
    assert "--no-align --no-square" in refused.stderr
    assert not (tmp_path / "out").exists()
    assert coabench(*crop, "--no-align", "--margin", "0.5").returncode == 0
    (file,) = (tmp_path / "out").glob("crops-*/*.png")
    log = [json.loads(line) for line in (tmp_path / "out" / "crops.jsonl").read_text().splitlines()]
    left, top, right, bottom = next(row["crops"][0]["box"] for row in log if row["crops"])
    with Image.open(file) as image:
        assert image.size == (2 * (right - left), 2 * (bottom - top))
    assert "padding black" in (tmp_path / "out" / "card.yaml").read_text()


def test_a_folder_begun_before_a_setting_was_known_is_continued(data: Path, coabench: Run, tmp_path: Path) -> None:
    assert coabench(*CROP, "--missing", "skip").returncode == 0
    manifest = json.loads((tmp_path / "out" / "crops.json").read_text())
    assert (manifest["crop"].pop("square"), manifest["crop"].pop("padding")) == (True, "shift")
    (tmp_path / "out" / "crops.json").write_text(json.dumps(manifest))
    for _ in range(2):  # the folder of the faces is named after what the manifest says
        assert coabench(*CROP, "--missing", "skip").returncode == 0
    assert len(list((tmp_path / "out").glob("crops-*/*.png"))) == 2
    assert coabench(*CROP, "--missing", "skip", "--padding", "edge").returncode == 2
