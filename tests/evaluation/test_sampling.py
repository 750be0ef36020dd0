"""``--limit N`` takes a sample of every label, the same one every time."""

from pathlib import Path
from typing import Any

import pytest
from support.process import Run
from support.runs import manifest, records

from coabench.evaluation.sampling import allocate

BASE = ("evaluate", "--backbone", "scripted:a", "--dataset", "drawn")


@pytest.mark.parametrize(
    ("sizes", "limit", "expected"),
    [
        ({"a": 80, "b": 10, "c": 10}, 10, {"a": 8, "b": 1, "c": 1}),
        ({"a": 980, "b": 10, "c": 10}, 10, {"a": 8, "b": 1, "c": 1}),
        ({"a": 5, "b": 9, "c": 7}, 2, {"b": 1, "c": 1}),
        ({"a": 5, "b": 9, "c": 7}, 3, {"a": 1, "b": 1, "c": 1}),
        ({"a": 2, "b": 1}, 9, {"a": 2, "b": 1}),
        ({"a": 4, "b": 4}, 3, {"a": 2, "b": 1}),
        ({}, 4, {}),
    ],
)
def test_each_label_gets_its_share(sizes: dict[str, int], limit: int, expected: dict[str, int]) -> None:
    assert allocate(sizes, limit) == expected


def evaluated(coabench: Run, folder: Path, name: str, *options: object) -> tuple[list[str], dict[str, Any], str]:
    """Evaluate; return the ids, the identity of the data set, and what was said."""
    result = coabench(*BASE, *options, "--output", name)
    assert result.returncode == 0, result.stderr
    ids = [record["id"] for record in records(folder / name)]
    return ids, manifest(folder / name)["identity"]["dataset"], result.stderr


def test_the_sample_covers_the_labels_and_is_drawn_by_the_seed(coabench: Run, tmp_path: Path) -> None:
    ids, identity, said = evaluated(coabench, tmp_path, "first", "--limit", 5)
    note = "--limit 5: 5 of 24 samples, stratified by label (--seed 0), with 3 of 3 labels; its numbers"
    assert note in said
    assert note in str(manifest(tmp_path / "first")["notes"])
    assert (identity["limit"], identity["samples"], identity["sampling"]) == (5, 5, "stratified")
    assert ids == sorted(ids)
    targets = {record["target"] for record in records(tmp_path / "first")}
    assert targets == {*manifest(tmp_path / "first")["labels"]["names"]}
    again, *_ = evaluated(coabench, tmp_path, "again", "--limit", 5, "--batch-size", 2)
    other, *_ = evaluated(coabench, tmp_path, "other", "--limit", 5, "--seed", 1)
    assert again == ids != other
    *_, said = evaluated(coabench, tmp_path, "two", "--limit", 2)
    assert "with 2 of 3 labels" in said
    ids, identity, said = evaluated(coabench, tmp_path, "all", "--limit", 99)
    assert (len(ids), "sampling" in identity) == (24, False)
    assert "--limit 99: 24 of 24 samples, with 3 of 3 labels" in said
