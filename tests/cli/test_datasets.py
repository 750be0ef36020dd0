"""``coabench datasets verify``, and the line of it that ``evaluate`` repeats."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from support.faces_trees import face
from support.process import ROOT, Run
from support.runs import manifest

from coabench.base.text import plural
from coabench.support import images, verification

CARD = """
name: mine
loader: faces
splits: [test, train]
labels:
  classes: [{name: Anger, code: 1}, {name: Happiness, code: 2}, {name: Sadness, code: 3}]
"""
VERIFY = ("datasets", "verify", "mine.yaml", "--data-root", "data")
EVALUATE = ("evaluate", "--backbone", "scripted", "--strategy", "direct", *VERIFY[3:], "--dataset", VERIFY[2])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data set with an image of each class in either split; one of them is in both."""
    (tmp_path / "mine.yaml").write_text(CARD)
    for split, person in (("test", 1), ("train", 3)):
        for label in ("Anger", "Happiness", "Sadness"):
            file = tmp_path / "data" / split / label / f"{split}.png"
            file.parent.mkdir(parents=True)
            file.write_bytes(face(label, 2 if label == "Anger" else person))
    return tmp_path / "data"


def test_pairs_are_listed_in_a_file(data: Path, coabench: Run, tmp_path: Path) -> None:
    result = coabench(*VERIFY)
    assert result.returncode == 1
    assert "error    identical images in several splits: 1\n" in result.stdout
    assert "mine.pairs.csv" in result.stdout
    (row, *_) = rows = list(csv.DictReader((tmp_path / "mine.pairs.csv").open()))
    assert list(row.values()) == [
        "identical", "test/Anger/test.png", "Anger", "test", "train/Anger/train.png", "Anger", "train",
    ]  # fmt: skip
    assert f"\n{plural(len(rows), 'pair')} of identical or nearly identical images: mine.pairs.csv" in result.stdout
    assert coabench(*VERIFY).returncode == 1  # its own file is replaced


def test_no_pairs_write_no_file(data: Path, coabench: Run, tmp_path: Path) -> None:
    for file in data.glob("train/*/*"):
        file.unlink()
    result = coabench(*VERIFY)
    assert result.returncode == 0, result.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "mine.yaml"]


def test_no_other_file_is_replaced(data: Path, coabench: Run, tmp_path: Path) -> None:
    for name in ("mine.yaml", "data"):
        result = coabench(*VERIFY, "--pairs", name)
        assert (result.returncode, result.stdout) == (2, "")
        assert "choose another --pairs FILE" in result.stderr
    assert (tmp_path / "mine.yaml").read_text() == CARD
    nowhere = coabench(*VERIFY, "--pairs", "nowhere/pairs.csv")
    assert nowhere.returncode == 2
    assert "nowhere/pairs.csv cannot be written" in nowhere.stderr


def test_evaluate_repeats_in_a_line_what_is_missing(
    data: Path, coabench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (images, verification):
        monkeypatch.setattr(module, "reads_heic", lambda: False)
    (data / "test" / "Happiness" / "test.png").unlink()
    sadness = data / "test" / "Sadness"
    (sadness / "test.png").unlink()
    (sadness / "a.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 64)
    (data / "test" / "Happiness" / "a.mp4").write_bytes(b"")
    lines = (
        "files beside the images that are not read: 1 .mp4",
        "in split 'test', as `coabench datasets verify` says: no sample of Happiness; no image that can be read of "
        "Sadness; 1 image in HEIC (pip install 'coabench[heic]', or convert them to JPEG)",
    )
    result = coabench(*EVALUATE, "--output", "run")
    assert result.returncode == 0, result.stderr
    assert result.stderr.splitlines()[:2] == list(lines)
    assert manifest(tmp_path / "run")["notes"][:2] == list(lines)
    verified = coabench(*VERIFY).stdout
    for text in (
        "test: 2 images; without any: Happiness",
        "test/Sadness/a.HEIC: it is HEIC: pip install",
        "warning  test: no image can be read of Sadness",
        "files beside the images that are not read: 1 .mp4",
    ):
        assert text in verified


def test_duplicates_are_part_of_a_runs_identity(data: Path, coabench: Run, tmp_path: Path) -> None:
    card = tmp_path / "mine.yaml"
    rows = ["image,label,split", *["test/Anger/test.png,1,test"] * 2, "train/Sadness/train.png,3,test"]
    (data / "t.csv").write_text("\n".join(rows))
    card.write_text(CARD + "options: {table: t.csv}\n")
    assert coabench(*EVALUATE, "--output", "run").returncode == 2
    card.write_text(CARD + "options: {table: t.csv, duplicates: first}\n")
    result = coabench(*EVALUATE, "--output", "run")
    assert result.returncode == 0, result.stderr
    assert manifest(tmp_path / "run")["identity"]["dataset"]["duplicates"] == "first"
    assert manifest(tmp_path / "run")["notes"][0] == "duplicate rows left out (duplicates: first): 1"
    card.write_text(CARD + "options: {table: t.csv, duplicates: drop-contradictions}\n")
    other = coabench(*EVALUATE, "--output", "run")
    assert other.returncode == 2
    assert 'dataset.duplicates: "first" -> "drop-contradictions"' in other.stderr


@pytest.mark.skipif(not (ROOT.parent / "shared" / "cases").is_dir(), reason="needs ../shared/cases")
def test_the_case_of_skipped_files(coabench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import runpy

    monkeypatch.setattr(images, "reads_heic", lambda: False)
    case = ROOT.parent / "shared" / "cases" / "skipped-files"
    monkeypatch.setattr("sys.argv", ["make.py", str(tmp_path / "faces")])
    runpy.run_path(str(case / "make.py"))
    result = coabench("datasets", "verify", case / "card.yaml", "--data-root", "faces")
    assert result.returncode == 1
    assert "basic_test_00004.HEIC and 3 more: it is HEIC: pip install 'coabench[heic]'" in result.stdout
    assert "warning  test: no image can be read of Sadness" in result.stdout
    assert ".jfif" not in result.stdout
    assert ".avif" not in result.stdout
