"""An adapter is not scored on images that it learnt from, whatever they are called."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from coabench_synthface.folder import SetFolder
from coabench_synthface.shipped import open_shipped
from PIL import Image
from support.orientations import STORED, exif
from support.process import Run
from support.runs import manifest

import coabench as api

CARD = """
name: {name}
loader: faces
splits: [test, train]
labels: {{classes: [{{name: Happiness}}, {{name: Sadness}}, {{name: Neutral}}], neutral: Neutral}}
"""
EACH = 4


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with faces as BMP, a card, and an adapter that learnt from half of the train split."""
    folder = tmp_path_factory.mktemp("trained")
    shipped = SetFolder(open_shipped())
    for split, label in ((s, name) for s in ("train", "test") for name in ("Happiness", "Sadness", "Neutral")):
        lines = [line for line in shipped.samples if (line["split"], line["target"]) == (split, label)][:EACH]
        (folder / "faces" / split / label).mkdir(parents=True)
        for number, line in enumerate(lines):
            face = Image.open(io.BytesIO(shipped.files.read(line["file"])))
            face.save(folder / "faces" / split / label / f"{number}.bmp")
    (folder / "own.yaml").write_text(CARD.format(name="own"))
    train(folder)
    return folder


def train(folder: Path) -> Any:
    return api.train(
        strategy="direct", dataset=folder / "own.yaml", data_root=folder / "faces", steps=1, batch_size=2, dev=0.5,
        evaluations=1, output=folder / "adapter",
    )  # fmt: skip


@pytest.fixture
def evaluated(trained: Path, coabench: Run, tmp_path: Path) -> Callable[..., Any]:
    """Evaluate a copy of the adapter on the faces in ``copies`` under a card of another name."""
    shutil.copytree(trained / "adapter", tmp_path / "adapter")
    (tmp_path / "other.yaml").write_text(CARD.format(name="other"))

    def run(*options: object, data: str = "copies") -> Any:
        which = ("--dataset", "other.yaml", "--data-root", data, "--strategy", "direct", "--adapter", "adapter")
        return coabench("evaluate", *which, "--output", "run", *options)

    return run


def changed(folder: Path, **fields: Any) -> None:
    path = folder / "adapter" / "training.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def copy(image: Any, path: Path) -> None:
    shutil.copy(image.filename, path)


def place(trained: Path, folder: Path, name: str, save: Callable[[Image.Image, Path], object]) -> None:
    """Put faces that were learnt from, and as many that were not, into a test split."""
    for split in ("train", "test"):
        for label in ("Happiness", "Sadness", "Neutral"):
            made = folder / "copies" / "test" / label
            made.mkdir(parents=True, exist_ok=True)
            for path in (trained / "faces" / split / label).iterdir():
                save(Image.open(path), made / f"{split}-{path.stem}-{name}")


def test_the_manifest_keeps_the_hashes_of_the_development_part_too(trained: Path) -> None:
    learnt = json.loads((trained / "adapter" / "training.json").read_text())["learnt"]
    assert (learnt["reader"], learnt["changed"], len(learnt["hashes"])) == (2, 0, 3 * EACH)


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("same.bmp", copy),
        ("again.png", lambda image, path: image.save(path)),
        ("lossless.webp", lambda image, path: image.save(path, lossless=True)),
        ("turned.png", lambda image, path: image.transpose(STORED[6]).save(path, exif=exif(6))),
    ],
)
def test_images_that_were_learnt_from_are_refused_under_any_name(
    trained: Path, evaluated: Callable[..., Any], tmp_path: Path, name: str, save: Any
) -> None:
    place(trained, tmp_path, name, save)
    refused = evaluated()
    assert refused.returncode == 2
    assert "adapter was trained on 12 of the 24 images, whatever they are called" in refused.stderr
    assert "(as own/train/Happiness/0" in refused.stderr
    assert "--allow-trained-split" in refused.stderr
    assert not (tmp_path / "run").exists()


def test_they_are_scored_where_that_is_asked_for_and_the_run_says_so(
    trained: Path, evaluated: Callable[..., Any], tmp_path: Path
) -> None:
    place(trained, tmp_path, "same.bmp", copy)
    assert evaluated("--allow-trained-split").returncode == 0
    note = "it was trained on 12 of the 24 images: these numbers say little about others"
    assert note in manifest(tmp_path / "run")["notes"]


def test_new_images_are_evaluated_without_a_word(trained: Path, evaluated: Callable[..., Any], tmp_path: Path) -> None:
    shutil.copytree(trained / "faces" / "test", tmp_path / "copies" / "test")
    result = evaluated()
    assert result.returncode == 0, result.stderr
    assert "train" not in "\n".join(manifest(tmp_path / "run")["notes"])


def test_an_adapter_without_a_record_of_its_images_says_so(
    trained: Path, evaluated: Callable[..., Any], tmp_path: Path
) -> None:
    shutil.copytree(trained / "faces" / "train", tmp_path / "copies" / "test")
    written = json.loads((tmp_path / "adapter" / "training.json").read_text())
    del written["learnt"], written["identity"]["images"]  # as 0.1.0 wrote it
    (tmp_path / "adapter" / "training.json").write_text(json.dumps(written))
    result = evaluated()
    assert result.returncode == 0, result.stderr
    notes = "\n".join(manifest(tmp_path / "run")["notes"])
    assert "adapter kept no record of its images: whether it saw these is not known" in notes
    assert "the adapter's training used version 1 of the image reader, this run uses version 2" in notes


def test_pixels_that_another_reader_showed_are_not_compared(
    trained: Path, evaluated: Callable[..., Any], tmp_path: Path
) -> None:
    place(trained, tmp_path, "again.png", lambda image, path: image.save(path))
    learnt = json.loads((tmp_path / "adapter" / "training.json").read_text())["learnt"]
    assert evaluated().returncode == 2
    changed(tmp_path, learnt={**learnt, "reader": 1})
    assert evaluated().returncode == 0


def test_a_damaged_record_of_the_images_is_refused(evaluated: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "copies").mkdir()
    changed(tmp_path, learnt={"reader": 2, "changed": 0, "hashes": ["a"]})
    refused = evaluated()
    assert refused.returncode == 2
    assert "training.json: the images learnt from" in refused.stderr


def test_a_training_does_not_resume_with_other_images(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    train(tmp_path)  # is complete
    changed(tmp_path, status="running")
    image = tmp_path / "faces" / "train" / "Sadness" / "1.bmp"
    data = bytearray(image.read_bytes())
    data[-1] ^= 255
    image.write_bytes(data)
    before = (tmp_path / "adapter" / "training.json").read_bytes()
    with pytest.raises(api.UserError, match="1 image changed since the training"):
        train(tmp_path)
    assert (tmp_path / "adapter" / "training.json").read_bytes() == before
