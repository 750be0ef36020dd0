"""Runs in a store of MLflow, written for real and read back with MLflow's own client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from coabench_mlflow import plugin
from support.tracked import Stumbling, installed

from coabench.errors import JobError
from coabench.registry.loader import get_plugins
from coabench.testing import tiny_run

pytest.importorskip("mlflow", reason="mlflow-skinny is not installed: pip install 'coabench[mlflow]'")


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of a new store, which the plugin follows jobs in."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    ours = [each for each in get_plugins().loaded if each.name == "mlflow"]
    monkeypatch.setattr(get_plugins(), "loaded", [each for each in get_plugins().loaded if each not in ours])
    from mlflow import MlflowClient

    with installed(plugin):
        yield MlflowClient()


def runs(client: Any) -> list[Any]:
    return list(client.search_runs([client.get_experiment_by_name("coabench").experiment_id]))


def test_an_evaluation_is_one_run_with_its_settings_figures_and_files(client: Any, tmp_path: Path) -> None:
    with pytest.raises(JobError):
        tiny_run(tmp_path / "mine", backbone=(backbone := Stumbling(6)), batch_size=2)
    [failed] = runs(client)
    assert (failed.info.status, failed.data.tags["coabench.error"]) == ("FAILED", "the power is off")
    assert failed.data.metrics == {"progress": 4.0}
    run = tiny_run(tmp_path / "mine", backbone=backbone, batch_size=2)
    [finished] = runs(client)
    assert finished.info.run_id == failed.info.run_id
    assert (finished.info.status, finished.info.run_name) == ("FINISHED", "mine")
    assert finished.data.params.items() >= {
        ("backbone", "testing-backbone"), ("strategy", "direct"), ("dataset", "testing-compound"), ("seed", "0"),
        ("decode", "generate"), ("settings.backbone.script", "stumbling"),
    }  # fmt: skip
    assert "model" not in finished.data.params
    low, high = run.metrics["uar_interval"]
    assert finished.data.metrics.items() >= {"uar": run.metrics["uar"], "uar_low": low, "uar_high": high}.items()
    assert [m.value for m in client.get_metric_history(finished.info.run_id, "progress")] == [4, 8]
    assert [file.path for file in client.list_artifacts(finished.info.run_id)] == ["metrics.json", "run.json"]


def test_nothing_is_followed_unless_asked(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COABENCH_MLFLOW", "0")
    tiny_run(tmp_path / "quiet")
    assert client.get_experiment_by_name("coabench") is None
