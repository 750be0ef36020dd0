"""The cards in docs/guides/datasets.md work as they stand there."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from support.faces_trees import face, put, write
from support.process import ROOT

from coabench.registry.catalog import find_dataset
from coabench.support.image_checks import verify

GUIDE = (ROOT / "docs" / "guides" / "datasets.md").read_text()
TABLE = (ROOT / "docs" / "reference" / "public-datasets.md").read_text()
CARDS = re.findall(r"\*\*(?P<what>[A-Z][^*]+)\*\*(?:(?!\n\*\*)[\s\S])*?```yaml\n(?P<card>[\s\S]*?)```", GUIDE)


def folder(root: Path) -> None:
    for split in ("test", "train"):
        put(root / split / "happy" / "anna_1.jpg", "Happiness")


def csv_file(root: Path) -> None:
    put(root / "images" / "a.jpg")
    write(root / "labels.csv", "file,emotion,person,age,fold\na.jpg,1,anna,30,4\nb.jpg,2,bob,40,1\n")


def json_lines(root: Path) -> None:
    for split in ("test", "train"):
        put(root / f"anna_{split}.jpg")
        record = {"image": f"anna_{split}.jpg", "label": "mad", "subject": "anna"}
        write(root / f"{split}.jsonl", json.dumps(record) + '\n{"image": "x.jpg", "label": "n/a"}\n')


def parquet(root: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    (root / "data").mkdir(parents=True)
    for split in ("test", "train"):
        table = pa.table({"image": [{"bytes": face("Anger"), "path": "a.png"}], "label": [2]})
        pq.write_table(table, root / "data" / f"{split}-00000-of-00001.parquet")


def file_name(root: Path) -> None:
    put(root / "P07_f_HA_3.png")


def compound(root: Path) -> None:
    put(root / "a.png")
    write(root / "labels.csv", "image,label\na.png,Sadness + Surprise\n")


MADE: dict[str, tuple[Callable[[Path], None], str, str, dict[str, str]]] = {
    "A folder": (folder, "test/happy/anna_1", "Happiness", {}),
    "A CSV file": (csv_file, "images/a", "Happiness", {"subject": "anna", "age": "30"}),
    "JSON lines": (json_lines, "anna_test", "Anger", {"subject": "anna"}),
    "Parquet": (parquet, "data/test-00000-of-00001/000001", "Sadness", {}),
    "The label in the file name": (file_name, "P07_f_HA_3", "Happiness", {"subject": "P07", "gender": "f"}),
    "Compound labels": (compound, "a", "Sadly Surprised", {}),
}


def test_every_card_of_the_guide_is_tried() -> None:
    assert [what for what, _ in CARDS] == list(MADE)


@pytest.mark.parametrize(("what", "card"), CARDS, ids=[what for what, _ in CARDS])
def test_a_card_of_the_guide_works(tmp_path: Path, what: str, card: str) -> None:
    assert len(card.splitlines()) <= 10
    make, identity, label, attributes = MADE[what]
    make(tmp_path / "faces")
    (tmp_path / "my-faces.yaml").write_text(card)
    dataset = find_dataset(str(tmp_path / "my-faces.yaml")).open(tmp_path / "faces")
    (sample,) = dataset.samples("test")
    assert (sample.id, sample.target, dict(sample.attributes)) == (f"my-faces/{identity}", label, attributes)
    errors = [check.text for check in verify(dataset).checks if check.level == "error"]
    assert set(errors) <= {"identical images in several splits: 1"}  # one drawing serves both


def test_the_tables_name_every_card() -> None:
    from coabench_faces import CARDS as registered

    shelf = (ROOT / "datasets_registry" / "README.md").read_text()
    for name in registered:
        assert f"| `{name}` |" in TABLE
        assert f"[`{name}`]({name}.yaml)" in shelf


def test_every_option_is_documented() -> None:
    from coabench_faces.layout import Layout

    shelf = (ROOT / "datasets_registry" / "README.md").read_text()
    documented = re.findall(r"^\| `(\w+)` \|", shelf.partition("## Options of the loader")[2], re.MULTILINE)
    assert sorted([*documented, "card"]) == sorted(field.metadata.get("key", field.name) for field in fields(Layout))
