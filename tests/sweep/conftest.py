"""Sheets, written into the test's folder."""

from pathlib import Path

import pytest
from support.sweeps import SHEET, Write


@pytest.fixture
def sheet(tmp_path: Path) -> Write:
    """Write a sheet; what is given further is appended."""

    def write(text: str = SHEET, further: str = "", name: str = "sheet.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text + further)
        return path

    return write
