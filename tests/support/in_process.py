"""``coabench`` within the process of the tests: what a new interpreter would print, without starting one."""

from __future__ import annotations

import importlib
import io
import os
import subprocess
import sys
import tomllib
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import pytest

from coabench.cli import cli, main
from coabench.registry.commands import plugin_commands
from coabench.registry.loader import get_plugins

from .process import Run


def declare(project: Path, site: Path) -> list[str]:
    """Write what pip writes of an installed project into *site*; return what makes it visible on ``sys.path``."""
    data = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    folder = site / f"{data['name'].replace('-', '_')}-{data['version']}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {data['name']}\nVersion: {data['version']}\n")
    sections = [
        "\n".join([f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())])
        for group, entries in data["entry-points"].items()
    ]
    (folder / "entry_points.txt").write_text("\n\n".join(sections) + "\n")
    return [str(site), str(project)]


@contextmanager
def plugins_on(paths: list[str]) -> Iterator[None]:
    """Load the plugins anew, those on *paths* too, as a new interpreter does; forget them again at the end."""
    path, modules = list(sys.path), set(sys.modules)
    sys.path[:0] = paths
    importlib.invalidate_caches()
    _forget_plugins()
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file and any(Path(file).is_relative_to(folder) for folder in paths):
                del sys.modules[name]
        _forget_plugins()


def _forget_plugins() -> None:
    get_plugins.cache_clear()
    plugin_commands.cache_clear()
    cli.commands.clear()
    cli.plugin_commands_added = False


def in_process(folder: Path, paths: list[str], environment: dict[str, str]) -> Run:
    """Return what runs ``coabench`` in a folder and returns its exit code, stdout and stderr, as ``subprocess`` does.

    *paths* and those of a variable ``PYTHONPATH`` are on the path, also of the processes that it starts.
    """

    def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        more = [*filter(None, variables.pop("PYTHONPATH", "").split(os.pathsep)), *paths]
        variables["PYTHONPATH"] = os.pathsep.join([*more, os.environ.get("PYTHONPATH", "")])
        with plugins_on(more):
            return command(folder, arguments, {**environment, **variables})

    return run


def command(
    folder: Path, arguments: Sequence[object], variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run ``coabench`` in a folder, within this process and with the plugins that are loaded."""
    words = [str(argument) for argument in arguments]
    stdout, stderr = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(stdout), redirect_stderr(stderr):
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["coabench", *words])
        patch.setattr(sys, "stdin", io.StringIO())
        patch.setattr(os, "_exit", partial(_leave, os.getpid(), os._exit))
        for name, value in variables.items():
            patch.setenv(name, value)
        code = _exit_code()
    printed = [stream.buffer.getvalue().decode() for stream in (stdout, stderr)]
    return subprocess.CompletedProcess(["coabench", *words], code, *printed)


def _leave(tests: int, leave: Callable[[int], None], code: int) -> None:
    """End the command where it would end the process of the *tests*; a child that was forked ends as it means to."""
    if os.getpid() == tests:
        sys.exit(code)
    leave(code)


def _exit_code() -> int:
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    except Exception:  # what --debug asks for
        traceback.print_exc()
        return 1
