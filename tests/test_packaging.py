"""What the wheel holds beside code."""

from pathlib import Path

import pytest
from support.process import ROOT

PACKAGES = ["coabench", *sorted(path.parent.name for path in (ROOT / "plugins").glob("*/__init__.py"))]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_says_that_its_packages_are_typed(wheel: Path, package: str) -> None:
    assert (wheel / package / "py.typed").is_file()
