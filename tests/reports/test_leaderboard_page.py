"""The leaderboard as a page, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.browser import Open
from support.leaderboard_run import write_run
from support.process import wait_for

from coabench.cli.leaderboard import command

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture
def board(tmp_path: Path) -> Path:
    root, file = tmp_path / "results", tmp_path / "leaderboard.html"
    for name, hits, speed in (("mid", 20, 5.0), ("best", 33, 1.0), ("low", 3, 100.0)):
        write_run(root / name, hits, images_per_second=speed, strategy=f"strategy-{name}")
    write_run(root / "evil", 12, strategy=EVIL, backbone={"name": EVIL, "model": EVIL, "adapter": EVIL})
    write_run(root / "failed", 12, status="failed", reason=EVIL)
    result = CliRunner().invoke(command, [str(root), "--format", "html", "--output", str(file)])
    assert result.exit_code == 0, result.exception
    return file


def shown(page: Any, column: int) -> list[str]:
    """The texts of a column of the first table, as far as they are visible."""
    cells = page.locator("table").first.locator(f"tbody tr:visible td:nth-child({column})")
    return [text.strip() for text in cells.all_inner_texts()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_sorts_filters_and_asks_no_network(board: Path, browser_page: Open, scheme: str) -> None:
    page = browser_page(board, color_scheme=scheme)
    assert shown(page, 2) == ["best", "mid", "evil", "low"]
    page.get_by_role("button", name="img/s").click()
    wait_for(lambda: shown(page, 2)[0] == "low", seconds=20)
    page.get_by_role("button", name="img/s").click()
    wait_for(lambda: shown(page, 2)[0] == "best", seconds=20)
    page.get_by_label("Search").first.fill("strategy-mid")
    assert shown(page, 2) == ["mid"]
    page.get_by_label("Search").first.fill("")
    page.get_by_label("Strategy").select_option("strategy-low, generate")
    assert shown(page, 2) == ["low"]


def test_text_of_models_stays_text(board: Path, browser_page: Open) -> None:
    page = browser_page(board)
    assert page.get_by_text("<script>alert(1)</script>").count() >= 2
    assert page.locator("img, script:not(:is(head script))").count() == 0


def test_plot_has_a_point_and_an_interval_for_each_run(board: Path, browser_page: Open) -> None:
    page = browser_page(board)
    points = page.locator(".chart svg").first.locator("g title").all_text_contents()
    assert len(points) == 4
    assert any(point.startswith("best: 82.50 [") and point.endswith("at 1") for point in points)


def step(page: Any, steps: int, wanted: list[str]) -> None:
    """Go back or forward, from within: who asks the browser may ask before it knows of the last step."""
    page.evaluate(f"history.go({steps})")
    for _ in range(400):
        if shown(page, 2) == wanted:
            return
        page.wait_for_timeout(25)
    assert shown(page, 2) == wanted


def test_the_address_holds_what_is_shown_and_back_leads_to_what_was(board: Path, browser_page: Open) -> None:
    page = browser_page(board)
    page.get_by_role("button", name="img/s").click()
    page.get_by_label("Strategy").select_option("strategy-low, generate")
    shared = page.url.partition("#")[2]
    assert shown(page, 2) == ["low"]
    step(page, -1, ["low", "evil", "mid", "best"])
    step(page, -1, ["best", "mid", "evil", "low"])
    assert page.locator("th[aria-sort]").count() == 0
    step(page, 2, ["low"])
    other = browser_page(board, shared)
    assert shown(other, 2) == ["low"]
    assert other.get_by_label("Strategy").input_value() == "strategy-low, generate"
    gone = browser_page(board, f"{shared.replace('strategy-low', 'no-such')}&1.sort=nonsense")
    assert shown(gone, 2)[0] == "low"
