"""Which manifests are refused, and in which words."""

import json
from pathlib import Path
from typing import Any

import pytest

from coabench.errors import UserError
from coabench.runs import read_manifest
from coabench.runs.adapter import TrainingRecord

IDENTITY: dict[str, Any] = {
    "backbone": {"name": "b"},
    "strategy": {"name": "s"},
    "dataset": {"name": "d", "split": "test", "fingerprint": "f", "samples": 3},
    "decode": "generate",
}
LABELS = {"space": "toy", "names": ["A", "B"]}
RUN: dict[str, Any] = {"schema": 1, "status": "complete", "identity": IDENTITY, "labels": LABELS}
TRAINING: dict[str, Any] = {
    "recipe": {}, "trainer": {}, "backbone": {"name": "b"}, "strategies": [{"name": "s"}], "data": [],
}  # fmt: skip


def write(folder: Path, name: str, data: Any) -> Path:
    (folder / name).write_text(data if isinstance(data, str) else json.dumps(data))
    return folder


def test_a_manifest_is_returned_as_it_is(tmp_path: Path) -> None:
    assert read_manifest(write(tmp_path, "run.json", {**RUN, "more": 1})) == {**RUN, "more": 1}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("{", "is damaged"),
        ([], "is no manifest"),
        ({**RUN, "schema": "1"}, "is no manifest"),
        ({**RUN, "schema": 2}, "newer coabench"),
        ({**RUN, "status": None}, "the field 'status'"),
        ({**RUN, "identity": []}, "identity cannot be read"),
        ({key: RUN[key] for key in ("schema", "status", "identity")}, "the field 'labels'"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_manifest(write(tmp_path, "run.json", data))


def test_a_folder_without_one_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        read_manifest(tmp_path)


def test_an_adapter_of_something_else_has_no_record(tmp_path: Path) -> None:
    record = TrainingRecord.read(tmp_path)
    assert record.identity is None
    assert record.check_unseen("d", "train", "f", dict, allowed=False) == []


def test_the_record_of_an_unfinished_or_damaged_training_is_refused(tmp_path: Path) -> None:
    data = {"schema": 1, "status": "running", "identity": TRAINING, "options": {}, "facts": {}}
    with pytest.raises(UserError, match="is not finished"):
        TrainingRecord.read(write(tmp_path, "training.json", data))
    with pytest.raises(UserError, match=r"training\.json: identity: the field 'recipe' is missing"):
        TrainingRecord.read(write(tmp_path, "training.json", {**data, "status": "complete", "identity": {}}))
    del data["options"]
    with pytest.raises(UserError, match="the field 'options'"):
        TrainingRecord.read(write(tmp_path, "training.json", data))
