"""examples/paper makes a paper, by the commands of the tutorial."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.in_process import command
from support.process import ROOT

EXAMPLE = ROOT / "examples" / "paper"
TUTORIAL = (ROOT / "docs" / "tutorials" / "paper-table.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TUTORIAL, re.DOTALL)


def typed(line: str) -> list[str]:
    """Return the words of a command, but for the limit and where the conditions are."""
    words = shlex.split(line.removeprefix("$ ").removeprefix("coabench "))
    for option in ("--limit", "--suite"):
        if option in words:
            at = words.index(option)
            del words[at : at + 2]
    return words


@pytest.mark.slow
@pytest.mark.process
def test_the_example_makes_a_paper_by_the_commands_of_the_tutorial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "short.yaml").write_text("schema: 1\nconditions:\n  - {transform: blur, severities: [1, 3]}\n")
    usual = subprocess.run

    def run(words: Any, **options: Any) -> Any:
        """Run a command of coabench here: each process of its own would take seconds to begin."""
        if words[:3] != [sys.executable, "-m", "coabench"]:
            return usual(words, **options)
        result = command(tmp_path, words[3:], {})
        assert result.returncode == 0, result.stderr
        return result

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(sys, "argv", ["paper.py", "--limit", "11", "--suite", "short.yaml"])
    runpy.run_path(str(EXAMPLE / "paper.py"), run_name="__main__")

    ran = [typed(line) for line in capsys.readouterr().out.splitlines() if line.startswith("$ ")]
    assert ran == [typed(line) for block in blocks("sh") for line in block.splitlines()]
    paper = tmp_path / "paper"
    for name in ("reliability", "confusion", "severity"):
        assert (paper / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        (paper / f"{name}.pdf").unlink()
    (code,) = blocks("python")
    exec(compile(code, "docs/tutorials/paper-table.md", "exec"), {})
    assert len(list(paper.glob("*.pdf"))) == 3
    appendix = (paper / "appendix.tex").read_text()
    assert "Training: recipe" in appendix  # of the adapters that ship, which the runs used
    if shutil.which("pdflatex"):
        line = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "paper.tex"]
        done = usual(line, cwd=paper, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:]
        assert "Overfull" not in done.stdout


def test_the_conditions_of_the_tutorial_are_those_of_the_example() -> None:
    sheet = (EXAMPLE / "blur.yaml").read_text()
    assert sheet.partition("\n")[2] == blocks("yaml")[0]
