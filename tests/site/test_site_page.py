"""A folder of runs as a site, in a real browser: it follows the folder, and two runs are compared."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.browser import serious
from support.report_run import records, write_run
from support.sites import site

for package in ("starlette", "uvicorn"):
    pytest.importorskip(package)

Open = Callable[..., Any]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    for name, n, speed in (("slow", 90, 1.0), ("fast", 60, 40.0), ("middle", 75, 8.0)):
        lost = records(90)[n:]
        wrong = [{**record, "prediction": None, "status": "invalid", "reason": "repeated"} for record in lost]
        write_run(folder / name, [*records(n), *wrong], images_per_second=speed)
    return folder


@pytest.fixture
def open_site(root: Path, browser: Any) -> Iterator[Open]:
    """Open the site; in the end no page may have said anything, or asked another server for anything."""
    contexts, said, asked = [], [], []

    def open_page(url: str, width: int = 1200, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 844}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(url)
        return page

    with site(root) as url:
        yield lambda path="", **options: open_page(url + path, **options)
        for context in contexts:
            context.close()
    assert said == []
    assert [each for each in asked if not each.startswith((url, "data:"))] == []


def runs(page: Any) -> list[str]:
    """The runs of the leaderboard that are visible, in order."""
    return [text.strip() for text in page.locator("table").first.locator("tbody tr:visible td a").all_inner_texts()]


def shows(page: Any, wanted: list[str]) -> None:
    """Wait until the leaderboard shows these runs."""
    look = """(wanted) => {
        const links = [...document.querySelector("table").querySelectorAll("tbody tr:not(.filtered-out) td a")];
        return JSON.stringify(links.map((link) => link.textContent)) === JSON.stringify(wanted);
    }"""
    page.wait_for_function(look, arg=wanted)


def test_a_row_leads_to_its_report_and_back_to_what_was_shown(open_site: Open) -> None:
    page = open_site()
    assert runs(page) == ["slow", "middle", "fast"]
    page.get_by_role("button", name="img/s").click()
    page.get_by_label("Search").first.fill("chain")
    shows(page, ["fast", "middle", "slow"])
    page.wait_for_function("location.hash.includes('chain')")
    shared = page.url
    page.get_by_role("link", name="middle").click()
    page.get_by_role("heading", level=1, name="middle").wait_for()
    page.go_back()
    shows(page, ["fast", "middle", "slow"])
    page.get_by_role("link", name="middle").click()
    page.get_by_role("link", name="← results").click()
    shows(page, ["fast", "middle", "slow"])
    assert page.get_by_label("Search").first.input_value() == "chain"
    page.go_back()
    page.goto("about:blank")
    page.goto(shared)
    shows(page, ["fast", "middle", "slow"])


def test_what_is_new_appears_without_loading_the_page_again(root: Path, open_site: Open) -> None:
    page = open_site()
    page.evaluate("window.same = true")
    page.get_by_role("button", name="img/s").click()
    page.get_by_label("Compare fast").check()
    page.get_by_label("Search").first.focus()
    running = write_run(root / "new", records(30), status="running", samples=90, metrics=False, images_per_second=100.0)
    page.get_by_text("30 of 90 samples").wait_for()
    with (running / "predictions.jsonl").open("a") as log:
        log.write("".join(json.dumps(record) + "\n" for record in records(90)[30:]))
    page.get_by_text("90 of 90 samples").wait_for()
    manifest = json.loads((running / "run.json").read_text())
    (running / "run.json").write_text(json.dumps({**manifest, "status": "complete"}))
    shows(page, ["new", "fast", "middle", "slow"])
    assert page.get_by_text("In progress").count() == 0
    assert page.get_by_label("Compare fast").is_checked()
    assert page.evaluate("document.activeElement.type") == "search"
    shutil.rmtree(root / "fast")
    shows(page, ["new", "middle", "slow"])
    assert page.locator("#compare").is_hidden()
    assert page.evaluate("window.same") is True


def test_two_runs_that_are_ticked_are_compared(open_site: Open) -> None:
    page = open_site()
    for name in ("slow", "middle", "fast"):
        page.get_by_label(f"Compare {name}").check()
    assert not page.get_by_label("Compare slow").is_checked()
    assert page.locator("#chosen").inner_text() == "middle against fast"
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("link", name="← results").wait_for()
    assert "compare.html?a=middle.html&b=fast.html" in page.url
    assert "middle" in page.locator("main").inner_text()


def test_runs_that_are_not_ranked_can_be_compared_too(root: Path, open_site: Open) -> None:
    for name in ("fast", "slow"):
        manifest = json.loads((root / name / "run.json").read_text())
        manifest["identity"]["dataset"]["limit"] = 90
        (root / name / "run.json").write_text(json.dumps(manifest))
    page = open_site()
    for name in ("slow", "fast"):
        page.locator("#not-ranked, .part[data-name=not-ranked]").first.get_by_label(f"Compare {name}").check()
    page.get_by_role("button", name="Compare", exact=True).click()
    page.get_by_role("link", name="← results").wait_for()
    assert "slow against fast" in page.locator("h1").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_shows_rank_run_and_uar_and_says_that_there_is_more(
    root: Path, open_site: Open, scheme: str
) -> None:
    write_run(root / "a-very-long-name-of-a-run-without-a-blank-in-it" / "and-another", records(90))
    write_run(root / "running", records(30), status="running", samples=90, metrics=False)
    page = open_site(width=390, color_scheme=scheme)
    overflow = "document.documentElement.scrollWidth - innerWidth"
    assert page.evaluate(overflow) <= 0
    headings = page.locator("thead").first.locator("th")
    assert [text.strip() for text in headings.all_inner_texts()[:3]] == ["Rank", "Run", "UAR"]
    value = page.locator("tbody tr").first.locator("td").nth(2).bounding_box()
    assert value["x"] + value["width"] <= 390
    table = page.locator(".scroll").first
    hint = page.locator(".scroll").first.locator("xpath=preceding-sibling::p[1]")
    assert hint.is_visible()
    table.evaluate("(box) => { box.scrollLeft = box.scrollWidth; }")
    hint.wait_for(state="hidden")
    dates = page.locator("tbody td.nowrap", has_text="2026-01-02").all()
    assert dates
    lines = "(cell) => { const all = new Range(); all.selectNodeContents(cell); return all.getClientRects().length; }"
    assert {date.evaluate(lines) for date in dates} == {1}
    page.get_by_role("link", name="slow").click()
    assert page.evaluate(overflow) <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(root: Path, open_site: Open, scheme: str) -> None:
    write_run(root / "running", records(30), status="running", samples=90, metrics=False)
    page = open_site(width=390, color_scheme=scheme, bypass_csp=True)
    page.get_by_label("Compare fast").check()
    assert serious(page) == []


def test_the_page_says_when_the_server_is_gone(root: Path, browser: Any) -> None:
    with site(root) as url:
        page = browser.new_page()
        page.goto(url)
    page.get_by_text("The server does not answer").wait_for()
    assert runs(page) == ["slow", "middle", "fast"]
    page.close()
