"""The folder of a stress, as reports read it."""

import json
from pathlib import Path
from typing import Any

import pytest

from coabench.errors import UserError
from coabench.robustness.conditions import Condition
from coabench.robustness.folder import LeftOut, StressFolder

CONDITIONS = (
    Condition("clean", "clean"),
    Condition("jpeg-3", "jpeg", 3, ("jpeg:quality=20,side=224",)),
    Condition("german", "language", None, (), ("language:to=de",)),
)


def fill(folder: Path, status: str) -> None:
    folder.mkdir()
    run = {"schema": 1, "status": status, "identity": {}, "labels": {}}
    (folder / "run.json").write_text(json.dumps(run))


@pytest.fixture
def stress(tmp_path: Path) -> StressFolder:
    made = StressFolder(tmp_path, "mine", CONDITIONS, (LeftOut("mask-1", "the landmarks are not known"),))
    made.write()
    return made


def test_what_is_written_is_read(stress: StressFolder) -> None:
    assert StressFolder.read(stress.directory) == stress
    assert stress.clean == stress.directory / "clean"
    written = json.loads((stress.directory / "stress.json").read_text())
    assert written["conditions"][1] == {
        "name": "jpeg-3",
        "family": "jpeg",
        "severity": 3,
        "transform": ["jpeg:quality=20,side=224"],
        "rewrite": [],
        "folder": "jpeg-3",
    }


def test_only_complete_runs_count(stress: StressFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "coabench.robustness.folder.read_manifest", lambda folder: json.loads((folder / "run.json").read_text())
    )
    fill(stress.directory / "clean", "complete")
    fill(stress.directory / "jpeg-3", "stopped")
    assert list(stress.runs()) == [(CONDITIONS[0], stress.directory / "clean")]
    assert stress.missing == ["jpeg-3", "german"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "schema 2 is unknown"),
        ({"clean": "other"}, "clean"),
        ({"conditions": []}, "one entry or more"),
        ({"conditions": [{"name": "../up", "family": "order"}]}, "name a folder"),
        ({"conditions": [{"name": "jpeg-3", "family": "jpeg"}]}, "'clean' first"),
        ({"conditions": [{"name": "clean", "family": "clean", "folder": "jpeg"}]}, "not named as its condition"),
    ],
)
def test_a_damaged_file_is_refused(stress: StressFolder, change: dict[str, Any], message: str) -> None:
    path = stress.directory / "stress.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=message):
        StressFolder.read(stress.directory)


def test_another_folder_is_no_stress(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no stress"):
        StressFolder.read(tmp_path)
