"""The notebook in examples/ runs, and is in the repository without what a run leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from support.process import ROOT

pytestmark = pytest.mark.slow

NOTEBOOK = ROOT / "examples" / "first-steps.ipynb"


@pytest.fixture
def quiet_jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep Jupyter out of the user's folders, and models and the hub offline."""
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def printed(cell: Any) -> str:
    """Return what a cell shows as text."""
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.get("outputs", ())]
    return "".join(texts)


def test_it_is_clean() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)


@pytest.mark.usefixtures("quiet_jupyter")
def test_it_runs_from_top_to_bottom(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    desk = tmp_path / "desk"
    desk.mkdir()
    NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(desk)}}).execute()
    shown = [printed(cell) for cell in notebook.cells if cell.cell_type == "code"]
    assert "<run results/first-steps/chain: 110 samples" in shown[0]
    assert "loading the backbone" in shown[0]
    pages = [
        output["data"]["text/html"] for output in notebook.cells[1].outputs if "text/html" in output.get("data", {})
    ]
    assert any('<progress value="110" max="110">' in page and "110/110  UAR" in page for page in pages)
    assert "Recall of each label" in pages[-1]
    assert "ipywidgets" not in "".join(shown)
    assert "prediction" in shown[2]
    assert any("image/png" in o.get("data", {}) for cell in notebook.cells for o in cell.get("outputs", ()))
    assert "points of UAR" in shown[-1]
    assert (desk / "results" / "first-steps" / "brief" / "metrics.json").is_file()
    links = [part.split(")")[0] for cell in notebook.cells for part in cell.source.split("](")[1:]]
    assert links
    assert all((NOTEBOOK.parent / link).exists() for link in links)
