"""Folders, CSV, JSON lines and parquet of one's own, described in a few lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from coabench_faces.dataset import Faces
from support.faces_trees import face, put, write

from coabench.inference.loading import read_image
from coabench.support.image_checks import verify
from coabench.testing import datasets

Open = Callable[..., Faces]


def read(dataset: Faces, split: str = "test") -> list[tuple[str, str]]:
    return [(sample.id.removeprefix("mine/"), sample.target) for sample in dataset.samples(split)]


def test_a_folder_needs_no_options(root: Path, open_faces: Open) -> None:
    for path in ("test/happy/b.jpg", "test/Happy/a.PNG", "test/ANGER/x.png", "train/sad/x.png"):
        put(root / path)
    write(root / "test" / "happy" / "notes.txt", "no image")
    write(root / "test" / "happy" / "._b.jpg", "what macOS leaves behind")
    dataset = open_faces(splits="[test, train]")
    expected = [("test/ANGER/x", "Anger"), ("test/Happy/a", "Happiness"), ("test/happy/b", "Happiness")]
    assert read(dataset) == expected
    assert read(dataset, "train") == [("train/sad/x", "Sadness")]


def test_a_csv_names_its_columns(root: Path, open_faces: Open) -> None:
    write(root / "labels.csv", "\ufefffile,emotion,fold,person,age\nb.png,2,eval,p1,30\na.png, Angry ,eval,p2,\n")
    for name, label in (("a", "Anger"), ("b", "Happiness")):
        put(root / "faces" / f"{name}.png", label)
    dataset = open_faces("""
        table: labels.csv
        image: "faces/{file}"
        label: emotion
        split: fold
        split_values: {eval: test}
        subject: person
        attributes: [age]
    """)
    assert read(dataset) == [("faces/a", "Anger"), ("faces/b", "Happiness")]
    assert [dict(s.attributes) for s in dataset.samples("test")] == [{"subject": "p2"}, {"subject": "p1", "age": "30"}]
    assert all(check.level != "error" for check in verify(dataset).checks)


def test_columns_with_the_usual_names_need_no_naming(root: Path, open_faces: Open) -> None:
    write(root / "all.tsv", "image\tlabel\tsplit\tsubject\na.png\tsad\ttest\tp1\nb.png\t1\ttrain\tp2\n")
    dataset = open_faces("table: all.tsv", splits="[test, train]")
    put(root / "a.png")
    assert read(dataset) == [("a", "Sadness")]
    assert dataset.samples("test")[0].attributes == {"subject": "p1"}


def test_json_lines_with_a_table_for_each_split(root: Path, open_faces: Open) -> None:
    for split, label in (("test", "happy"), ("train", "sad")):
        records = [{"image": f"{split}/{i}.png", "label": label, "glasses": bool(i)} for i in range(2)]
        write(root / split / "faces.jsonl", "".join(json.dumps(r) + "\n" for r in records))
        put(root / split / "0.png")
    dataset = open_faces('table: "{split}/faces.jsonl"\nattributes: {wears_glasses: glasses}', splits="[test, train]")
    assert read(dataset, "train") == [("train/0", "Sadness"), ("train/1", "Sadness")]
    assert [s.attributes["wears_glasses"] for s in dataset.samples("test")] == [False, True]


def test_parquet_with_images_inside(root: Path, open_faces: Open) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    images = [{"bytes": face("Anger", i), "path": "a.png"} for i in range(3)]
    (root / "data").mkdir()
    for part, rows in (("0", slice(0, 2)), ("1", slice(2, 3))):
        table = pa.table({"image": images[rows], "label": [1, 2, 3][rows], "person": ["p", "q", "p"][rows]})
        pq.write_table(table, root / "data" / f"test-{part}.parquet")
    dataset = open_faces('table: "data/test-*.parquet"\nsubject: person')
    assert read(dataset) == [
        ("data/test-0/000001", "Anger"), ("data/test-0/000002", "Happiness"), ("data/test-1/000001", "Sadness"),
    ]  # fmt: skip
    assert [s.image.read() for s in dataset.samples("test")] == [image["bytes"] for image in images]
    assert all(check.level != "error" for check in verify(dataset).checks)
    assert datasets.check(Faces, root, card=dataset.card.path) == []


def test_parquet_with_paths(root: Path, open_faces: Open) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"image": ["x/a.png"], "label": ["sad"]}), root / "labels.parquet")
    put(root / "x" / "a.png")
    assert read(open_faces("table: labels.parquet")) == [("x/a", "Sadness")]


def test_the_label_may_be_in_the_name_of_the_file(root: Path, open_faces: Open) -> None:
    for name in ("p1-hap-01.png", "p2-sad-01.png", "readme.png"):
        put(root / "all" / name)
    dataset = open_faces(r"""
        files: "**/*.png"
        pattern: '(?P<subject>p\d)-(?P<label>[a-z]+)-\d+[.]png$'
        values: {hap: Happiness}
    """)
    assert read(dataset) == [("all/p1-hap-01", "Happiness"), ("all/p2-sad-01", "Sadness")]
    assert [s.attributes["subject"] for s in dataset.samples("test")] == ["p1", "p2"]
    assert dataset.notes() == ("images whose names do not fit the card's pattern, left out: 1",)


def test_rows_can_be_left_out(root: Path, open_faces: Open) -> None:
    rows = ["a.png,1,S,test", "b.png,7,S,test", "c.png,2,L,test", "d.png,2,S,other"]
    write(root / "t.csv", "\n".join(["image,label,view,split", *rows]))
    put(root / "a.png")
    dataset = open_faces("table: t.csv\nvalues: {7: null}\nwhere: {view: S}\nsplit_values: {other: null}")
    assert read(dataset) == [("a", "Anger")]
    left_out = [c for c in verify(dataset).checks if "left out" in c.text]
    assert left_out[0].text == "rows left out, as the card says: 3"
    assert set(left_out[0].examples) == {"label '7': 1", "not selected by 'where': 1", "split 'other': 1"}


def test_a_numbered_folder_is_a_class_only_where_the_card_says_so(root: Path, open_faces: Open) -> None:
    put(root / "test" / "2" / "a.png")
    dataset = open_faces()
    assert [(p.kind, p.found) for p in dataset.listing.problems] == [("label", "'2'")]
    assert read(open_faces("values: {2: Sadness}")) == [("test/2/a", "Sadness")]  # and not the class with code 2


@pytest.mark.parametrize("pattern", ["**", "a/**", "**/*", "A/**/*.PNG", "?/b/{anything}.png", "**/b/**/x.*"])
def test_paths_with_stars(root: Path, open_faces: Open, pattern: str) -> None:
    put(root / "a" / "b" / "x.png")
    write(root / "a" / "b" / "x.txt", "no image")
    dataset = open_faces(f"files: '{pattern}'\nlabel: folder\nvalues: {{a/b: Anger}}")
    assert read(dataset) == [("a/b/x", "Anger")]


def test_an_image_may_lie_in_the_folder_of_its_split(root: Path, open_faces: Open) -> None:
    write(root / "t.csv", "name,label,fold\na.png,1,0\nb.png,2,1\n")
    for split, name in (("test", "a"), ("train", "b")):
        put(root / split / f"{name}.png")
    options = "table: t.csv\nimage: '{split}/{name}'\nsplit: fold\nsplit_values: {0: test, 1: train}"
    dataset = open_faces(options, splits="[test, train]")
    assert read(dataset) + read(dataset, "train") == [("test/a", "Anger"), ("train/b", "Happiness")]


def test_votes(root: Path, open_faces: Open) -> None:
    write(root / "v.csv", "image,anger,happy,sad\na.png,3,2,1\nb.png,2,2,0\nc.png,0,1,0\nd.png,0,0,0\n")
    put(root / "a.png")
    put(root / "c.png")
    options = "table: v.csv\nvotes: {columns: [anger, happy, sad]"
    assert read(open_faces(options + "}")) == [("a", "Anger"), ("c", "Happiness")]  # most votes; a tie has no winner
    assert read(open_faces(options + ", above: 0.5}")) == [("c", "Happiness")]
    assert read(open_faces(options + ", least: 2}")) == [("a", "Anger")]
    votes = [sample.votes for sample in open_faces(options + ", least: 2}").samples("test")]
    assert votes == [{"Anger": 3, "Happiness": 2, "Sadness": 1}]  # as the file has them, the single one too


def test_votes_for_no_label_are_none_and_two_columns_of_a_label_are_one(root: Path, open_faces: Open) -> None:
    write(root / "v.csv", "image,anger,rage,unknown,happy\na.png,5,2.5,4,0\n")
    put(root / "a.png")
    values = "values: {rage: Anger, unknown: null}"
    dataset = open_faces(f"table: v.csv\nvotes: {{columns: [anger, rage, unknown, happy]}}\n{values}", splits="[test]")
    assert [sample.votes for sample in dataset.samples("test")] == [{"Anger": 7.5, "Happiness": 0}]


@pytest.mark.parametrize("kind", ["folder", "csv", "jsonl"])
def test_every_kind_conforms(root: Path, open_faces: Open, kind: str) -> None:
    for split in ("test", "train"):
        for i, label in enumerate(("anger", "happy", "sad")):
            put(root / split / label / f"{i}.png", label.title(), i)
    paths = sorted(p.relative_to(root).as_posix() for p in root.rglob("*.png"))
    rows = [{"image": p, "label": p.split("/")[1], "split": p.split("/")[0]} for p in reversed(paths)]
    write(root / "t.csv", "image,label,split\n" + "".join(",".join(r.values()) + "\n" for r in rows))
    write(root / "t.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
    options = "" if kind == "folder" else f"table: t.{kind}"
    dataset = open_faces(options, splits="[test, train]")
    assert [s.id for s in dataset.samples("test")] == [f"mine/{p[:-4]}" for p in paths if p.startswith("test")]
    assert [f for f in datasets.check(Faces, root, card=dataset.card.path) if f.defect.level != "warning"] == []


def test_the_order_does_not_depend_on_the_file_system(
    root: Path, open_faces: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(5):
        put(root / "test" / "sad" / f"{i}.png")
    once = read(open_faces())
    from coabench.support import tree

    scandir = tree.os.scandir
    monkeypatch.setattr(tree.os, "scandir", lambda folder: reversed(list(scandir(folder))))
    assert read(open_faces()) == once == [(f"test/sad/{i}", "Sadness") for i in range(5)]


def test_grey_values_become_an_image(root: Path, open_faces: Open) -> None:
    write(root / "p.csv", "label,pixels\n1,0 255 128 7\n2,1 2 3\n3,1 2 3 300\n1,1 2 3 x\n1,\n")
    dataset = open_faces("table: p.csv\npixels: pixels\nid: '{label}-{row:03}'")
    (entry,) = dataset.listing.entries.values()
    image = read_image(entry.image).image
    assert entry.id == "1-001"
    assert [image.getpixel((x, y)) for y in (0, 1) for x in (0, 1)] == [(v, v, v) for v in (0, 255, 128, 7)]
    assert [p.found for p in dataset.listing.problems] == [
        "3 values, which make no square",
        "not only numbers from 0 to 255",
        "not only whole numbers",
        "0 values, which make no square",
    ]
