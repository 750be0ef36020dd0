"""What every test may use: the command line in this process or its own, a plugin that is installed, the golden data."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

sys.path.insert(0, str(Path(__file__).parent))
os.environ["HF_HUB_OFFLINE"] = "1"  # for every process, this one too: it is read where huggingface_hub is imported
# One thread in every process: two processes of two threads on two cores wait for one another, and sums by two threads
# round otherwise than those by one.
os.environ["OMP_NUM_THREADS"] = "1"
# Readline sets it for the processes of who imports it, pytest does, and tables would be as narrow.
os.environ.pop("COLUMNS", None)

from support.browser import browser, browser_page
from support.in_process import declare, in_process
from support.process import ROOT, SCRIPTED, Run, install, process_environment

__all__ = ["browser", "browser_page"]  # fixtures: pytest finds them here

# The same inputs in every run, however long a busy machine takes for one; `make fuzz` looks for others.
hypothesis.settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("repeatable")

MARKS = {"browser": {"browser", "browser_page"}, "process": {"coabench_process", "environment", "installed", "wheel"}}
"""Marker -> the fixtures that set it; tests that need no such fixture set it themselves."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Set the marks, and begin with the files that take long: at the end no worker waits for another's."""
    long = set()
    for item in items:
        for mark, fixtures in MARKS.items():
            if fixtures.intersection(getattr(item, "fixturenames", ())):
                item.add_marker(mark)
        if any(item.get_closest_marker(mark) for mark in (*MARKS, "slow")):
            long.add(item.path)
    items.sort(key=lambda item: item.path not in long)


def pytest_configure(config: pytest.Config) -> None:
    """Where tests that start processes are left out, no other test may start one."""
    runs_tests = hasattr(config, "workerinput") or not config.getoption("numprocesses", None)
    if "not process" in config.option.markexpr and runs_tests:
        sys.addaudithook(_refuse_interpreters)


def _refuse_interpreters(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen" and Path(str(arguments[0])).name.startswith("python"):
        raise AssertionError("this test starts a Python interpreter: mark it with pytest.mark.process")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tests out of the user's cache, and the cache out of the folder that a test looks into."""
    monkeypatch.setenv("COABENCH_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Undo it where a test sets another number of threads."""
    yield
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the plugin of ``support/scripted``."""
    target = tmp_path_factory.mktemp("site")
    install(SCRIPTED, target)
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
    return process_environment(installed)


@pytest.fixture
def coabench_process(environment: dict[str, str], tmp_path: Path) -> Run:
    """Run ``coabench`` in a process of its own, in an empty folder: where the process is the point."""

    def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "coabench", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env={**environment, **variables}, check=False
        )

    return run


@pytest.fixture(scope="session")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What makes the plugin of ``support/scripted`` visible on ``sys.path``, as an installed one is."""
    return declare(SCRIPTED, tmp_path_factory.mktemp("declared"))


@pytest.fixture
def coabench(scripted: list[str], tmp_path: Path) -> Run:
    """Run ``coabench`` within this process, in an empty folder, with the plugin of ``support/scripted``."""
    return in_process(tmp_path, scripted, {"COLUMNS": "160"})


@pytest.fixture(scope="session")
def oracle() -> Path:
    """The golden outputs of the reference code, which are not part of the repository."""
    folder = ROOT.parent / "shared" / "oracle"
    if not folder.is_dir():
        pytest.skip("the golden data (../shared/oracle) is not here")
    return folder
