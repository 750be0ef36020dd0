"""A plugin that a process did not survive is named and left out by the next."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from support.planted import plant
from support.process import Run, interruptible, start, wait_for

from coabench.registry import loading_marks

pytestmark = pytest.mark.skipif(loading_marks.fcntl is None, reason="without locks nothing is marked")

DIES = """
import os, signal, time
exec(os.environ.get("ZZ_CODE", ""))

@hookimpl
def coabench_register_backbones(register):
    register("zz", "m:a")

@hookimpl
def coabench_register_commands(cli):
    exec(os.environ.get("ZZ_COMMANDS", ""))
"""
TOLD = "plugin 'zz_bad' (coabench-zz_bad 1.0) is left out: a process ended while it loaded this plugin"
HANGS = "print('importing', flush=True); time.sleep(600)"


def died(folder: Path, environment: dict[str, str], **variables: str) -> None:
    """Let a process die while it loads the plugin in *folder*."""
    process = start(folder, environment | {"PYTHONPATH": path_of(folder, environment)} | variables, "--help")
    process.communicate()
    assert process.returncode in (7, -signal.SIGKILL)


def path_of(folder: Path, environment: dict[str, str]) -> str:
    return os.pathsep.join([str(folder), environment["PYTHONPATH"]])


def status(coabench: Run, folder: Path) -> str:
    listed = coabench("plugins", "list", "--format", "json", PYTHONPATH=str(folder))
    assert listed.returncode == 0
    [plugin] = [plugin for plugin in json.loads(listed.stdout) if plugin["plugin"] == "zz_bad"]
    assert (TOLD in listed.stderr) == (plugin["status"] == "failed")
    return str(plugin["status"])


@pytest.mark.parametrize(
    "dying",
    [
        {"ZZ_CODE": "os._exit(7)"},
        {"ZZ_CODE": "os.kill(os.getpid(), signal.SIGKILL)"},
        {"ZZ_COMMANDS": "os._exit(7)"},
    ],
    ids=["exits", "is killed", "exits where commands are added"],
)
def test_a_plugin_that_ended_the_interpreter_is_left_out_until_it_is_tried_again(
    coabench: Run, environment: dict[str, str], tmp_path: Path, dying: dict[str, str]
) -> None:
    plant(tmp_path, "zz_bad", DIES)
    died(tmp_path, environment, **dying)
    told = coabench("list", PYTHONPATH=str(tmp_path))
    assert told.returncode == 0
    assert TOLD in told.stderr
    assert "`coabench plugins check zz_bad` tries it again" in told.stderr
    assert status(coabench, tmp_path) == "failed"  # at every start
    missing = coabench("evaluate", "--backbone", "zz", PYTHONPATH=str(tmp_path))
    assert "`coabench plugins list` says why the plugin zz_bad is left out" in missing.stderr
    assert TOLD not in coabench("plugins", "check", "coabench-zz_bad", PYTHONPATH=str(tmp_path)).stderr
    assert status(coabench, tmp_path) == "ok"


def test_a_plugin_that_was_changed_or_upgraded_is_tried_again(
    coabench: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    plant(tmp_path, "zz_bad", DIES)
    died(tmp_path, environment, ZZ_CODE="os._exit(7)")
    metadata = tmp_path / "coabench_zz_bad-1.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("Version: 1.0", "Version: 1.1"))
    assert TOLD not in coabench("list", PYTHONPATH=str(tmp_path)).stderr
    metadata.write_text(metadata.read_text().replace("Version: 1.1", "Version: 1.0"))
    assert status(coabench, tmp_path) == "failed"
    [mark] = (Path(os.environ["COABENCH_CACHE"]) / "loading").iterdir()
    os.utime(mark, (0, 0))  # long before the module was written
    assert status(coabench, tmp_path) == "ok"
    assert not mark.exists()


def test_processes_that_load_it_at_the_same_time_do_not_disturb_one_another(
    coabench: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    plant(tmp_path, "zz_bad", DIES)
    folder = Path(os.environ["COABENCH_CACHE"]) / "loading"
    variables = {"PYTHONPATH": path_of(tmp_path, environment), "ZZ_CODE": HANGS}
    process = start(tmp_path, environment | variables, "list", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: list(folder.glob("*.json")), process)
        assert status(coabench, tmp_path) == "ok"  # it is being loaded there, which is no reason
    finally:
        process.kill()
        process.wait()
    assert status(coabench, tmp_path) == "failed"


@pytest.mark.parametrize(("waited", "then"), [(1.1, "failed"), (0.0, "ok")])
def test_an_interrupt_of_a_plugin_that_hangs_is_held_against_it(
    coabench: Run, tmp_path: Path, waited: float, then: str
) -> None:
    plant(tmp_path, "zz_bad", DIES)
    code = f"time.sleep({waited}); signal.raise_signal(signal.SIGINT)"
    with interruptible():
        interrupted = coabench("list", PYTHONPATH=str(tmp_path), ZZ_CODE=code)
    assert interrupted.returncode == 130
    assert ("interrupted while plugin 'zz_bad' was loaded" in interrupted.stderr) == (then == "failed")
    assert status(coabench, tmp_path) == then


def test_a_plugin_that_raises_leaves_no_mark(coabench: Run, tmp_path: Path) -> None:
    plant(tmp_path, "zz_bad", DIES)
    raised = coabench("list", PYTHONPATH=str(tmp_path), ZZ_CODE="raise SystemExit(1)")
    assert "plugins that failed to load: zz_bad" in raised.stderr
    assert not list((Path(os.environ["COABENCH_CACHE"]) / "loading").iterdir())


@pytest.mark.parametrize("content", ["", "{", "[]", '{"plugin": 1}', '{"plugin": "zz_bad", "distribution": []}'])
def test_what_else_lies_in_the_folder_is_no_mark(coabench: Run, tmp_path: Path, content: str) -> None:
    plant(tmp_path, "zz_bad", DIES)
    folder = Path(os.environ["COABENCH_CACHE"]) / "loading"
    folder.mkdir(parents=True)
    (folder / "1-1.json").write_text(content)
    (folder / "folder.json").mkdir()
    os.mkfifo(folder / "fifo.json")
    assert status(coabench, tmp_path) == "ok"


def test_a_cache_that_cannot_be_written_is_no_hindrance(coabench: Run, tmp_path: Path) -> None:
    plant(tmp_path, "zz_bad", DIES)
    (tmp_path / "file").write_text("")
    for cache in (tmp_path / "file", tmp_path / "file" / "below"):
        listed = coabench("plugins", "list", PYTHONPATH=str(tmp_path), COABENCH_CACHE=str(cache))
        assert listed.returncode == 0
        assert "zz_bad" in listed.stdout
        assert listed.stderr == ""
