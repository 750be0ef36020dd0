"""What the documentation says is true."""

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.process import ROOT, Run, install

from coabench import hookspecs

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_hook_is_documented_with_its_signature() -> None:
    guide = (ROOT / "docs" / "plugins.md").read_text()
    for name in dir(hookspecs):
        if name.startswith("coabench_"):
            arguments = ", ".join(inspect.signature(getattr(hookspecs, name)).parameters)
            assert f"`{name}({arguments})`" in guide


def test_the_plugin_of_the_guide_works(environment: dict[str, str], tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "plugins.md").read_text()
    project = tmp_path / "project"
    for name, code in re.findall(r"^`([\w./]+)`.*?\n\n?```\w+\n(.*?)```", guide, re.MULTILINE | re.DOTALL):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(code)
    install(project, tmp_path / "site")
    command = [sys.executable, "-m", "coabench", "evaluate", "--backbone", "scripted", "--dataset", "drawn"]
    command += ["--strategy", "valence-first", "--set", "noise=no", "--output", "out"]
    path = f"{tmp_path / 'site'}:{environment['PYTHONPATH']}"
    subprocess.run(command, cwd=tmp_path, env={**environment, "PYTHONPATH": path}, check=True, capture_output=True)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["invalid"] == 0


def test_the_prompt_file_of_the_guide_works(coabench: Run, tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "strategies.md").read_text()
    example = re.search(r"```yaml\n(.*?)```", guide, re.DOTALL)
    assert example
    (tmp_path / "mine.yaml").write_text(example[1])
    result = coabench("evaluate", "--backbone", "scripted", "--dataset", "drawn", "--strategy", "mine.yaml")
    assert result.returncode == 0, result.stderr
