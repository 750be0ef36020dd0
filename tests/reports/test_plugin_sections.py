"""Sections of the report that plugins add: drawn as data, contained, deterministic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup
from support.process import Run
from support.report_run import EVIL, VISIBLE, records, write_run

from coabench.errors import UserError
from coabench.reports.report import Report, report
from coabench.section import Histogram, Point, Scatter, Section, Table
from coabench.testing import registered


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("sections") / "run", records(12, sure=0.9))


def page(run: Path, target: Callable[..., Any]) -> str:
    with registered("sections", "mine", target):
        return report(Report(run))


def test_texts_tables_and_charts_stand_under_the_plugins_name(run: Path) -> None:
    def section(manifest: Any, metrics: Any, records: Any) -> Section:
        table = Table(["label", "n", "share"], [["Sadly Angry", 12345, 0.25], ["none", None, float("nan")]], "Counts")
        scatter = Scatter([Point("a", 1, 2, 1.5, 2.5), Point("b", 2, 3)], "time, s", "UAR, %", "Two points.")
        chart = Histogram([record["seconds"] for record in records], "seconds", "Times.", {"median": 0.1})
        return Section("Mine", [f"{metrics['samples']} samples", table, chart, scatter])

    shown = page(run, section)
    assert '<li><a href="#section-mine">Mine</a></li>' in shown
    part = shown.partition('<section id="section-mine">')[2].partition("</section>")[0]
    assert "<h2>Mine</h2>" in part
    assert "Made by the plugin coabench.testing." in part
    assert "<p>12 samples</p>" in part
    assert "<caption>Counts</caption>" in part
    assert '<td>Sadly Angry</td><td class="number" data-value="12345.0">12,345</td>' in part
    assert '<td>none</td><td class="number" data-value="">–</td><td class="number" data-value="">–</td>' in part
    assert part.count("<svg") == 2
    assert shown == page(run, section)
    assert 'id="section-' not in report(Report(run))


def test_nothing_in_a_section_is_html(run: Path) -> None:
    evil = Markup(EVIL)  # which says of itself that it is safe

    def section(manifest: Any, metrics: Any) -> Section:
        point = Point(evil, 1, 1, group=evil)
        parts = [evil, Table([evil], [[evil]], evil), Histogram([1], evil, evil, {evil: 1}),
                 Scatter([point, Point("b", 2, 2)], evil, evil, evil)]  # fmt: skip
        return Section(evil, parts)

    shown = page(run, section)
    assert "<script>alert(1)" not in shown
    assert "<img src=x" not in shown
    assert shown.count(str(Markup.escape(VISIBLE))) >= 12


def test_a_long_table_is_cut_and_says_so(run: Path) -> None:
    shown = page(run, lambda manifest, metrics: Section("Long", [Table(["n"], [[i] for i in range(1500)])]))
    assert "The first 1,000 of 1,500 rows." in shown
    assert ">1,499<" not in shown


def _raise(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (lambda manifest, metrics: 1 / 0, "Not available: ZeroDivisionError: division by zero."),
        (lambda manifest, metrics: _raise(SystemExit(3)), "Not available: SystemExit: 3."),
        (lambda manifest, metrics: _raise(UserError("no votes here", remedy="take others")),
         "Not available: no votes here (take others)."),
        (lambda manifest, metrics: "<b>bold</b>", "it returned str, not a coabench.section.Section or None."),
        (lambda manifest, metrics: Section("A", "text"), "its parts are str, not a list"),
        (lambda manifest, metrics: Section("A", [3]), "a part is int, not a text, Table, Histogram or Scatter"),
        (lambda manifest, metrics: Section("A", [Table(["a", "b"], [[1]])]), "row 1 of a table has 1 cells for 2"),
        (lambda manifest, metrics: Section("A", [Table(["a"], [[{}]])]), "a cell is dict, not text"),
        (lambda manifest, metrics: Section("A", [Histogram([], "s", "")]), "a histogram is empty"),
        (lambda manifest, metrics: Section("A", [Histogram([float("inf")], "s", "")]), "is inf, not a finite number"),
    ],
)  # fmt: skip
def test_a_section_that_fails_says_so_in_its_place(run: Path, target: Callable[..., Any], words: str) -> None:
    shown = page(run, target)
    assert words in shown
    assert "<h2>mine</h2>" in shown
    assert '<section id="samples">' in shown


def test_the_command_shows_what_installed_plugins_add(coabench: Run, run: Path, tmp_path: Path) -> None:
    made = coabench("report", run, "--output", "page.html")
    assert (made.returncode, "on standard output" in made.stdout) == (0, False)
    shown = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<h2>Silences</h2>" in shown
    assert "Made by the plugin scripted 2.5." in shown
    assert coabench("report", run, "--output", "page.html", COABENCH_DISABLE_PLUGINS="scripted").returncode == 0
    assert "Silences" not in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "silences" in coabench("list", "sections").stdout


def test_nothing_to_say_and_copies(run: Path) -> None:
    plain = report(Report(run))

    def spoil(manifest: Any, metrics: Any, records: Any) -> None:
        manifest.clear()
        metrics.clear()
        records[0].clear()

    assert page(run, spoil) == plain
