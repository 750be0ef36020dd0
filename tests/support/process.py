"""Installing with pip, starting ``coabench`` in processes of its own and waiting for them, as tests do it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


def process_environment(*paths: Path | str, **variables: str) -> dict[str, str]:
    """Return the environment of a process that sees what is installed in *paths*."""
    path = [*map(str, paths), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), "COLUMNS": "160", **variables}


@contextmanager
def interruptible() -> Iterator[None]:
    """Let the signals that ask to end do so in this process and in those that are started meanwhile.

    A shell starts what it sends to the background (``&``, nohup) with SIGINT or SIGHUP ignored, and processes inherit
    that.
    """
    usual = {"SIGINT": signal.default_int_handler, "SIGTERM": signal.SIG_DFL, "SIGHUP": signal.SIG_DFL}
    numbers = {getattr(signal, name): handler for name, handler in usual.items() if hasattr(signal, name)}
    before = {number: signal.signal(number, handler) for number, handler in numbers.items()}
    try:
        yield  # handlers do not survive exec: the defaults do
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def start(folder: Path, environment: Mapping[str, str], *arguments: object, **options: Any) -> "subprocess.Popen[str]":
    """Start ``coabench`` in a process of its own, which SIGINT interrupts; *options* are those of ``Popen``."""
    command = [sys.executable, "-m", "coabench", *map(str, arguments)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    with interruptible():
        return subprocess.Popen(command, cwd=folder, env=dict(environment), **options)


def wait_for(condition: Callable[[], Any], process: "subprocess.Popen[Any] | None" = None, seconds: float = 120) -> Any:
    """Return what the condition returns, as soon as that is true.

    Fail where *process* ends before, or after a time that is long on any machine.
    """
    until = time.monotonic() + seconds
    while True:
        ended = process is not None and process.poll() is not None
        if found := condition():
            return found
        assert not ended, "the process ended before it happened"
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.005)
