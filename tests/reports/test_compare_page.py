"""The page of two runs: what stands in it, and what can be done with it in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result
from support.browser import Open
from support.page_texts import Texts
from support.report_run import EVIL, NAMES, VISIBLE, write_run
from support.viewer import N, opened, varied, waits_for_address

from coabench.cli.compare import command
from coabench.errors import UserError
from coabench.reports.compare import compare
from coabench.reports.compare_page import ComparisonPage, comparison_page
from coabench.reports.thumbnails import Thumbnails


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("compare")
    return write_run(folder / "a", varied(N, wrong=4)), write_run(folder / "b", varied(N, wrong=6)[::-1])


@pytest.fixture(scope="module")
def file(runs: tuple[Path, Path]) -> Path:
    file = runs[0].parent / "page.html"
    file.write_text(comparison_page(ComparisonPage(*runs)), encoding="utf-8")
    return file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments])


def refused(*arguments: object) -> str:
    error = run(*arguments).exception
    assert isinstance(error, UserError), error
    return str(error)


# ---- what stands in it ----


def test_both_answers_to_every_sample_are_in_the_page(file: Path) -> None:
    data = Texts(file.read_text(encoding="utf-8")).data["samples-data"]
    assert [r["name"] for r in data["runs"]] == ["a", "b"]
    assert data["id"] == [r["id"] for r in varied()]
    for own, wrong in zip(data["runs"], (4, 6), strict=True):
        assert [data["strings"][p] for p in own["prediction"]] == [r["prediction"] for r in varied(wrong=wrong)]


def test_differences_are_shown_by_class_and_by_group_with_what_was_corrected(
    runs: tuple[Path, Path], file: Path
) -> None:
    comparison = compare(*runs)
    text = Texts(file.read_text(encoding="utf-8")).text
    assert comparison.verdict.replace("\N{NO-BREAK SPACE}", " ") in text
    assert "Holm-corrected over the 3 classes" in text
    assert "Holm-corrected over all groups of all attributes" in text
    women, men = comparison.groups
    assert [(group.attribute, group.value, group.n) for group in (women, men)] == [
        ("gender", "female", 60),
        ("gender", "male", 60),
    ]
    assert women.figure is not None  # every mistake is on an even number
    assert men.figure is not None
    assert women.figure.difference == pytest.approx(-10 / 60)
    assert (women.figure.only_a, women.figure.only_b) == (10, 20)
    assert (men.figure.only_a, men.figure.only_b, men.figure.p) == (0, 0, 1.0)
    overall = comparison.figures[0]
    assert (overall.only_a, overall.only_b) == (10, 20)


def test_small_groups_are_counted_and_not_scored(tmp_path: Path) -> None:
    given = varied(30)
    for i, r in enumerate(given):
        r["attributes"] = {"age": "old" if i < 10 else "young"}
    a, b = write_run(tmp_path / "a", given), write_run(tmp_path / "b", given)
    old, young = compare(a, b).groups
    assert (old.value, old.n, old.figure) == ("old", 10, None)
    assert young.figure is not None
    rows = [cells for where, cells in Texts(comparison_page(ComparisonPage(a, b))).rows if where == "groups"]
    assert [cells[:2] for cells in rows] == [["Group", "A − B"], ["old", "too few"], ["young", "+0.0"]]
    assert {len(cells) for cells in rows} == {10}


def test_a_run_scored_without_attributes_takes_them_from_the_other(tmp_path: Path) -> None:
    bare = [r | {"attributes": {}, "turns": []} for r in varied(60)]
    a, b = write_run(tmp_path / "a", bare), write_run(tmp_path / "b", [
        r | {"attributes": {"gender": r["attributes"]["gender"]}} for r in varied(60)])  # fmt: skip
    assert [group.value for group in compare(a, b).groups] == ["female", "male"]


def test_texts_are_escaped_and_the_same_runs_give_the_same_bytes(tmp_path: Path) -> None:
    given = varied(30)
    given[0]["turns"][0]["response"] = given[1]["attributes"]["gender"] = EVIL
    given[3]["attributes"]["gender"] = "\udcff"  # a byte that is no UTF-8
    a, b = write_run(tmp_path / "a<i>", given), write_run(tmp_path / "b", varied(30))
    html = comparison_page(ComparisonPage(a, b))
    assert html == comparison_page(ComparisonPage(a, b))
    assert "<script>alert" not in html
    assert "a<i>" not in html
    assert VISIBLE in Texts(html).text
    same = Texts(comparison_page(ComparisonPage(a, a)))
    assert "the runs give the same answer to every sample" in same.text
    assert len(same.data["samples-data"]["runs"]) == 2


def test_a_page_of_fewer_samples_says_so(runs: tuple[Path, Path]) -> None:
    result = run("--format", "html", "--samples", 30, *runs)
    found = Texts(result.stdout)
    assert len(found.data["samples-data"]["id"]) <= 30
    assert f"of the {N} samples" in found.text


def test_images_are_asked_for_or_it_says_that_there_are_none(runs: tuple[Path, Path]) -> None:
    assert "This page holds no images" in Texts(run("--format", "html", *runs).stdout).text
    assert "pass --dataset as when the run was made" in refused("--format", "html", "--images", *runs)
    shown = Texts(run("--format", "html", "--images", "--dataset", "synthface-compound", *runs).stdout)
    assert f"{N} images were left out: not in the data set." in shown.text
    assert "add --format html" in refused("--images", *runs)
    assert "add --format html" in refused("--samples", 5, *runs)
    assert "add --images" in refused("--format", "html", "--dataset", "synthface-compound", *runs)
    assert "add --images" in refused("--format", "html", "--image-side", 200, *runs)


def test_images_are_those_of_the_run_that_knows_them(tmp_path: Path) -> None:
    scored = [r | {"image_sha256": None} for r in varied(30)]
    a, b = write_run(tmp_path / "a", scored), write_run(tmp_path / "b", varied(30, wrong=6))
    with patch("coabench.reports.compare_page.thumbnails", return_value=Thumbnails({}, {}, {})) as asked:
        html = comparison_page(ComparisonPage(a, b, images=True, dataset="synthface-compound", side=50))
    records, _, _, _, side = asked.call_args.args
    assert [r["image_sha256"] for r in records] == ["0" * 64] * 30
    assert side == 50
    assert "The images are those that B saw" in Texts(html).text


# ---- in a browser ----


def count(page: Any) -> str:
    text: str = page.locator("#browser .count").inner_text()
    return text


def test_tabs_say_how_many_samples_each_would_show(browser_page: Open, file: Path) -> None:
    page = browser_page(file)
    tabs = page.locator("#browser .tabs button")
    texts = ["All 120", "Only A right 10", "Only B right 20", "Both wrong 10", "Both right 80", "Answers differ 30"]
    assert tabs.all_inner_texts() == texts
    page.keyboard.press("3")
    assert count(page) == f"20 of {N} samples"
    assert tabs.nth(2).get_attribute("aria-pressed") == "true"
    assert "outcome=only-b" in page.url
    page.get_by_label("Group").select_option("gender: male")
    assert tabs.nth(2).inner_text() == "Only B right 0"
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    assert count(page) == f"{N} samples"


def test_disagreements_about_a_label_are_found_by_keys_alone(browser_page: Open, file: Path) -> None:
    page = browser_page(file)
    keys = page.keyboard
    keys.press("l")
    keys.type("Sadly A")
    keys.press("Escape")
    keys.press("o")
    keys.type("most confident d")
    keys.press("Escape")
    keys.press("6")
    wanted = [i for i in range(1, N, 3) if (i % 4 == 0) != (i % 6 == 0)]
    assert count(page) == f"{len(wanted)} of {N} samples"
    wanted.sort(key=lambda i: -(37 * i % 120))
    for i in wanted[:5]:
        keys.press("j")
        assert opened(page) == f"face_{i:03}"
    sheet = page.locator("#browser .details")
    a, b = sheet.locator(".said").all_inner_texts()
    assert {a[0], b[0]} == {"✓", "✗"}
    assert sheet.locator(".runs > section .turns > div").count() == 4
    waits_for_address(page, "open=")
    again = browser_page(file, page.url.partition("#")[2])
    assert opened(again) == opened(page)


def test_a_cell_of_the_matrix_leads_to_its_samples(browser_page: Open, file: Path) -> None:
    page = browser_page(file)
    cell = page.locator("#disagreements td.heat a").first
    number = cell.inner_text().split()[0]
    cell.click()
    assert count(page) == f"{number} of {N} samples"
    said = [page.get_by_label(f"{side}: prediction").input_value() for side in "AB"]
    assert said[0] != said[1]
    assert {*said} < {*NAMES, "INVALID"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_on_a_phone(browser_page: Open, file: Path, scheme: str) -> None:
    page = browser_page(file, color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 800})
    page.keyboard.press("j")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
