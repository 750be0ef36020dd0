"""One picture in fourteen files: one answer, from evaluate, from the webcam, in Python, and one thing to learn from."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coabench_synthface.folder import SetFolder
from coabench_synthface.shipped import open_shipped
from PIL import Image
from support.orientations import STORED, exif
from support.process import Run
from support.runs import manifest, records

import coabench as api
from coabench.dataset import ImageFile
from coabench.inference.contents import contents
from coabench.inference.loading import read_image
from coabench.training.plan import Training, check
from coabench.training.schedule import Look
from coabench.training.trainer import Pieces

CARD = """
name: files
loader: faces
splits: [test]
labels:
  classes:
    [{name: Surprise}, {name: Fear}, {name: Disgust}, {name: Happiness}, {name: Sadness}, {name: Anger},
     {name: Neutral}]
  neutral: Neutral
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of class folders with the same grey face in fourteen files, all without losses."""
    shipped = SetFolder(open_shipped())
    line = next(line for line in shipped.samples if line["target"] == "Happiness" and line["split"] == "test")
    face = Image.open(io.BytesIO(shipped.files.read(line["file"]))).convert("L").convert("RGB")
    grey = np.asarray(face.convert("L"))
    made = tmp_path / "faces" / "test" / "Happiness"
    made.mkdir(parents=True)
    face.save(made / "png.png")
    face.save(made / "bmp.bmp")
    face.save(made / "webp.webp", lossless=True)
    face.save(made / "tiff.tiff")
    face.convert("RGBA").save(made / "opaque.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(made / "sixteen.png")
    Image.fromarray(grey.astype(np.float32) / 255).save(made / "float.tif")
    for orientation, stored in STORED.items():
        face.transpose(stored).save(made / f"turned{orientation}.png", exif=exif(orientation))
    (tmp_path / "files.yaml").write_text(CARD)
    return made


NAMES = {"png", "bmp", "webp", "tiff", "opaque", "sixteen", "float", *(f"turned{number}" for number in STORED)}
ASKED = ("--strategy", "direct", "--decode", "score")


def answer(record: dict[str, Any]) -> str:
    """What was concluded and scored, to the last digit."""
    return json.dumps([record["prediction"], *([turn["response"], turn["scores"]] for turn in record["turns"])])


@pytest.mark.process
def test_evaluate_and_webcam_give_one_answer(folder: Path, coabench: Run, tmp_path: Path) -> None:
    data = ("--dataset", "files.yaml", "--data-root", "faces", "--batch-size", 1)
    result = coabench("evaluate", *data, *ASKED, "--output", "run")
    assert result.returncode == 0, result.stderr
    log = records(tmp_path / "run")
    assert {Path(record["image"]).stem for record in log} == NAMES
    assert len({answer(record) for record in log}) == 1
    notes = {Path(r["image"]).stem: r.get("image_notes") for r in log}
    assert notes["png"] is None
    assert notes["sixteen"] == ["greys scaled (white is 65535)"]
    assert notes["turned6"] == ["turned upright (orientation 6)"]
    assert manifest(tmp_path / "run")["identity"]["images"] == 2
    assert "no sample of Surprise, Fear, Disgust, Sadness, Anger, Neutral" in result.stderr
    source = ("--source", folder, "--no-window", "--detector", "none", "--labels", "raf-db-basic")
    live = coabench("webcam", *source, *ASKED, "--log", "live.jsonl")
    assert live.returncode == 0, live.stderr
    shown = [json.loads(line) for line in (tmp_path / "live.jsonl").read_text().splitlines()[1:]]
    assert len(shown) == len(NAMES)
    assert {answer(line) for line in shown} == {answer(log[0])}


def test_python_gives_one_answer(folder: Path, tmp_path: Path) -> None:
    run = api.evaluate(
        dataset=tmp_path / "files.yaml", data_root=tmp_path / "faces", strategy="direct", output=tmp_path / "run"
    )
    table = api.load_records(run.directory)
    assert {Path(name).stem for name in table["image"]} == NAMES
    assert table["prediction"].nunique(dropna=False) == table["response.answer"].nunique(dropna=False) == 1
    assert len({read_image(ImageFile(folder, file.name)).image.tobytes() for file in folder.iterdir()}) == 1


def test_training_learns_from_one_picture(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "faces" / "test").rename(tmp_path / "faces" / "train")
    (tmp_path / "files.yaml").write_text(CARD.replace("splits: [test]", "splits: [train]"))
    where = {"datasets": [str(tmp_path / "files.yaml")], "data_root": tmp_path / "faces"}
    plan = check(Training("tiny", ["direct"], **where, settings={"steps": 1, "batch_size": 2, "dev": 0.0}))
    pieces = Pieces(plan)
    for mirrored in (False, True):
        examples = [pieces[position, (0,), Look(mirrored)] for position in range(len(plan.items))]
        encoded = {
            (tuple(row.tokens), tuple(row.labels), *(picture.crops.numpy().tobytes() for picture in row.pictures))
            for example in examples
            for row in example.rows
        }
        assert (len(examples), len(encoded)) == (len(NAMES), 1)
    known = contents(plan.samples)
    assert len(known) == len(NAMES)
    assert len({image.pixels for image in known.values()}) == 1


def test_heic_and_files_of_other_kinds_are_counted(folder: Path, coabench: Run) -> None:
    fear = folder.parent / "Fear"
    fear.mkdir()
    (fear / "a.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 64)
    (folder / "film.mp4").write_bytes(b"\0")
    verified = coabench("datasets", "verify", "files.yaml", "--data-root", "faces")
    assert verified.returncode == 1
    assert "test: 15 images; without any: Surprise, Disgust, Sadness, Anger, Neutral" in verified.stdout
    assert "test/Fear/a.HEIC: it is HEIC: pip install 'coabench[heic]', or convert them to JPEG" in verified.stdout
    assert "files beside the images that are not read: 1 .mp4" in verified.stdout
