"""Several rows of one image, and images that only the ending of a name tells apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from coabench_faces.dataset import Faces
from support.faces_trees import put, write

from coabench.errors import UserError
from coabench.support.image_checks import verify

Open = Callable[..., Faces]
ROWS = "image,label\na.png,1\nb.png,2\na.png,1\nc.png,3\n./b.png,3\n"


def read(dataset: Faces) -> list[tuple[str, str]]:
    return [(sample.id.removeprefix("mine/"), sample.target) for sample in dataset.samples("test")]


@pytest.fixture
def table(root: Path) -> Path:
    """A table in which the rows of one image agree and those of another do not."""
    write(root / "t.csv", ROWS)
    for name in "abc":
        put(root / f"{name}.png")
    return root


@pytest.mark.parametrize(
    ("choice", "kept", "left_out"),
    [
        ("first", [("a", "Anger"), ("b", "Happiness"), ("c", "Sadness")], 2),
        ("drop-contradictions", [("a", "Anger"), ("c", "Sadness")], 3),
    ],
)
def test_the_card_says_which_row_counts(
    table: Path, open_faces: Open, choice: str, kept: list[tuple[str, str]], left_out: int
) -> None:
    dataset = open_faces(f"table: t.csv\nduplicates: {choice}")
    assert read(dataset) == kept
    assert dataset.identity() == {"duplicates": choice}
    assert dataset.notes() == (f"duplicate rows left out (duplicates: {choice}): {left_out}",)
    assert f"rows left out, as the card says: {left_out}" in [check.text for check in dataset.verify()]


@pytest.mark.parametrize("options", ["table: t.csv", "table: t.csv\nduplicates: refuse"])
def test_they_are_refused_otherwise(table: Path, open_faces: Open, options: str) -> None:
    with pytest.raises(UserError, match=r"t\.csv, line 4 \(and 1 more\)") as error:
        open_faces(options).samples("test")
    assert "duplicates: first, or drop-contradictions" in str(error.value)


def test_a_word_that_is_no_choice_is_refused(table: Path, open_faces: Open) -> None:
    with pytest.raises(UserError, match="first or drop-contradictions or refuse"):
        open_faces("table: t.csv\nduplicates: last")


def test_rows_of_one_image_in_two_splits_contradict_each_other(root: Path, open_faces: Open) -> None:
    write(root / "t.csv", "image,label,split\na.png,1,test\na.png,1,train\nb.png,1,test\n")
    put(root / "b.png")
    dataset = open_faces("table: t.csv\nduplicates: drop-contradictions", splits="[test, train]")
    assert read(dataset) == [("b", "Anger")]


def test_an_image_with_ids_of_its_own_is_one_image(root: Path, open_faces: Open) -> None:
    write(root / "t.csv", "key,image,label\n1,a.png,1\n2,a.png,3\n")
    put(root / "a.png")
    options = "table: t.csv\nid: key\n"
    assert read(open_faces(options)) == [("1", "Anger"), ("2", "Sadness")]
    assert read(open_faces(options + "duplicates: first")) == [("1", "Anger")]
    with pytest.raises(UserError, match="line 3"):
        open_faces(options + "duplicates: refuse").samples("test")


def test_one_id_for_two_images_is_refused_whatever_counts(root: Path, open_faces: Open) -> None:
    write(root / "t.csv", "key,image,label\n1,a.png,1\n1,b.png,1\n")
    put(root / "a.png")
    with pytest.raises(UserError, match="every id once"):
        open_faces("table: t.csv\nid: key\nduplicates: first").samples("test")


def test_grey_values_are_compared(root: Path, open_faces: Open) -> None:
    write(root / "p.csv", "label,pixels\n1,0 255 128 7\n2,1 2 3 4\n3,0 255 128  7\n")
    assert len(read(open_faces("table: p.csv\npixels: pixels"))) == 3
    kept = [("p/000002", "Happiness")]
    assert read(open_faces("table: p.csv\npixels: pixels\nduplicates: drop-contradictions")) == kept


def test_ids_keep_the_ending_that_tells_them_apart(root: Path, open_faces: Open) -> None:
    for name in ("a.png", "a.jpg", "b.png"):
        put(root / "test" / "sad" / name, person=len(name) + ord(name[2]))
    dataset = open_faces()
    assert [identity for identity, _ in read(dataset)] == ["test/sad/a.jpg", "test/sad/a.png", "test/sad/b"]
    assert [check.text for check in verify(dataset).checks if check.level == "error"] == []
