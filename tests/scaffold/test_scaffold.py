"""``coabench plugins new``: what it writes can be installed, passes its tests and checks, and does something."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.process import ROOT, Run, install

from coabench.errors import UserError
from coabench.scaffold import KINDS, LONGEST, write

pytestmark = pytest.mark.process

NAMES = {  # some are words of YAML, or what a template imports
    "backbone": "brightness",
    "strategy": "my-strategies",
    "dataset": "null",
    "detector": "detector",
    "metric": "on",
    "command": "mistakes-of-a-run-in-one-table",
    "observer": "journal",
    "section": "mistakes",
    "parser": "letters",
    "transform": "turned",
    "rewrite": "one-word",
}


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a new plugin of each kind."""
    folder = tmp_path_factory.mktemp("projects")
    for kind, name in NAMES.items():
        write(name, kind, folder)
    return folder


@pytest.fixture(scope="module")
def site(projects: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed them all."""
    target = tmp_path_factory.mktemp("site")
    install(sorted(projects.iterdir()), target)
    return target


@pytest.fixture(scope="module")
def run(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run Python where they are installed, and nothing else beside coabench."""
    folder = tmp_path_factory.mktemp("work")
    variables = {
        "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]),
        "HF_HUB_OFFLINE": "1",
        "COABENCH_CACHE": str(folder / "cache"),
        "COLUMNS": "160",
    }

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, cwd=folder, env={**os.environ, **variables}, check=False
        )

    return run


def test_they_pass_their_own_tests(run: Run, projects: Path) -> None:
    """All in one process: a test of each defect that conformance knows, and the author's first tests."""
    result = run("pytest", "-q", "-p", "no:cacheprovider", "-rA", "--rootdir", projects, *projects.glob("*/tests"))
    assert result.returncode == 0, result.stdout[-3000:]
    assert "skipped" not in result.stdout.splitlines()[-1]
    for kind in KINDS:
        assert f"test_{kind}.py::TestPlugin::test_conforms[not-loaded]" in result.stdout
        suite = "Plugin" if kind == "observer" else kind.capitalize()
        assert f"test_{kind}.py::Test{suite}::test_conforms[" in result.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_they_pass_the_check(run: Run, kind: str) -> None:
    name = NAMES[kind]
    result = run("coabench", "plugins", "check", f"coabench-{name}")
    assert result.returncode == 0, result.stdout
    assert f"coabench-{name} 0.1.0" in result.stdout
    what = {"dataset": "data set", "observer": "observers of"}.get(kind, kind)
    assert f"{what} {name}" in result.stdout
    assert "passed (0 errors, 0 warnings, 0 not checked)" in result.stdout


def test_they_work_together(run: Run) -> None:
    evaluated = run(
        "coabench", "evaluate", "--backbone", "brightness", "--strategy", "my-strategies", "--dataset", "null",
        "--set", "remind=no", "--output", "run",
    )  # fmt: skip
    assert evaluated.returncode == 0, evaluated.stderr
    assert "\nG-mean                 0\n" in evaluated.stdout
    message = run("coabench", NAMES["command"], "run")
    assert message.returncode == 0, message.stderr
    assert " -> " in message.stdout


def test_the_detector_works(run: Run, site: Path, tmp_path: Path) -> None:
    folder = site / "coabench_null" / "images" / "test" / "Happiness"
    watched = run(
        "coabench", "webcam", "--source", folder, "--no-window", "--detector", "detector",
        "--log", tmp_path / "seen.jsonl", "--backbone", "brightness", "--strategy", "my-strategies",
    )  # fmt: skip
    assert watched.returncode == 0, watched.stderr
    header, *faces = map(json.loads, (tmp_path / "seen.jsonl").read_text().splitlines())
    assert header["identity"]["detector"]["name"] == "detector"
    assert len(faces) == 3
    assert all(face["status"] == "ok" for face in faces)


def test_the_package_holds_what_it_needs(site: Path) -> None:
    package = site / "coabench_null"
    assert (package / "card.yaml").is_file()
    assert len(list((package / "images").rglob("*.png"))) == 24
    assert not (site / "tests").exists()


