"""The viewer of samples in a real browser: what keys alone can do, addresses that restore a view, and what is saved."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from support.browser import Open
from support.report_run import write_run
from support.viewer import N, confidence, opened, varied, waits_for_address

from coabench.reports.report import Report, report
from coabench.reports.thumbnails import Thumbnails

WANTED = "Sadly Angry"
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="
FORMULA = '=HYPERLINK("http://x","y")'


def name(sample: Any) -> str:
    return str(sample["id"]).removeprefix("toy/")


@pytest.fixture(scope="module")
def given() -> list[Any]:
    made = varied()
    made[0]["attributes"]["gender"] = FORMULA
    made[0]["turns"][0]["response"] = 'two "words", a comma'
    return made


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, given: list[Any]) -> Path:
    folder = tmp_path_factory.mktemp("viewer")
    run = write_run(folder / "run", given)
    images = Thumbnails({r["id"]: PIXEL for r in given[1:]}, {}, {"unreadable": 1})
    with patch("coabench.reports.report.thumbnails", return_value=images):
        html = report(Report(run, images=True, dataset="synthface-compound"))
    (folder / "run.html").write_text(html, encoding="utf-8")
    return folder / "run.html"


def test_the_most_confident_mistakes_of_a_label_are_found_by_keys_alone(
    browser_page: Open, file: Path, given: list[Any]
) -> None:
    mistakes = [r for r in given if r["target"] == WANTED and r["prediction"] != WANTED]
    wanted = [name(r) for r in sorted(mistakes, key=confidence, reverse=True)[:5]]
    page = browser_page(file)
    keys = page.keyboard
    keys.press("l")
    keys.type("Sadly A")
    keys.press("Escape")
    keys.press("o")
    keys.type("most")
    keys.press("Escape")
    found = []
    for _ in wanted:
        keys.press("j")
        found.append(opened(page))
    assert found == wanted
    assert page.evaluate("document.activeElement.matches('.toggle[aria-expanded=true]')")
    keys.press("k")
    assert opened(page) == wanted[3]
    keys.press("Escape")
    assert page.locator("#browser .details").count() == 0


def test_the_closest_decisions_come_first(browser_page: Open, file: Path) -> None:
    page = browser_page(file)
    page.get_by_label("Order").select_option(label="closest decisions first")
    confidences = page.locator("#browser td.number:nth-child(6)").all_inner_texts()
    numbers = [float(text.removesuffix(" %")) for text in confidences]
    assert numbers == sorted(
        numbers
    )  # every question is as sure as the other here: so the confidence goes with the margin
    assert "sort=closest" in page.url


def test_an_address_restores_filter_order_and_open_sample(browser_page: Open, file: Path, given: list[Any]) -> None:
    right = [r for r in given if r["target"] == WANTED and r["prediction"] == WANTED]
    last = min(right, key=confidence)
    page = browser_page(file, f"target=Sadly+Angry&status=right&sort=-confidence&open={last['id'].replace('/', '%2F')}")
    assert opened(page) == name(last)
    assert page.locator("#browser .bar").inner_text().endswith(f"Sample {len(right)} of {len(right)}, label {WANTED}")
    assert page.evaluate("document.querySelector('#browser .details').getBoundingClientRect().top < innerHeight")
    gone = browser_page(file, "target=Sadly+Fearful&open=toy%2Fface_001")
    assert gone.get_by_text("The sample toy/face_001 is not in this view.").is_visible()


def test_a_sample_of_a_later_page_is_opened_there(browser_page: Open, file: Path) -> None:
    page = browser_page(file, "open=toy%2Fface_111")
    assert opened(page) == "face_111"
    assert page.locator("#browser .pages").inner_text().endswith("101 to 120")
    page.keyboard.press("j")
    assert opened(page) == "face_112"


def test_back_and_forward_go_through_the_views(browser_page: Open, file: Path) -> None:
    page = browser_page(file)
    page.get_by_label("Label", exact=True).select_option(WANTED)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    first = opened(page)
    waits_for_address(page, "open=")
    page.keyboard.press("j")
    second = opened(page)
    waits_for_address(page, second)
    page.go_back()
    assert opened(page) == first
    page.go_back()
    assert page.locator("#browser .details").count() == 0
    assert page.get_by_label("Label", exact=True).input_value() == WANTED
    page.go_back()
    assert page.locator("#browser .count").inner_text() == f"{N} samples"
    for _ in range(3):
        page.go_forward()
    assert opened(page) == second


def test_the_image_is_enlarged_and_follows_the_sample(browser_page: Open, file: Path) -> None:
    page = browser_page(file)
    page.keyboard.press("z")
    dialog = page.locator("dialog.zoom")
    assert dialog.is_visible()
    assert "no image" in dialog.inner_text()
    page.keyboard.press("j")
    assert dialog.inner_text().startswith("toy/face_001 · label Sadly Angry · prediction Sadly Angry ✓")
    assert dialog.locator("img").evaluate("image => image.clientWidth") > 200
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert opened(page) == "face_001"
    page.locator("#browser .details button.pictures").click()
    assert dialog.is_visible()


def test_the_help_lists_the_keys_and_switches_them_off(browser_page: Open, file: Path) -> None:
    page = browser_page(file)
    page.keyboard.press("?")
    dialog = page.locator("dialog.keys")
    assert dialog.locator("dt").all_inner_texts() == ["j", "k", "z", "l", "o", "/", "c", "x", "Esc", "?"]
    dialog.get_by_label("Use these keys").press("Space")
    dialog.get_by_role("button", name="Close").press("Enter")
    page.keyboard.press("j")
    assert page.locator("#browser .details").count() == 0
    page.locator("nav.contents").get_by_role("button", name="Keys").click()
    dialog.get_by_label("Use these keys").press("Space")
    dialog.get_by_role("button", name="Close").press("Enter")
    page.locator("#browser .scroll").press("j")
    assert opened(page) == "face_000"
    page.keyboard.press("/")
    page.keyboard.type("jkz?")
    assert page.get_by_label("Search ids and responses").input_value() == "jkz?"


def test_the_view_is_saved_as_it_is_shown(browser_page: Open, file: Path, given: list[Any], tmp_path: Path) -> None:
    page = browser_page(file, "status=wrong&sort=mistakes")
    with page.expect_download() as download:
        page.keyboard.press("c")
    assert download.value.suggested_filename == "run-samples.csv"
    download.value.save_as(tmp_path / "view.csv")
    rows = list(csv.DictReader((tmp_path / "view.csv").open(encoding="utf-8", newline="")))
    wrong = sorted((r for r in given if r["prediction"] != r["target"]), key=confidence, reverse=True)
    assert [row["id"] for row in rows] == [r["id"] for r in wrong]
    assert [row["answer: secondary"] for row in rows] == [r["turns"][1]["label"] for r in wrong]
    assert float(rows[0]["confidence"]) == pytest.approx(confidence(wrong[0]), abs=1e-4)
    hostile = next(row for row in rows if row["id"] == "toy/face_000")
    assert hostile["gender"] == f"'{FORMULA}"
    assert hostile["response: primary"] == 'two "words", a comma'
    assert hostile["yaw"] == "0.0"
