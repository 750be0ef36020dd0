"""One picture in fourteen files: one answer, from evaluate, from the webcam and in Python."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from coabench_synthface.folder import SetFolder
from coabench_synthface.shipped import open_shipped
from PIL import Image
from support.orientations import STORED, exif
from support.process import Run
from support.runs import manifest, records

from coabench.dataset import ImageFile
from coabench.inference.loading import read_image

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


@pytest.mark.process
def test_one_picture_gives_one_answer(folder: Path, coabench: Run, tmp_path: Path) -> None:
    data = ("--dataset", "files.yaml", "--data-root", "faces", "--strategy", "direct", "--decode", "score")
    result = coabench("evaluate", *data, "--output", "run")
    assert result.returncode == 0, result.stderr
    log = records(tmp_path / "run")
    answers = {json.dumps([r["prediction"], r["turns"][0]["response"]]) for r in log}
    assert (len(log), len(answers)) == (14, 1)
    notes = {Path(r["image"]).stem: r.get("image_notes") for r in log}
    assert notes["png"] is None
    assert notes["sixteen"] == ["greys scaled (white is 65535)"]
    assert notes["turned6"] == ["turned upright (orientation 6)"]
    assert manifest(tmp_path / "run")["identity"]["images"] == 2
    assert "no sample of Surprise, Fear, Disgust, Sadness, Anger, Neutral" in result.stderr
    pixels = {read_image(ImageFile(folder, file.name)).image.tobytes() for file in folder.iterdir()}
    assert len(pixels) == 1
    live = coabench(
        "webcam", "--source", folder, "--no-window", "--detector", "none", "--labels", "raf-db-basic",
        "--strategy", "direct", "--log", "live.jsonl",
    )  # fmt: skip
    assert live.returncode == 0, live.stderr
    shown = [json.loads(line) for line in (tmp_path / "live.jsonl").read_text().splitlines()[1:]]
    assert {line["prediction"] for line in shown} == {log[0]["prediction"]}
    assert len(shown) == 14


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
