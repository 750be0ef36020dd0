"""Installing with pip and running ``coabench``, as tests do it."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
SCRIPTED = ROOT / "tests" / "support" / "scripted"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def install(project: Path | Sequence[Path], target: Path) -> None:
    """Install a project, or several at once, with pip into a folder, without the network."""
    projects = [project] if isinstance(project, Path) else project
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    command += ["--disable-pip-version-check", "--target", str(target), *map(str, projects)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
