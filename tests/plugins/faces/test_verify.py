"""verify reports everything that is wrong, not only the first thing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from coabench_faces.dataset import Faces
from support.faces_trees import put, write

from coabench.dataset import Card, Check

Open = Callable[..., Faces]


def test_everything_at_once(root: Path, open_faces: Open, write_card: Callable[..., Path]) -> None:
    rows = [
        "a.png,1,test,p1", "b.png,2,test,p1", "c.png,3,train,p1", "broken.png,1,train,p2", "gone.png,1,test,",
        "x.png,9,test,p3", "a.png,1,test,p1", "y.png,1,dev,p3", "../z.png,1,test,p3", ",1,test,p3",
    ]  # fmt: skip
    write(root / "t.csv", "\n".join(["image,label,split,subject", *rows]))
    for name in ("a", "b", "c", "stray", "x"):
        put(root / f"{name}.png")
    write(root / "broken.png", "no image")
    dataset = open_faces("table: t.csv", splits="[test, train, dev2]")
    checks = {check.text.partition(":")[0]: check for check in dataset.verify()}
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
    (check,) = (c for c in open_faces("table: t.csv\nid: key").verify() if "several rows" in c.text)
    assert (check.level, check.examples) == ("warning", ("a.png: 2 rows",))


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
    checks = open_faces("table: t.csv", splits="[test, train]").verify()
    uncounted = "the card gives no counts to compare with"
    assert [c for c in checks if c.level != "ok" and uncounted not in c.text] == []
    assert Check("ok", "persons: 2, none in more than one split") in checks
    assert Check("ok", "images: 2 decoded in full") in checks
    assert isinstance(open_faces("table: t.csv").card, Card)
