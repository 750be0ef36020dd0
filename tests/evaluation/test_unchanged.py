"""Images that changed between two sessions of a run: `coabench.evaluation.unchanged`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image
from support.process import Run
from support.runs import records, untimed

CARD = """
name: files
loader: faces
splits: [test]
labels:
  classes: [{name: Surprise}, {name: Fear}]
"""
WORDS = ("evaluate", "--backbone", "scripted:a", "--strategy", "direct", "--dataset", "files.yaml",
         "--data-root", "faces", "--batch-size", 2, "--output", "run")  # fmt: skip


def grey(path: Path, level: int) -> None:
    """A picture that is as large as every other of them, in bytes too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 60), (level, level, level)).save(path)


@pytest.fixture
def begun(coabench: Run, tmp_path: Path) -> Path:
    """A run of eight images that failed after some of them."""
    for number in range(4):
        for label in ("Surprise", "Fear"):
            grey(tmp_path / "faces" / "test" / label / f"{number}.bmp", 10 * number + len(label))
    (tmp_path / "files.yaml").write_text(CARD)
    assert coabench(*WORDS, "--set", "crash_after=4").returncode == 1
    assert 0 < len(records(tmp_path / "run")) < 8
    return tmp_path


def test_a_run_is_not_continued_with_other_images_of_the_same_names_and_sizes(coabench: Run, begun: Path) -> None:
    done = records(begun / "run")
    first = begun / "faces" / done[0]["image"]
    shutil.copy(first, begun / "kept.bmp")
    grey(first, 200)
    before = {path: path.read_bytes() for path in (begun / "run").iterdir()}
    refused = coabench(*WORDS)
    assert refused.returncode == 2
    assert "the images are not those that the records in run are about" in refused.stderr
    assert f"1 image that changed since: {done[0]['id']}" in " ".join(refused.stderr.split())
    assert {path: path.read_bytes() for path in (begun / "run").iterdir()} == before
    shutil.copy(begun / "kept.bmp", first)
    assert coabench(*WORDS).returncode == 0
    assert untimed(begun / "run")[: len(done)] == [{k: v for k, v in r.items() if k != "seconds"} for r in done]


def test_images_not_reached_yet_may_change_and_overwriting_begins_anew(coabench: Run, begun: Path) -> None:
    done = {record["image"] for record in records(begun / "run")}
    late = next(path for path in (begun / "faces").rglob("*.bmp") if str(path.relative_to(begun / "faces")) not in done)
    grey(late, 200)
    assert coabench(*WORDS).returncode == 0
    first = next(iter(done))
    grey(begun / "faces" / first, 201)
    assert coabench(*WORDS, "--overwrite").returncode == 0
    assert len(records(begun / "run")) == 8
