"""What the wheel holds beside code, and how large the repository is."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from support.process import ROOT

PACKAGES = ["coabench", *sorted(path.parent.name for path in (ROOT / "plugins").glob("*/__init__.py"))]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_says_that_its_packages_are_typed(wheel: Path, package: str) -> None:
    assert (wheel / package / "py.typed").is_file()


@pytest.mark.skipif(
    not (ROOT / ".git").exists() or shutil.which("git") is None, reason="what is tracked is known in a clone alone"
)
def test_a_clone_stays_small() -> None:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    tracked = [ROOT / name for name in names.decode().split("\0") if name]
    assert sum(path.lstat().st_size for path in tracked if path.is_file()) < 40e6  # bytes


def test_the_dockerfile_installs_what_there_is_and_runs_as_nobody() -> None:
    """The image is not built here; hadolint, where it is installed, reads the file, too."""
    text = (ROOT / "Dockerfile").read_text()
    lines = [line for line in re.sub(r"\\\n", " ", text).splitlines() if line and not line.startswith("#")]
    instructions = [line.split(maxsplit=1) for line in lines]
    assert [name for name, _ in instructions[:3]] == ["ARG", "FROM", "ARG"]
    last = dict(instructions)
    assert int(last["USER"]) > 0
    assert json.loads(last["ENTRYPOINT"]) == ["/opt/coabench/bin/coabench"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (extra,) = re.findall(r"/coabench\[(\w+)\]", text)
    assert extra in project["project"]["optional-dependencies"]
    assert "coabench" in project["project"]["scripts"]
    left_out = (ROOT / ".dockerignore").read_text().split()
    for path in project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]:  # without, no wheel is built
        assert path.split("/")[0] not in left_out
        assert f"{path.split('/')[0]}/*" not in left_out or f"!{path}" in left_out
    if linter := shutil.which("hadolint"):
        subprocess.run([linter, ROOT / "Dockerfile"], check=True)
