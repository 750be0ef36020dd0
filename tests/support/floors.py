"""The oldest releases that pyproject.toml admits, as constraints for pip: ``python tests/support/floors.py``.

A floor of two numbers (``8.1``) stands for the last fix of that release, one of three for itself. torch is left to what
is pinned: its releases are gigabytes.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parent.parent.parent / "pyproject.toml"
EXTRAS = ("serve",)


def floors() -> list[str]:
    """Return a constraint for every dependency, and for those of `EXTRAS`."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    texts = [*project["dependencies"], *(text for name in EXTRAS for text in project["optional-dependencies"][name])]
    lines = []
    for requirement in map(Requirement, texts):
        version = next(each.version for each in requirement.specifier if each.operator == ">=")
        exact = version if version.count(".") >= 2 else f"{version}.*"
        if requirement.name != "torch":
            lines.append(f"{requirement.name}=={exact}" + (f"; {requirement.marker}" if requirement.marker else ""))
    return lines


if __name__ == "__main__":
    print("\n".join(floors()))
