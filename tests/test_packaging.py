"""What the wheel holds beside code, and how large the repository is."""

import shutil
import subprocess
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
