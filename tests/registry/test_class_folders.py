"""``--dataset FOLDER``: class folders become a data set, or are refused in words."""

from pathlib import Path

import pytest
from support.faces_trees import put
from support.process import Run
from support.runs import manifest, records, untimed

from coabench.dataset import Card

SCRIPTED = ("evaluate", "--backbone", "scripted:a", "--set", "backbone.noise=false")
COMPOUND = ("happily_surprised", "Sadly Fearful", "ANGRILY-DISGUSTED")


def tree(root: Path, *classes: str, each: int = 2) -> Path:
    for position, name in enumerate(classes):
        for person in range(each):
            put(root / name / f"{person}.png", person=10 * position + person)
    return root


def test_a_folder_of_class_folders_is_evaluated_without_a_card(coabench: Run, tmp_path: Path) -> None:
    tree(tmp_path / "mine", *COMPOUND)
    result = coabench(*SCRIPTED, "--dataset", "mine", "--output", "out")
    assert result.returncode == 0, result.stderr
    assert {record["target"] for record in records(tmp_path / "out")} == {
        "Happily Surprised",
        "Sadly Fearful",
        "Angrily Disgusted",
    }
    assert len(manifest(tmp_path / "out")["labels"]["names"]) == 11
    assert "no sample of" in result.stderr  # the other eight labels


def test_the_card_beside_the_run_gives_the_same_run_and_may_be_edited(coabench: Run, tmp_path: Path) -> None:
    tree(tmp_path / "mine", *COMPOUND)
    assert coabench(*SCRIPTED, "--dataset", "mine", "--output", "out").returncode == 0
    card = tmp_path / "out.card.yaml"
    assert Card.read(card).space.compound
    again = coabench(*SCRIPTED, "--dataset", card.name, "--data-root", "mine", "--output", "out")
    assert "already complete" in again.stderr
    other = coabench(*SCRIPTED, "--dataset", card.name, "--data-root", "mine", "--output", "other")
    assert other.returncode == 0
    assert untimed(tmp_path / "other") == untimed(tmp_path / "out")
    card.write_text(edited := card.read_text().replace("- test", "- test  # mine"))
    assert coabench(*SCRIPTED, "--dataset", "mine", "--output", "out", "--overwrite").returncode == 0
    assert card.read_text() == edited


def test_folders_of_splits_are_splits(coabench: Run, tmp_path: Path) -> None:
    tree(tmp_path / "mine" / "Train", "happy", "sad", "neutral", each=3)
    tree(tmp_path / "mine" / "validation", "Happiness", "sorrow", "neutral", each=2)
    put(tmp_path / "mine" / "loose.png")
    direct = (*SCRIPTED, "--strategy", "direct", "--dataset", "mine")
    result = coabench(*direct, "--output", "val")
    assert result.returncode == 0, result.stderr
    assert "images in no class folder, left out: 1" in result.stderr
    assert manifest(tmp_path / "val")["identity"]["dataset"]["split"] == "val"
    assert [record["target"] for record in records(tmp_path / "val")].count("Sadness") == 2
    assert coabench(*direct, "--split", "train", "--output", "train").returncode == 0
    assert len(records(tmp_path / "train")) == 9
    verified = coabench("datasets", "verify", "mine")
    assert "labels: 15 read, every one on the card" in verified.stdout


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (("happy", "sadd"), "did you mean 'sad'?"),
        (("happy", "boredom"), "'boredom': nothing like it"),
        (("0", "1"), "stand for no label: '0', '1'"),
        ((), "holds no class folders with images"),
        (("test/happy", "train/happy", "odd"), "beside others with images"),
        (("val/happy", "valid/happy"), "are both the split 'val'"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(
    coabench: Run, tmp_path: Path, classes: tuple[str, ...], said: str
) -> None:
    (tmp_path / "mine").mkdir()
    tree(tmp_path / "mine", *classes)
    result = coabench(*SCRIPTED, "--dataset", "mine", "--output", "out")
    assert result.returncode == 2
    assert said in result.stderr
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.card.yaml").exists()


def test_a_folder_that_is_called_as_a_loader_is_named_by_its_path(coabench: Run, tmp_path: Path) -> None:
    tree(tmp_path / "faces", *COMPOUND)
    result = coabench(*SCRIPTED, "--dataset", "faces")
    assert result.returncode == 2
    assert "write --dataset ./faces for the folder" in result.stderr
    assert coabench(*SCRIPTED, "--dataset", "./faces", "--output", "out").returncode == 0
    assert manifest(tmp_path / "out")["identity"]["dataset"]["name"] == "faces-folder"
    tree(tmp_path / "faces-folder", "odd")  # of which the report makes nothing
    result = coabench("report", "out", "--output", "page.html")
    assert result.returncode == 0, result.stderr
    with_images = coabench("report", "out", "--output", "images.html", "--images", "--dataset", "./faces")
    assert with_images.returncode == 0, with_images.stderr


def test_a_wrong_path_is_not_taken_for_a_name(coabench: Run, tmp_path: Path) -> None:
    result = coabench(*SCRIPTED, "--dataset", "./absent")
    assert result.returncode == 2
    assert "there is nothing there" in result.stderr
    tree(tmp_path / "mine", *COMPOUND)
    result = coabench(*SCRIPTED, "--dataset", "mine", "--data-root", ".")
    assert result.returncode == 2
    assert "leave out --data-root" in result.stderr
