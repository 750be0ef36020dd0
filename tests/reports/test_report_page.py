"""The report in a real browser. `browser_page` checks that nothing is said, raised or fetched."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support.browser import Open
from support.report_run import EVIL, NAMES, VISIBLE, records, write_run

from coabench.render.page import render_page
from coabench.reports.report import Report, report

N = 180
"""Three pages of the browser of samples, and a bit."""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    given = records(N, sure=0.9)
    given[5]["turns"][0]["response"] = EVIL
    given[5]["attributes"]["gender"] = EVIL
    given[6]["id"] = f"toy/{EVIL}"
    file = folder / "run.html"
    file.write_text(report(Report(write_run(folder / "run", given, notes=[EVIL]))), encoding="utf-8")
    return file


def count(page: Any) -> str:
    text: str = page.locator("#browser .count").inner_text()
    return text


def waits_for(page: Any, found: int) -> None:
    """Wait until so many samples are found: the search waits until typing is over."""
    from playwright.sync_api import expect  # where it is absent no test gets here

    expect(page.locator("#browser .count")).to_have_text(f"{found} of {N} samples")


def column(page: Any, number: int, table: str = "#browser table") -> list[str]:
    texts: list[str] = page.locator(f"{table} > tbody > tr > :nth-child({number})").all_inner_texts()
    return [text.strip() for text in texts]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_schemes_render(browser_page: Open, file: Path, scheme: str) -> None:
    page = browser_page(file, color_scheme=scheme)
    colours = page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    assert colours == (
        ["rgb(255, 255, 255)", "rgb(27, 28, 30)"] if scheme == "light" else ["rgb(23, 24, 27)", "rgb(232, 231, 227)"]
    )
    other = "Light" if scheme == "dark" else "Dark"
    page.get_by_role("button", name=other, exact=True).click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != colours[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_what_lies_behind(browser_page: Open, file: Path, scheme: str) -> None:
    """WCAG 2.2, 1.4.3: a contrast of at least 4.5."""
    page = browser_page(file, color_scheme=scheme)
    page.locator("#browser .toggle").first.click()
    weak = page.evaluate(
        """() => {
          const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
          const luminance = (colour) => {
            paint.fillStyle = colour;
            paint.fillRect(0, 0, 1, 1);
            const [r, g, b] = [...paint.getImageData(0, 0, 1, 1).data].map((v) => v / 255)
              .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const behind = (element) => {
            for (let e = element; e; e = e.parentElement) {
              const colour = getComputedStyle(e).backgroundColor;
              if (colour !== "rgba(0, 0, 0, 0)") return colour;
            }
            return "white";
          };
          const found = [];
          for (const e of document.querySelectorAll("body *")) {
            const drawn = e.closest("svg");
            const texts = [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent.trim());
            if (!texts || (drawn && e.tagName !== "text") || !e.getClientRects().length) continue;
            const style = getComputedStyle(e);
            const [a, b] = [luminance(drawn ? style.fill : style.color), luminance(behind(e))];
            const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            if (contrast < 4.5) found.push([e.textContent.trim().slice(0, 30), contrast]);
          }
          return found;
        }"""
    )
    assert weak == []


def test_nothing_sticks_out_on_a_phone(browser_page: Open, file: Path) -> None:
    page = browser_page(file)
    page.set_viewport_size({"width": 390, "height": 800})
    page.locator("#browser .toggle").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_tables_sort_by_click_and_by_key(browser_page: Open, file: Path) -> None:
    page = browser_page(file)
    table = "#classes table"
    names = column(page, 1, table)
    heading = page.locator(f"{table} th", has_text="Recall").first
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    recalls = [float(text) for text in column(page, 4, table)]
    assert recalls == sorted(recalls, reverse=True)
    heading.locator("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert [float(text) for text in column(page, 4, table)] == sorted(recalls)
    first = page.locator(f"{table} th", has_text="Class").first
    first.locator("button").press("Space")
    assert heading.get_attribute("aria-sort") is None
    assert column(page, 1, table) == sorted(names)


def test_filters(browser_page: Open, file: Path) -> None:
    page = browser_page(file)
    assert count(page) == f"{N} samples"
    page.get_by_label("Label", exact=True).select_option(NAMES[1])
    assert count(page) == f"60 of {N} samples"
    assert set(column(page, 2)) == {NAMES[1]}
    page.get_by_label("Prediction", exact=True).select_option("INVALID")
    assert set(column(page, 3)) == {"INVALID"}
    page.get_by_label("Prediction", exact=True).select_option("")
    page.get_by_label("Result", exact=True).select_option("wrong")
    assert count(page) == f"6 of {N} samples"
    assert "target=Sadly+Angry&status=wrong" in page.url
    page.get_by_role("button", name="Show all").click()
    assert count(page) == f"{N} samples"
    page.get_by_label("Reason").select_option("repeated")
    assert count(page) == f"18 of {N} samples"
    page.get_by_role("button", name="Show all").click()
    page.get_by_label("Group").select_option("gender: female")
    assert count(page) == f"90 of {N} samples"


def test_text_search_looks_at_ids_and_responses(browser_page: Open, file: Path) -> None:
    page = browser_page(file)
    search = page.get_by_label("Search ids and responses")
    search.fill("FACE_01")
    waits_for(page, 10)
    search.fill("mumble")
    waits_for(page, 18)
    assert set(column(page, 3)) == {"INVALID"}
    assert page.url.endswith("#q=mumble")


def test_a_view_can_be_linked(browser_page: Open, file: Path) -> None:
    page = browser_page(file, "target=Sadly+Angry&status=invalid&sort=-id")
    assert count(page) == f"12 of {N} samples"
    assert page.get_by_label("Label", exact=True).input_value() == NAMES[1]
    ids = column(page, 1)
    assert ids == sorted(ids, reverse=True)
    assert page.locator("#browser th[aria-sort=descending]").inner_text().startswith("Sample")
    page.evaluate("location.hash = 'target=Nonsense&primary=Sadness&secondary=Fear'")
    waits_for(page, 48)
    page.evaluate("location.hash = 'classes'")  # a section, not a view: the filters stay
    assert count(page) == f"48 of {N} samples"


def test_a_confusion_leads_to_its_samples(browser_page: Open, file: Path) -> None:
    page = browser_page(file)
    page.locator("#confusions a", has_text="6").first.click()
    page.wait_for_url(re.compile("target="))
    assert count(page) == f"6 of {N} samples"
    assert {*column(page, 2)} == {NAMES[0]}
    assert page.evaluate("document.querySelector('#browser').getBoundingClientRect().top < innerHeight")
    page.locator("#chain a").first.click()
    page.wait_for_url(re.compile("reason=repeated"))
    assert count(page) == f"18 of {N} samples"


def test_pages(browser_page: Open, file: Path) -> None:
    page = browser_page(file)
    back, on = page.get_by_role("button", name="Previous"), page.get_by_role("button", name="Next")
    first = column(page, 1)
    assert len(first) == 50
    assert back.is_disabled()
    for _ in range(3):
        on.click()
    assert on.is_disabled()
    assert column(page, 1)[-1] == f"face_{N - 1:03}"
    assert page.locator("#browser .pages").inner_text().endswith(f"151 to {N}")
    assert page.url.endswith("#page=4")
    for _ in range(3):
        back.click()
    assert column(page, 1) == first


def test_the_browser_sorts(browser_page: Open, file: Path) -> None:
    page = browser_page(file)
    heading = page.locator("#browser th", has_text="Seconds")
    heading.locator("button").click()
    heading.locator("button").press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert column(page, 1)[0] == f"face_{N - 1:03}"


def test_a_sample_opens_to_what_was_asked_and_answered(browser_page: Open, file: Path) -> None:
    page = browser_page(file)
    toggle = page.locator("#browser .toggle").first
    toggle.press("Enter")
    assert toggle.get_attribute("aria-expanded") == "true"
    text = page.locator("#browser tr.details").inner_text()
    for words in ("Which primary emotion?\nChoose one.", "Happiness", "(exact)", "90.0 %", "gender", "female",
                  "50 in the prompt, 10 of them cached, 2 generated", "toy/face_000"):  # fmt: skip
        assert words in text
    bars = page.evaluate("[...document.querySelectorAll('#browser .fill')].slice(0, 6).map((e) => e.style.width)")
    assert sorted(bars)[-1] == "90%"
    toggle.press("Enter")
    assert page.locator("#browser tr.details").count() == 0


def test_hostile_text_is_text(browser_page: Open, file: Path) -> None:
    page = browser_page(file)
    toggle = page.locator("#browser .toggle").nth(5)
    toggle.click()
    assert page.locator("#browser .response").first.inner_text() == VISIBLE
    assert page.locator("#browser .toggle").nth(6).inner_text() == VISIBLE
    assert VISIBLE in page.locator(".banner").inner_text()
    assert page.locator("img").count() == 0


def test_paper_has_no_controls(browser_page: Open, file: Path) -> None:
    page = browser_page(file, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
    for hidden in ("#theme", "#browser", "nav.contents"):
        assert not page.locator(hidden).is_visible()
    assert page.locator("#classes table").is_visible()


def test_the_page_can_be_read_without_scripts(browser_page: Open, file: Path) -> None:
    page = browser_page(file, java_script_enabled=False)
    assert page.locator("#classes table").is_visible()
    assert page.get_by_text("Looking through the samples needs JavaScript").is_visible()
    assert not page.locator("#theme").is_visible()


def test_tables_of_any_page_can_be_filtered(browser_page: Open, tmp_path: Path) -> None:
    (tmp_path / "list.html").write_text(
        """{% extends "base.html" %}{% block main %}<table data-sortable data-filterable><thead><tr>
        <th scope="col">Name</th><th scope="col" data-choices>Kind</th><th scope="col">Figure</th></tr></thead><tbody>
        {% for name, kind, figure in rows %}<tr><th scope="row">{{ name }}</th><td>{{ kind }}</td>
        <td data-value="{{ figure }}">{{ figure }} %</td></tr>{% endfor %}</tbody></table>{% endblock %}"""
    )
    rows = [("one", "a", 9), ("two", "b", 10), ("three", "a", ""), (EVIL, "b", 8)]
    (tmp_path / "out.html").write_text(render_page(tmp_path / "list.html", rows=rows), encoding="utf-8")
    page = browser_page(tmp_path / "out.html")
    shown = page.locator("tbody tr:visible th")
    figures = page.locator("td[data-value]").first
    assert figures.evaluate("cell => getComputedStyle(cell).whiteSpace") == "nowrap"  # no figure breaks inside
    assert page.locator(".count").inner_text() == "4 rows"
    page.get_by_label("Kind").select_option("a")
    assert shown.all_inner_texts() == ["one", "three"]
    assert page.locator(".count").inner_text() == "2 of 4 rows"
    page.get_by_label("Kind").select_option("")
    page.get_by_label("Search").fill("ALERT")
    assert shown.all_inner_texts() == [VISIBLE]
    page.get_by_label("Search").fill("")
    page.get_by_role("button", name="Figure").click()
    assert shown.all_inner_texts() == ["two", "one", VISIBLE, "three"]  # no figure stands last
    page.get_by_role("button", name="Figure").click()
    assert shown.all_inner_texts() == [VISIBLE, "one", "two", "three"]
