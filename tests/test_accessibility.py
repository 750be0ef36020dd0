"""Every page that the bench makes, by axe-core: it finds nothing serious. The live page's is with its own tests."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from support.browser import serious
from support.in_process import command
from support.session_log import answer, write_log

ANSWERERS = {"A": ("Happily Surprised", None), "B": ("Happily Surprised", "Sadly Surprised")}
ADAPTER = Path(__file__).parent / "support" / "written_by_0_1_0" / "adapters" / "rank-1"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One page of every kind, of small runs of the tiny model."""
    folder = tmp_path_factory.mktemp("pages")

    def run(*words: Any) -> None:
        done = command(folder, words, {})
        assert done.returncode == 0, done.stderr

    evaluate = ("evaluate", "--limit", 11, "--decode", "score", "--output")
    run(*evaluate, "runs/a")
    run(*evaluate, "runs/b", "--strategy", "direct")
    run("report", "runs/a", "--output", "report.html")
    run("explain", "runs/a", "--samples", "all:1", "--question", "primary", "--window", 0.5, "--output", "explain.html")
    run("compare", "runs/a", "runs/b", "--format", "html", "--output", "compare.html")
    run("leaderboard", "runs", "--format", "html", "--output", "leaderboard.html")
    asked = [(n, name, labels[n % 3 == 0]) for n in range(20) for name, labels in ANSWERERS.items()]
    lines = [answer(n / 10, 1, label, answerer=name) for n, name, label in asked]
    gap = {"kind": "gap", "time": 2.0, "seconds": 3.0, "why": "paused"}
    write_log(folder / "log.jsonl", [*lines, gap])
    run("replay-live", "log.jsonl", "--output", "replay.html")
    run("report", shutil.copytree(ADAPTER, folder / "adapter"), "--output", "training.html")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["report", "explain", "compare", "leaderboard", "training", "replay"])
def test_axe_finds_nothing_serious(browser: Any, pages: Path, name: str) -> None:
    """On a phone, where most scrolls; then the colours of the dark scheme."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="light", bypass_csp=True)
    try:
        page = context.new_page()
        page.goto((pages / f"{name}.html").as_uri())
        assert serious(page) == []
        page.emulate_media(color_scheme="dark")
        assert name == "report" or serious(page, "color-contrast") == []
    finally:
        context.close()
