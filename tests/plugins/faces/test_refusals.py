"""What cannot be trusted is refused, with what was expected, what was found and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from coabench_faces.dataset import Faces
from support.faces_trees import put, write

from coabench.errors import UserError

Open = Callable[..., Faces]
CSV = "file,emotion\na.png,1\nb.png,sad\n"


def told(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as error:
        call()
    assert error.value.expected
    assert error.value.remedy
    return str(error.value)


@pytest.fixture
def labelled(root: Path) -> Path:
    """A data root with labels.csv and two images."""
    write(root / "labels.csv", CSV)
    for name in "ab":
        put(root / f"{name}.png")
    return root


GOOD = "table: labels.csv\nimage: file\nlabel: emotion\n"


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ("tabel: labels.csv", ["options: unknown field 'tabel'", "did you mean 'table'?", "mine.yaml"]),
        ("table: 5", ["options.table cannot be read", "a text", "put it in quotes"]),
        ("table: [a.csv]", ["options.table cannot be read"]),
        ("table: {tset: a.csv}", ["unknown split 'tset'", "did you mean 'test'?"]),
        ("table: ../labels.csv", ["leads out of the data root"]),
        ("files: /etc/*", ["leads out of the data root"]),
        ("files: 'x/{a b}/*'", ["cannot be read", "'{split}/{label}/*.jpg'"]),
        ("files: '*.png'\ntable: labels.csv", ["exclude each other"]),
        ("image: file", ["'image' is for tables"]),
        (GOOD + "pixels: p", ["'pixels' and 'image' exclude each other"]),
        (GOOD + "votes: {columns: [a]}", ["'label' and 'votes' exclude each other"]),
        ("table: labels.csv\nvotes: {columns: [anger, huh]}", ["'huh' stands for no label", "values: {huh: LABEL}"]),
        ("table: labels.csv\nvotes: {columns: [anger], above: 1}", ["a share below 1"]),
        ("table: labels.csv\nvotes: {columns: [anger], most: 1}", ["unknown field 'most'"]),
        (
            GOOD + "values: {x: Hapiness}",
            ["values.x: 'Hapiness' is no label", "did you mean 'Happiness'?", "or null"],
        ),
        (GOOD + "values: {no: Anger}", ["options.values: a key cannot be read", "put it in quotes"]),
        (GOOD + "split_values: {x: tset}", ["did you mean 'test'?"]),
        (GOOD + "attributes: {subject: file}", ["the attribute 'subject' is taken", "subject: COLUMN"]),
        (GOOD + "separator: ', '", ["one character"]),
        (GOOD + "join: {table: b.csv}", ["options.join: the field 'by' is missing"]),
        (GOOD + "notes: careful", ["options.notes cannot be read", "a list of texts"]),
        ("files: '*'\npattern: '(['", ["options.pattern: this is no regular expression"]),
        ("files: '*'\npattern: '([A-Z]+)'", ["options.pattern: no group has a name", "(?P<label>…)"]),
        ("table: labels.csv\nimage: 'x/{file'", ["options.image cannot be read", "'x/{file'"]),
    ],
)
def test_a_card_that_makes_no_sense(labelled: Path, open_faces: Open, options: str, parts: list[str]) -> None:
    message = told(lambda: open_faces(options))
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ("table: labels.csv\nimage: file\nlabel: emotoin", ["no column 'emotoin'", "did you mean 'emotion'?", "file"]),
        ("table: labels.csv\nlabel: emotion", ["no column 'image'", "names as 'image'"]),
        (GOOD + "subject: person", ["no column 'person'", "one of file, emotion"]),
        (GOOD + "where: {view: S}", ["no column 'view'", "'where'"]),
        ("files: '*.png'\npattern: '(?P<emotion>[a-z])[.]png'", ["no column 'label'", "one of emotion"]),
    ],
)
def test_a_column_that_is_not_there(labelled: Path, open_faces: Open, options: str, parts: list[str]) -> None:
    message = told(lambda: open_faces(options).samples("test"))
    for part in parts:
        assert part in message


def test_a_label_that_is_not_mapped_is_named_with_its_row(labelled: Path, open_faces: Open) -> None:
    write(labelled / "labels.csv", CSV + "c.png,9\nd.png,bored\n")
    message = told(lambda: open_faces(GOOD).samples("test"))
    for part in (
        "labels.csv, line 4 (and 1 more)",
        "found: '9'",
        "1 (Anger), 2 (Happiness)",
        "null leaves such rows out",
        "    9: LABEL  # 1, first labels.csv, line 4\n",
        '    "bored": LABEL',
    ):
        assert part in message


def test_no_table_and_no_images(root: Path, open_faces: Open) -> None:
    put(root / "other" / "a.png")
    message = told(lambda: open_faces("table: labels.csv"))
    for part in ("no table of mine", "expected: labels.csv", "found: other/"):
        assert part in message
    assert "no image of mine" in told(open_faces)


def test_a_table_of_one_split_may_be_missing_until_it_is_asked_for(labelled: Path, open_faces: Open) -> None:
    options = "table: {test: labels.csv, train: train.csv}\nimage: file\nlabel: emotion"
    dataset = open_faces(options, splits="[test, train]")
    assert len(dataset.samples("test")) == 2
    message = told(lambda: dataset.samples("train"))
    assert "expected: train.csv" in message
    assert "found: 2 of test" in message


def test_splits_nobody_knows(labelled: Path, open_faces: Open) -> None:
    assert "no split 'tets'" in told(lambda: open_faces(GOOD).samples("tets"))
    assert "nothing says to which split" in told(lambda: open_faces(GOOD, splits="[test, train]").samples("test"))
    write(labelled / "labels.csv", "file,emotion,split\na.png,1,test\nb.png,1,dev\n")
    message = told(lambda: open_faces(GOOD).samples("test"))
    assert "found: 'dev'" in message
    assert "line 3" in message


def test_a_row_of_json_without_a_split_is_named(root: Path, open_faces: Open) -> None:
    write(root / "t.jsonl", '{"image": "a", "label": 1, "split": "test"}\n{"image": "b", "label": 1}\n')
    message = told(lambda: open_faces("table: t.jsonl", splits="[test, train]").samples("test"))
    assert "t.jsonl, line 2" in message
    assert "test, train" in message


def test_a_folder_that_may_not_be_read(root: Path, open_faces: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from coabench.support import tree

    put(root / "test" / "sad" / "a.png")
    dataset = open_faces()
    denied = PermissionError(13, "Permission denied", str(root / "test"))
    monkeypatch.setattr(tree.os, "scandir", lambda folder: (_ for _ in ()).throw(denied))
    for call in (open_faces, lambda: dataset.samples("test")):
        with pytest.raises(UserError, match=r"test cannot be read(?s:.)*Permission denied"):
            call()


def test_two_rows_with_one_id(labelled: Path, open_faces: Open) -> None:
    write(labelled / "labels.csv", CSV + "a.png,2\n")
    message = told(lambda: open_faces(GOOD).samples("test"))
    assert "labels.csv, line 4" in message
    assert "a again, first in labels.csv, line 2" in message


@pytest.mark.parametrize(
    "path", ["/etc/passwd", ".", "../secret.png", "x/../../secret.png", "C:\\secret.png", "out.png"]
)
def test_a_path_out_of_the_data_root(labelled: Path, open_faces: Open, path: str) -> None:
    put(labelled.parent / "secret.png")
    (labelled / "out.png").symlink_to(labelled.parent / "secret.png")
    write(labelled / "labels.csv", CSV + f"{path},1\n")
    message = told(lambda: open_faces(GOOD).samples("test"))
    assert "labels.csv, line 4" in message
    assert "expected: an image in the data root" in message


def test_folders_that_lead_out_of_the_data_root(root: Path, open_faces: Open) -> None:
    put(root.parent / "elsewhere" / "a.png")
    put(root / "test" / "sad" / "b.png")
    (root / "test" / "anger").symlink_to(root.parent / "elsewhere")
    assert "a link that leads out of the data root" in told(lambda: open_faces().samples("test"))
    (root / "labels.csv").symlink_to(root.parent / "labels.csv")
    write(root.parent / "labels.csv", CSV)
    assert "a link that leads out" in told(lambda: open_faces(GOOD).samples("test"))


def test_a_link_within_the_data_root_is_fine(root: Path, open_faces: Open) -> None:
    put(root / "pool" / "a.png")
    (root / "test").mkdir()
    (root / "test" / "sad").symlink_to(root / "pool")
    assert [s.id for s in open_faces().samples("test")] == ["mine/test/sad/a"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("file,emotion\na.png\n", "line 2"),
        ("file,emotion,file\na.png,1,b.png\n", "'file' twice"),
        ("file,emotion\n,1\n", "an empty cell"),
    ],
)
def test_rows_that_cannot_be_read(labelled: Path, open_faces: Open, text: str, found: str) -> None:
    write(labelled / "labels.csv", text)
    assert found in told(lambda: open_faces(GOOD).samples("test"))


def test_tables_that_cannot_be_read(root: Path, open_faces: Open) -> None:
    (root / "a.csv").write_bytes(b"image,label\n\xff\xfe,1\n")
    assert "a .csv file that can be read" in told(lambda: open_faces("table: a.csv").samples("test"))
    write(root / "a.jsonl", '{"image": "a.png", "label": 1}\n["b.png", 2]\n')
    assert "a.jsonl, line 2" in told(lambda: open_faces("table: a.jsonl").samples("test"))
    write(root / "a.xlsx", "")
    assert ".csv, .tsv" in told(lambda: open_faces("table: a.xlsx").samples("test"))


def test_images_of_which_none_is_there(labelled: Path, open_faces: Open) -> None:
    options = "table: labels.csv\nimage: 'images/{file}'\nlabel: emotion"
    message = told(lambda: open_faces(options).samples("test"))
    assert "not one image" in message
    assert "images/a.png" in message


def test_parquet_without_pyarrow(root: Path, open_faces: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    write(root / "a.parquet", "")
    with pytest.raises(UserError, match=r"pip install 'coabench\[parquet\]'"):
        open_faces("table: a.parquet").samples("test")


def test_a_table_to_join_must_be_there_and_agree(labelled: Path, open_faces: Open) -> None:
    options = GOOD + "join: {table: more.csv, by: file}\n"
    assert "more.csv is not there" in told(lambda: open_faces(options).samples("test"))
    write(labelled / "more.csv", "file,person\na.png,p1\n")
    assert "a row with the same file in more.csv" in told(lambda: open_faces(options).samples("test"))
    write(labelled / "more.csv", "file,person\na.png,p1\nb.png,p2\nb.png,p3\n")
    assert "b.png again" in told(lambda: open_faces(options).samples("test"))
    write(labelled / "more.csv", "file,person\nb.png,p2\na.png,p1\n")
    samples = open_faces(options + "subject: person").samples("test")
    assert [s.attributes["subject"] for s in samples] == ["p1", "p2"]


def test_label_files_that_hold_no_single_value(root: Path, open_faces: Open) -> None:
    import numpy as np

    options = 'table: "{name}.npy"\nimage: "{name}.png"\nlabel: value'
    (root / "a.npy").touch()
    assert "a .npy file that can be read" in told(lambda: open_faces(options).samples("test"))
    np.save(root / "a.npy", np.array([1, 2]))
    assert "expected: one value" in told(lambda: open_faces(options).samples("test"))
    np.save(root / "a.npy", np.array({"label": 1}, dtype=object), allow_pickle=True)  # pickles are not read
    assert "a.npy" in told(lambda: open_faces(options).samples("test"))
