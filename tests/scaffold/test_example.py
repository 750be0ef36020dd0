"""The example of a published plugin: installed, checked, used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.process import ROOT, Run, install

pytestmark = pytest.mark.process

EXAMPLE = ROOT / "examples" / "coabench-valence"


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PYTHONPATH on which the example is installed."""
    target = tmp_path_factory.mktemp("site")
    install(EXAMPLE, target)
    return os.pathsep.join([str(target), os.environ.get("PYTHONPATH", "")])


def test_it_passes_its_tests(paths: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", EXAMPLE, EXAMPLE / "tests"]
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert result.returncode == 0, result.stdout[-3000:]
    assert "skipped" not in result.stdout.splitlines()[-1]


def test_it_is_used(coabench: Run, paths: str, tmp_path: Path) -> None:
    checked = coabench("plugins", "check", "coabench-valence", PYTHONPATH=paths)
    assert checked.returncode == 0, checked.stdout
    run = coabench(
        "evaluate", "--backbone", "scripted", "--dataset", "drawn", "--strategy", "valence-arousal:valence",
        "--set", "noise=no", "--set", "narrow=no", "--output", "run", PYTHONPATH=paths,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["invalid"] == 0
    assert metrics["plugins"]["across-valence"]["mistakes"] > 0
    identity = json.loads((tmp_path / "run" / "run.json").read_text())["identity"]["strategy"]
    assert (identity["name"], identity["plugin"], identity["plugin_version"]) == (
        "valence-arousal:valence", "valence", "1.0.0",
    )  # fmt: skip
    assert identity["options"] == {"narrow": False}


def test_it_is_clean() -> None:
    for arguments in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--no-cache", str(EXAMPLE)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout
