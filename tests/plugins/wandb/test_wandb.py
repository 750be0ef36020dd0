"""Runs of Weights & Biases, written offline for real."""

from __future__ import annotations

from pathlib import Path

import pytest
from coabench_wandb import asked, plugin
from support.process import wait_for
from support.tracked import Stumbling, installed

from coabench.errors import JobError
from coabench.registry.loader import get_plugins
from coabench.testing import tiny_run


def test_an_evaluation_is_one_run_however_often_it_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb.sdk", reason="wandb is not installed: pip install 'coabench[wandb]'")
    for name, value in {"MODE": "offline", "DIR": str(tmp_path), "PROJECT": "faces"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    monkeypatch.setattr(get_plugins(), "loaded", [each for each in get_plugins().loaded if each.name != "wandb"])
    with installed(plugin):
        with pytest.raises(JobError):
            tiny_run(tmp_path / "mine", backbone=(backbone := Stumbling(6)), batch_size=2)
        tiny_run(tmp_path / "mine", backbone=backbone, batch_size=2)
    folders = sorted((tmp_path / "wandb").glob("offline-run-*"))
    files = {file.name: file for folder in folders for file in (folder / "files").iterdir()}
    assert (files["run.json"].read_bytes()) == (tmp_path / "mine" / "run.json").read_bytes()
    assert not files["metrics.json"].is_symlink()
    assert len({folder.name.rpartition("-")[2] for folder in folders}) == 1  # one run, in as many sessions
    logs = [log for folder in folders for log in folder.glob("*.wandb")]
    wait_for(lambda: b"uar_low" in b"".join(log.read_bytes() for log in logs))  # wandb's own process writes them
    written = b"".join(log.read_bytes() for log in logs)
    for text in (b"faces", b"testing-backbone", b"uar_low", b"progress", b"the power is off", b"mine"):
        assert text in written


@pytest.mark.parametrize(
    ("variables", "follows"),
    [
        ({}, False),
        ({"WANDB_MODE": "offline"}, True),
        ({"WANDB_PROJECT": "faces"}, True),
        ({"WANDB_MODE": "disabled", "WANDB_PROJECT": "faces"}, False),
        ({"COABENCH_WANDB": "1"}, True),
        ({"COABENCH_WANDB": "0", "WANDB_PROJECT": "faces"}, False),
    ],
)
def test_only_who_asks_is_followed(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], follows: bool) -> None:
    for name in ("WANDB_MODE", "WANDB_PROJECT", "COABENCH_WANDB"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert asked() is follows
