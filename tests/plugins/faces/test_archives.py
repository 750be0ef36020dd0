"""Data roots that are files: the same samples as in the folder that was packed; parquet tables by themselves."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from coabench_faces.dataset import Faces
from support.faces_trees import face, put, write
from support.process import Run
from support.runs import records

from coabench.dataset import Card
from coabench.errors import SampleError, UserError
from coabench.inference.loading import read_image
from coabench.support.image_checks import verify
from coabench.support.parquet import KEPT, ROWS
from coabench.testing import datasets

Open = Callable[..., Faces]
FOLDERS = ("", "[test, train]")
TABLE = ("table: labels.csv\nimage: 'pictures/{file}'\njoin: {table: 'more.jsonl', by: person}", "[test]")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root for both cards."""
    folder = tmp_path / "faces"
    for name in ("test/happy/b.jpg", "test/Happy/a.PNG", "test/ANGER/x.png", "train/sad/x.png"):
        put(folder / name)
    write(folder / "test" / "ANGER" / "note.doc", "which is not read")
    rows = [f"{i}.png,{i % 3 + 1},p{i // 2}" for i in range(4)]
    write(folder / "labels.csv", "\n".join(["file,label,person", *rows]))
    write(folder / "more.jsonl", '{"person": "p0", "age": 3}\n{"person": "p1", "age": 5}\n')
    for i in range(3):
        put(folder / "pictures" / f"{i}.png", person=i)
    return folder


def told(dataset: Faces) -> Any:
    """Return all that is said of a data set."""
    splits = {split: dataset.samples(split) for split in dataset.card.splits}
    return (
        [(s.id, s.target, s.attributes, s.image.name, s.image.size()) for split in splits.values() for s in split],
        [dataset.fingerprint(split) for split in splits],
        verify(dataset).checks,
        dataset.notes(),
        dataset.identity(),
    )


@pytest.mark.parametrize("with_name", [True, False])
@pytest.mark.parametrize("kind", ["zip", "tar"])
@pytest.mark.parametrize("card", [FOLDERS, TABLE])
def test_an_archive_is_the_data_set_that_was_packed(
    card: tuple[str, str], kind: str, with_name: bool, root: Path, write_card: Callable[..., Path]
) -> None:
    path = write_card(*card)
    above, below = (root.parent, root.name) if with_name else (root, None)
    packed = Path(shutil.make_archive(str(root.parent / "packed"), kind, above, below))
    folder, archive = (Faces(Card.read(path), place, Faces.Options()) for place in (root, packed))
    assert told(archive) == told(folder)
    if with_name:
        assert datasets.check(Faces, packed, card=path) == datasets.check(Faces, root, card=path)


def test_a_table_of_an_archive_cannot_lead_out_of_it(root: Path, write_card: Callable[..., Path]) -> None:
    write(root / "labels.csv", "file,label,person\n../../x.png,1,p0\n")
    packed = Path(shutil.make_archive(str(root), "zip", root))
    with pytest.raises(UserError, match=r"(?s)an image of mine cannot be used: labels.csv, line 2.*'\.\.'"):
        Faces(Card.read(write_card(*TABLE)), packed, Faces.Options()).samples("test")


def test_a_run_on_the_folder_goes_on_with_the_archive_and_no_card_is_needed(coabench: Run, tmp_path: Path) -> None:
    for position, name in enumerate(("happy", "sad", "neutral")):
        for person in range(3):
            put(tmp_path / "mine" / name / f"{person}.png", person=10 * position + person)
    shutil.make_archive(str(tmp_path / "mine"), "tar", tmp_path, "mine")
    run = ("evaluate", "--backbone", "scripted:a", "--set", "backbone.noise=false", "--strategy", "direct")
    assert coabench(*run, "--dataset", "./mine", "--output", "out").returncode == 0
    again = coabench(*run, "--dataset", "mine.tar", "--output", "out")
    assert "already complete" in again.stderr, again.stderr
    assert len(records(tmp_path / "out")) == 9
    shown = coabench("report", "out", "--images", "--dataset", "mine.tar", "--output", "page.html")
    assert shown.returncode == 0, shown.stderr
    assert (tmp_path / "page.html").read_text().count("data:image/jpeg") == 9
    refused = coabench(*run, "--dataset", "mine.tgz", "--output", "other")
    assert refused.returncode == 2


NAMES = ["angry", "happy", "sad"]


