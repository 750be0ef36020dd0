"""The documentation as a site: it builds without warnings, and its search finds what one looks for."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.process import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    options = ("--quiet", "--fail-on-warning", "--conf-dir", "docs/site", "--builder", "html")
    command = [sys.executable, "-m", "sphinx", *options, "--doctree-dir", f"{folder}-doctrees", ".", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.mark.slow
@pytest.mark.process
def test_it_builds_without_warnings_and_begins_at_the_index(site: Path) -> None:
    assert "docs/index.html" in (site / "index.html").read_text()
    commands = (site / "docs" / "reference" / "commands.html").read_text()
    assert all(text in commands for text in ("coabench evaluate", "--strategy", "[default: chain-of-affect]"))
    functions = (site / "docs" / "reference" / "api.html").read_text()
    assert 'id="coabench.evaluate"' in functions
    pages = "".join(page.read_text() for page in site.glob("docs/**/*.html"))
    assert 'src="http' not in pages, "a page loads nothing from elsewhere"
    assert 'rel="stylesheet" href="http' not in pages


@pytest.mark.slow
@pytest.mark.process
def test_the_search_finds_terms(site: Path, browser: Any) -> None:
    page = browser.new_page()
    for term in ("UAR", "resume", "webcam", "FERPlus"):
        page.goto(f"{(site / 'search.html').as_uri()}?q={term}")
        page.wait_for_selector("ul.search li a")
        assert page.locator("ul.search li a").count() > 2, term
    page.close()
