"""The folder of a training: which checkpoints count, what is overwritten, how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from coabench.training.files import CHECKPOINTS, TrainingFolder

IDENTITY: dict[str, Any] = {
    "seed": 0, "recipe": {}, "trainer": {}, "backbone": {"name": "b"}, "strategies": [], "data": [],
}  # fmt: skip


def fresh() -> dict[str, Any]:
    return {"identity": IDENTITY, "options": {}, "facts": {}}


TORN = (
    (11, None), (12, '{"global'), (13, "{}"), (14, "[]"), (15, '{"global_step": null}'), (16, '{"global_step": 1e999}'),
)  # fmt: skip
"""Steps of checkpoints that do not count, and what their state file holds."""


def checkpoint(folder: Path, step: int, state: str | None = None) -> Path:
    path = folder / CHECKPOINTS / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "weights").write_bytes(b"some")
    if state is not None:
        (path / "trainer_state.json").write_text(state)
    return path


def test_the_last_whole_checkpoint_is_resumed_and_torn_ones_are_deleted(tmp_path: Path) -> None:
    with TrainingFolder(tmp_path / "adapter", fresh()) as folder:
        assert folder.last_checkpoint() is None
        folder.begin(False, {}, {})
    whole = [checkpoint(tmp_path / "adapter", step, json.dumps({"global_step": step})) for step in (9, 10)]
    torn = [checkpoint(tmp_path / "adapter", step, text) for step, text in TORN]
    with TrainingFolder(tmp_path / "adapter", fresh()) as folder:
        folder.begin(False, {"device": "cpu"}, {})
        assert folder.last_checkpoint() == str(whole[1])
        assert [session.get("device") for session in folder.manifest["sessions"]] == [None, "cpu"]
    assert all(path.exists() for path in whole)
    assert not any(path.exists() for path in torn)


def test_overwriting_deletes_what_is_there(tmp_path: Path) -> None:
    with TrainingFolder(tmp_path, fresh()) as folder:
        folder.begin(False, {}, {})
        folder.end("failed", reason="diverged")
    checkpoint(tmp_path, 5, json.dumps({"global_step": 5}))
    with TrainingFolder(tmp_path, {**fresh(), "identity": {**IDENTITY, "seed": 1}}, overwrite=True) as folder:
        folder.begin(True, {}, {})
        assert folder.last_checkpoint() is None
    record = json.loads((tmp_path / "training.json").read_text())
    assert (record["status"], record["identity"]["seed"], len(record["sessions"])) == ("running", 1, 1)


def test_a_failed_training_keeps_its_checkpoints_and_is_resumed(tmp_path: Path) -> None:
    with TrainingFolder(tmp_path, fresh()) as folder:
        folder.begin(False, {}, {})
        last = checkpoint(tmp_path, 5, json.dumps({"global_step": 5}))
        folder.end("failed", reason="diverged")
    with TrainingFolder(tmp_path, fresh()) as folder:
        assert (folder.complete, folder.manifest["reason"]) == (False, "diverged")
        folder.begin(False, {}, {})
        assert folder.manifest["reason"] is None
        assert folder.last_checkpoint() == str(last)
