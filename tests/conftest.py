"""What every test may use: the command line in a process of its own, a plugin installed for real, the golden data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support.browser import browser, browser_page
from support.process import ROOT, Run, install

__all__ = ["browser", "browser_page"]  # fixtures: pytest finds them here


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests out of the user's cache."""
    monkeypatch.setenv("COABENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the plugin of ``support/scripted``."""
    target = tmp_path_factory.mktemp("site")
    install(ROOT / "tests" / "support" / "scripted", target)
    return target


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the wheel built from this checkout."""
    target = tmp_path_factory.mktemp("wheel")
    install(ROOT, target)
    return target


@pytest.fixture
def environment(installed: Path) -> dict[str, str]:
    """The environment of a process that sees the installed plugin, and no network."""
    paths = [str(installed), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1", "COLUMNS": "160"}


@pytest.fixture
def coabench(environment: dict[str, str], tmp_path: Path) -> Run:
    """Run ``coabench`` in a process of its own, in an empty folder."""

    def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "coabench", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env={**environment, **variables}, check=False
        )

    return run


@pytest.fixture(scope="session")
def oracle() -> Path:
    """The golden outputs of the reference code, which are not part of the repository."""
    folder = ROOT.parent / "shared" / "oracle"
    if not folder.is_dir():
        pytest.skip("the golden data (../shared/oracle) is not here")
    return folder
