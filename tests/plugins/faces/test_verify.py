"""verify reports everything that is wrong, not only the first thing."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from coabench_faces.dataset import Faces
from support.faces_trees import put, write

from coabench.dataset import Card, Check
from coabench.errors import UserError
from coabench.support.image_checks import verify

Open = Callable[..., Faces]


def test_everything_at_once(root: Path, open_faces: Open, write_card: Callable[..., Path]) -> None:
    rows = [
        "a.png,1,test,p1", "b.png,2,test,p1", "c.png,3,train,p1", "broken.png,1,train,p2", "gone.png,1,test,",
        "x.png,9,test,p3", "a.png,1,test,p1", "y.png,1,dev,p3", "../z.png,1,test,p3", ",1,test,p3",
    ]  # fmt: skip
    write(root / "t.csv", "\n".join(["image,label,split,subject", *rows]))
    for person, name in enumerate(("a", "b", "c", "stray", "x")):
        put(root / f"{name}.png", ("Anger", "Sadness", "Surprise", "Fear", "Neutral")[person], person)
    write(root / "broken.png", "no image")
    dataset = open_faces("table: t.csv", splits="[test, train, dev2]")
    checks = {check.text.partition(":")[0]: check for check in verify(dataset).checks}
    assert {name: check.level for name, check in checks.items()} == {
        "labels that are not on the card": "error",
        "rows of unknown splits": "error",
        "rows without an image": "error",
        "files outside the data root": "error",
        "ids that are not unique": "error",
        "test": "warning",
        "train": "warning",
        "dev2": "warning",
        "persons in more than one split": "warning",
        "images of unknown persons": "warning",
        "missing image files": "error",
        "images that cannot be decoded in full": "error",
        "images that no row names": "warning",
    }
    assert checks["labels that are not on the card"].examples[0].startswith("t.csv, line 7: '9'")
    assert checks["persons in more than one split"].examples == ("p1: test, train",)
    assert checks["missing image files"].examples == ("gone.png",)
    assert checks["images that cannot be decoded in full"].examples == (
        "broken.png: it is no image of a format that is read (JPEG, PNG, WEBP, BMP, GIF, TIFF, AVIF, PPM)",
    )
    assert checks["images that no row names"].examples == ("stray.png",)
    assert checks["dev2"].text == "dev2: no labelled images in this copy"


def test_an_image_with_two_ids_is_told(root: Path, open_faces: Open) -> None:
    write(root / "t.csv", "key,image,label\n1,a.png,1\n2,a.png,3\n")
    put(root / "a.png")
    (check,) = (c for c in verify(open_faces("table: t.csv\nid: key")).checks if "several labels" in c.text)
    assert (check.level, check.examples) == ("error", ("a.png (test, Anger) = a.png (test, Sadness)",))


def test_counts_against_the_card(root: Path, open_faces: Open) -> None:
    from support.faces_trees import fer2013

    fer2013(root)
    from coabench.registry.catalog import find_dataset

    checks = find_dataset("fer2013").open(root).verify()
    wrong = [check for check in checks if check.level != "ok"]
    assert [check.text.partition(";")[0] for check in wrong] == [
        "test: 7 images, the card says 3,589", "val: 7 images, the card says 3,589",
        "train: 7 images, the card says 28,709",
    ]  # fmt: skip
    assert wrong[0].examples[0] == "Anger: 1 instead of 491"


def test_a_good_data_set_passes(root: Path, open_faces: Open) -> None:
    for i, split in enumerate(("test", "train")):
        put(root / split / "sad" / "a.png", "Sadness", i)
    write(root / "t.csv", "image,label,split,subject\ntest/sad/a.png,3,test,p1\ntrain/sad/a.png,3,train,p2\n")
    checks = verify(open_faces("table: t.csv", splits="[test, train]")).checks
    uncounted = "the card gives no counts to compare with"
    assert [c for c in checks if c.level != "ok" and uncounted not in c.text] == []
    assert Check("ok", "persons: 2, none in more than one split") in checks
    assert Check("ok", "images: 2 decoded in full") in checks
    assert isinstance(open_faces("table: t.csv").card, Card)


def test_class_folders_with_nothing_that_is_read(root: Path, open_faces: Open) -> None:
    put(root / "test" / "sad" / "a.png")
    for name in ("anger/a.mp4", "anger/b.mp4", "anger/.hidden", "happy/x", "happy/t.csv", "sad/b.psd"):
        write(root / "test" / name, "no image")
    dataset = open_faces()
    checks = {check.text: check for check in dataset.verify()}
    text = "files beside the images that are not read: 2 .mp4, 1 .psd, 1 without ending"
    assert checks[text].examples == ("test/anger/a.mp4", "test/anger/b.mp4", "test/happy/x", "test/sad/b.psd")
    assert "test: 1 image; without any: Anger, Happiness; the card gives no counts to compare with" in checks
    assert dataset.notes() == (text,)


def test_numbered_folders_get_the_lines_to_paste(root: Path, write_card: Callable[..., Path]) -> None:
    for name in ("0/a.png", "0/b.png", "10/a.png", "07/a.png", "no/a.png"):
        put(root / "test" / name)
    faces = Faces(Card.read(write_card()), root, Faces.Options())
    with pytest.raises(UserError) as error:
        faces.samples("test")
    _, *lines, more = str(error.value.remedy).splitlines()
    assert "`coabench datasets verify" in more
    values = {"no": "LABEL", 0: "LABEL", "07": "LABEL", 10: "LABEL"}
    assert yaml.safe_load(textwrap.dedent("\n".join(lines))) == {"options": {"values": values}}
    (check,) = (c for c in faces.verify() if c.text.startswith("labels that are not on the card"))
    assert "    0: LABEL  # 2, first test/0/a.png" in check.examples
    with pytest.raises(UserError, match="'LABEL' is no label of the card"):
        Faces(Card.read(write_card("values: {0: LABEL}")), root, Faces.Options())


def test_numbers_that_are_all_codes_of_the_card_get_their_labels(root: Path, open_faces: Open) -> None:
    for name in ("1/a.png", "3/a.png"):
        put(root / "test" / name)
    with pytest.raises(UserError, match="check every line") as error:
        open_faces().samples("test")
    assert "1: Anger  # 1, first test/1/a.png" in str(error.value)
    assert "3: Sadness" in str(error.value)
