"""What every data set gets, whoever wrote its loader: all its images looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from support.orientations import STORED, exif

from coabench.dataset import Card, Check, Dataset, ImageFile, Sample
from coabench.errors import UserError
from coabench.support import images
from coabench.support.image_checks import Pair, verify
from coabench.testing import draw_face
from coabench.testing.spaces import CARDS

CARD = Card.read(CARDS["testing-basic"])


class Bare(Dataset):
    """A data set whose own checks say nothing: split -> label -> names."""

    def __init__(self, root: Path, files: Mapping[str, Mapping[str, Sequence[str]]], card: Card = CARD) -> None:
        self.card, self.root, self.files = replace(card, splits=(*files, "absent")), root, files

    def samples(self, split: str) -> Sequence[Sample]:
        if split not in self.files:
            raise UserError("it is not there")
        return [
            Sample(f"bare/{name}", ImageFile(self.root, name), label, split)
            for label, names in self.files[split].items()
            for name in names
        ]

    def verify(self) -> list[Check]:
        return []


@pytest.fixture
def face() -> Image.Image:
    return draw_face("Happiness", 1, size=64)


def said(checks: Sequence[Check]) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {check.text: (check.level, check.examples) for check in checks}


def test_identical_pictures(tmp_path: Path, face: Image.Image) -> None:
    for name in ("a.png", "b.bmp", "c.png", "d.tiff", "e.png", "f.png"):
        (face if name < "e" else face.rotate(90)).save(tmp_path / name)
    files = {"test": {"Anger": ["a.png"], "Fear": ["b.bmp", "e.png", "f.png"]}, "train": {"Fear": ["c.png", "d.tiff"]}}
    found = verify(Bare(tmp_path, files))
    everyone = "a.png (test, Anger) = b.bmp (test, Fear) = c.png (train, Fear) = d.tiff (train, Fear)"
    assert said(found.checks) == {
        "images: 6 decoded in full": ("ok", ()),
        "identical images with several labels: 1": ("error", (everyone,)),
        "identical images in several splits: 1": ("error", (everyone,)),
        "identical images of one label and split: 1": ("warning", ("e.png (test, Fear) = f.png (test, Fear)",)),
    }
    pairs = [(pair.one.image.name, pair.other.image.name, pair.identical) for pair in found.pairs]
    expected = [("a.png", "b.bmp"), ("a.png", "c.png"), ("a.png", "d.tiff"), ("e.png", "f.png")]
    expected = [("a.png", "b.bmp"), ("a.png", "c.png"), ("a.png", "d.tiff"), ("e.png", "f.png")]
    assert pairs == [(one, other, True) for one, other in expected]


def test_a_near_copy_recompressed_as_jpeg(tmp_path: Path, face: Image.Image) -> None:
    face.save(tmp_path / "a.png")
    face.save(tmp_path / "b.jpg", quality=60)
    draw_face("Sadness", 3, size=64).save(tmp_path / "c.png")
    found = verify(Bare(tmp_path, {"test": {"Anger": ["a.png", "c.png"]}, "train": {"Fear": ["b.jpg"]}}))
    text = "pairs of near-copies: 1, 1 across splits, 1 with two labels"
    assert said(found.checks)[text] == ("warning", ("a.png (test, Anger) ~ b.jpg (train, Fear)",))
    (pair,) = found.pairs
    assert isinstance(pair, Pair)
    assert (pair.one.image.name, pair.other.image.name, pair.identical) == ("a.png", "b.jpg", False)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tiff"])
def test_orientations_are_counted_and_obeyed(tmp_path: Path, face: Image.Image, ending: str) -> None:
    face.save(tmp_path / "upright.png")
    for orientation in (6, 3):
        options = {"exif": exif(orientation)} | ({"lossless": True} if ending == "webp" else {})
        face.transpose(STORED[orientation]).save(tmp_path / f"{orientation}.{ending}", **options)
    names = ["upright.png", f"6.{ending}", f"3.{ending}"]
    checks = said(verify(Bare(tmp_path, {"test": {"Anger": names}})).checks)
    level, examples = checks["images turned upright, scaled or put on white while they are read: 2"]
    assert (level, examples) == ("ok", ("turned upright (orientation 3): 1", "turned upright (orientation 6): 1"))
    same = "pairs of near-copies" if ending == "jpg" else "identical images of one label and split"
    assert any(text.startswith(same) for text in checks)


def test_pictures_of_one_value_and_of_another_size(tmp_path: Path, face: Image.Image) -> None:
    face.save(tmp_path / "a.png")
    Image.new("RGB", (64, 48), "grey").save(tmp_path / "flat.jpg")
    Image.new("L", (64, 64), 0).save(tmp_path / "black.png")
    card = replace(CARD, image_size=(64, 64))
    checks = said(verify(Bare(tmp_path, {"test": {"Anger": ["a.png", "flat.jpg", "black.png"]}}, card)).checks)
    assert checks["pictures of one value, without a face: 2"] == ("warning", ("flat.jpg", "black.png"))
    assert checks["images of another size than the card's 64×64 pixels: 1"] == ("warning", ("flat.jpg: 64×48",))


def test_a_class_of_only_heic(tmp_path: Path, face: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "reads_heic", lambda: False)
    face.save(tmp_path / "a.png")
    for name in ("x.heic", "y.HEIC", "z.jpg"):
        (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 64)
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    files = {"test": {"Anger": ["a.png", "cut.png", "gone.png"], "Sadness": ["x.heic", "y.HEIC", "z.jpg"]}}
    checks = said(verify(Bare(tmp_path, files)).checks)
    level, examples = checks["images that cannot be decoded in full: 4"]
    assert (level, len(examples)) == ("error", 2)
    assert examples[0] == "x.heic and 2 more: it is HEIC: pip install 'coabench[heic]', or convert them to JPEG"
    assert checks["missing image files: 1 of 6"] == ("error", ("gone.png",))
    assert checks["test: no image can be read of Sadness"][0] == "warning"
