"""The line about releases that are newer than was tested."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from typing import Any

import pytest
from support.process import ROOT, Run

from coabench.base import requirements


@pytest.fixture(autouse=True)
def checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read pyproject.toml, not what was installed of it."""

    def absent(_: str) -> Any:
        raise requirements.PackageNotFoundError

    monkeypatch.setattr(requirements, "metadata", absent)


def newer(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    """Let some packages be installed in other versions than they are."""
    monkeypatch.setattr(requirements, "version", lambda name: versions.get(name) or version(name))


def test_it_is_said_once_for_each_set_of_versions(
    coabench: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    def said() -> str | None:
        command = ("evaluate", "--backbone", "nobody", "--output", tmp_path / "run")  # is refused after the line
        line = re.search("newer than was tested: (.*?);", coabench(*command).stderr)
        return line and line[1]

    assert said() is None
    newer(monkeypatch, transformers="99.1.0", peft="98.0.0")
    transformers, peft = (requirements_of(name) for name in ("transformers", "peft"))
    assert said() == f"peft 98.0.0 (tested: {peft}), transformers 99.1.0 (tested: {transformers})"
    assert said() is None
    newer(monkeypatch, transformers="99.2.0")
    assert said() == f"transformers 99.2.0 (tested: {transformers})"


def requirements_of(name: str) -> str | None:
    return next(p.tested for p in requirements.declared().packages if p.name == name)


def test_a_fix_is_not_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    tested = requirements_of("transformers")
    assert tested is not None
    newer(monkeypatch, transformers=f"{'.'.join(tested.split('.')[:2])}.99")
    assert requirements.newer_than_tested() == []


def test_every_dependency_has_a_floor_and_a_tested_release() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    floors = [re.match(r"([\w.-]+)>=", text) for text in project["dependencies"]]
    tested = [re.match(r"([\w.-]+)==", text) for text in project["optional-dependencies"]["tested"]]
    assert [floor and floor[1] for floor in floors] == [pin and pin[1] for pin in tested]