def write_parquet(path: Path, number: int, metadata: bool = True, **more: list[Any]) -> list[bytes]:
    """Write a table as ``datasets`` does, in groups of 100 rows; return the images."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    images = [face("Anger", i) for i in range(number)]
    columns = {"image": [{"bytes": data, "path": None} for data in images], "label": [i % 3 for i in range(number)]}
    features = {"image": {"_type": "Image"}, "label": {"names": NAMES, "_type": "ClassLabel"}}
    table = pa.table(columns | more)
    if metadata:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table, path, row_group_size=100)
    return images


def test_a_parquet_table_is_a_data_root_and_says_what_its_numbers_are(
    tmp_path: Path, write_card: Callable[..., Path]
) -> None:
    number = 2 * ROWS * KEPT + 7
    images = write_parquet(tmp_path / "faces.parquet", number, person=[f"p{i // 2}" for i in range(number)])
    head = "name: mine\nloader: faces\nlabels:\n  classes: [{name: Anger}, {name: Happiness}, {name: Sadness}]\n"
    path = write_card("subject: person", head=head)
    dataset = Faces(Card.read(path), tmp_path / "faces.parquet", Faces.Options())
    samples = dataset.samples("test")
    assert [s.target for s in samples[:4]] == ["Anger", "Happiness", "Sadness", "Anger"]
    assert samples[6].attributes == {"subject": "p3"}
    assert [s.image.size() for s in samples] == list(map(len, images))
    assert pickle.loads(pickle.dumps(samples[99].image)).read() == images[99]
    for position in (*range(number), 0, number - 1, 5, *range(130, 90, -1)):  # earlier groups again, and backwards
        assert samples[position].image.read() == images[position]
    assert datasets.check(Faces, tmp_path / "faces.parquet", card=path) == []


def test_a_parquet_table_is_evaluated_without_a_card(coabench: Run, tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-0.parquet", 4, split=["train", "validation", "train", "validation"])
    run = ("evaluate", "--backbone", "scripted:a", "--set", "backbone.noise=false", "--strategy", "direct")
    result = coabench(*run, "--dataset", "train-0.parquet", "--output", "out")
    assert result.returncode == 0, result.stderr
    assert [record["target"] for record in records(tmp_path / "out")] == ["Happiness", "Anger"]
    again = coabench(*run, "--dataset", "out.card.yaml", "--data-root", "train-0.parquet", "--output", "out")
    assert "already complete" in again.stderr, again.stderr
    write_parquet(tmp_path / "bare.parquet", 3, metadata=False)
    refused = coabench(*run, "--dataset", "bare.parquet", "--output", "other")
    assert "the same number is another emotion" in refused.stderr
    write_parquet(tmp_path / "odd.parquet", 3, split=["test", "fold 1", "fold 2"])
    assert "found: fold 1, fold 2" in coabench(*run, "--dataset", "odd.parquet", "--output", "other").stderr


def test_a_table_whose_names_contradict_the_card_is_refused(root: Path, write_card: Callable[..., Path]) -> None:
    write_parquet(root / "faces.parquet", 3)
    path = write_card()  # whose code 1 is Anger, not Happiness
    with pytest.raises(UserError, match=r"(?s)Anger, whose code on the card is 1.*1, happy"):
        Faces(Card.read(path), root / "faces.parquet", Faces.Options()).samples("test")
    named = write_card("values: {0: Anger, happy: Happiness, 2: null}")
    dataset = Faces(Card.read(named), root / "faces.parquet", Faces.Options())
    assert [s.target for s in dataset.samples("test")] == ["Anger", "Happiness"]
    with pytest.raises(UserError, match=r"is a table, and mine says where its own are"):
        Faces(Card.read(write_card("table: labels.csv")), root / "faces.parquet", Faces.Options())


def test_a_damaged_parquet_table_is_refused_and_a_replaced_one_is_an_error_of_each_sample(
    root: Path, write_card: Callable[..., Path]
) -> None:
    file = root / "faces.parquet"
    write_parquet(file, 3, metadata=False)
    path = write_card("values: {0: Anger}")
    for damage in (lambda: write_parquet(file, 3, image=[None] * 3), lambda: file.write_bytes(b"PAR1" + bytes(44))):
        samples = Faces(Card.read(path), file, Faces.Options()).samples("test")
        damage()
        with pytest.raises(SampleError, match=r"faces.parquet, row 1 cannot be read"):
            read_image(samples[0].image)
        write_parquet(file, 3, metadata=False)
    file.write_bytes(b"PAR1" + bytes(40) + b"PAR1")
    with pytest.raises(UserError, match=r"(?s)faces.parquet.*a .parquet file that can be read"):
        Faces(Card.read(path), file, Faces.Options()).samples("test")