def test_they_are_clean(projects: Path, tmp_path: Path) -> None:
    """With the configuration that they bring, for the longest and the shortest names."""
    for folder, name in ((tmp_path / "long", "x" * LONGEST), (tmp_path / "short", "q")):
        folder.mkdir()
        for kind in KINDS:
            inner = folder / kind
            inner.mkdir()
            write(name, kind, inner)
    for arguments in (["check"], ["check", "--select", "I,B,UP,SIM"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--no-cache", str(projects), str(tmp_path)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout


def test_templates_and_cards_are_in_the_wheel(wheel: Path) -> None:
    for folder in ("scaffold/templates", "testing/cards"):
        here, there = ROOT / "coabench" / folder, wheel / "coabench" / folder
        files = {path.relative_to(here) for path in here.rglob("*") if path.is_file()}
        assert files
        assert files == {path.relative_to(there) for path in there.rglob("*") if path.is_file()}


def test_the_command_says_what_comes_next(coabench: Run, tmp_path: Path) -> None:
    result = coabench("plugins", "new", "mood", "--kind", "strategy")
    assert result.returncode == 0
    assert result.stdout == "coabench-mood\n"
    assert result.stderr.splitlines() == [
        "written. Next:",
        "  cd coabench-mood",
        "  pip install -e '.[dev]'",  # pytest comes with it
        "  pytest",
        "  coabench plugins check coabench-mood",
        "  coabench evaluate --strategy mood",
    ]
    readme = (tmp_path / "coabench-mood" / "README.md").read_text()
    assert "coabench evaluate --strategy mood" in readme
    assert "$" not in readme
    again = coabench("plugins", "new", "mood", "--kind", "metric")
    assert (again.returncode, "coabench-mood is there already" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("name", "kind", "message", "advised"),
    [
        ("Mood", "strategy", "cannot be the name of a package", "take mood, for instance"),
        ("mood_1", "strategy", "cannot be the name of a package", "take mood-1, for instance"),
        ("1-mood", "strategy", "cannot be the name of a package", "take mood, for instance"),
        ("../mood", "strategy", "cannot be the name of a package", "take mood, for instance"),
        ("mood--2", "strategy", "cannot be the name of a package", "take mood-2, for instance"),
        ("", "strategy", "cannot be the name of a package", "take mine, for instance"),
        ("\x1b[31m", "strategy", "cannot be the name of a package", "take m, for instance"),
        ("m" * (LONGEST + 1), "strategy", f"at most {LONGEST} characters", "m" * LONGEST),
        ("coabench-mood", "strategy", "already says coabench", "leave that out: mood"),
        ("mood", "stratagy", "there is no kind of plugin 'stratagy'", "did you mean 'strategy'?"),
        ("mood", "strategies", "there is no kind of plugin 'strategies'", "strategy"),
        ("direct", "strategy", "there is a strategy named 'direct' already", "choose another NAME"),
        ("evaluate", "command", "there is a command named 'evaluate' already", "choose another NAME"),
        ("synthface-basic", "dataset", "there is a dataset named 'synthface-basic' already", "choose another NAME"),
        ("auto", "detector", "there is a detector named 'auto' already", "choose another NAME"),
        ("tiny", "strategy", "a plugin 'tiny' is installed already", "uninstall it"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, name: str, kind: str, message: str, advised: str) -> None:
    with pytest.raises(UserError) as refused:
        write(name, kind, tmp_path)
    assert message in str(refused.value)
    assert advised in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_folders_that_cannot_be_written_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"nowhere is no folder(.|\n)*make it first"):
        write("mood", "strategy", tmp_path / "nowhere")
    (tmp_path / "coabench-mood").mkdir()
    with pytest.raises(UserError, match="is there already"):
        write("mood", "strategy", tmp_path)
    with pytest.raises(UserError, match=r"cannot be written|is no folder"):
        write("mood", "strategy", Path("/proc"))

    def full(self: Path, *given: object, **options: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UserError, match="No space left on device"):
        write("mud", "strategy", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["coabench-mood"]  # nothing half written
