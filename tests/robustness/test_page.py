"""What a stress says, of runs of the tiny model: as a page, as tables, and for programs."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.in_process import command
from support.report_run import EVIL

from coabench.errors import UserError
from coabench.render.tables import render_sections
from coabench.robustness.conditions import Condition
from coabench.robustness.findings import sections
from coabench.robustness.folder import StressFolder
from coabench.robustness.page import stress_page
from coabench.robustness.summary import summarise

CONDITIONS = (
    Condition("clean", "clean"),
    Condition("order-1", "order", None, (), ("order:rotate=1",)),
    Condition("blur-2", "blur", 2, ("blur:severity=2",)),
    Condition("blur-5", "blur", 5, ("blur:severity=5",)),
    Condition("mirror", "mirror", None, ("mirror",)),
    Condition("grey", "grey", None, ("grey",)),
)
"""All but the last have a run."""


@pytest.fixture(scope="module")
def stress(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stress") / "coa"
    for condition in CONDITIONS[:-1]:
        changes = [f"--transform={each}" for each in condition.transform]
        changes += [f"--rewrite={each}" for each in condition.rewrite]
        done = command(folder.parent, ["evaluate", "--limit", 22, *changes, "--output", folder / condition.name], {})
        assert done.returncode == 0, done.stderr
    StressFolder(folder, EVIL, CONDITIONS).write()
    return folder


def test_the_page_shows_every_measure_and_no_text_as_markup(stress: Path) -> None:
    it = summarise(stress)
    page = stress_page(it, (None, None))
    assert EVIL not in page
    assert page == stress_page(summarise(stress), (None, None))
    for heading in ("Severity", "Positions that are chosen", "Order of the options", "Labels that break first"):
        assert f"<h2>{heading}</h2>" in page
    assert "These conditions have no complete run and are not counted: grey." in page
    assert page.count("data:image/jpeg") == 3 * (3 + 2)  # samples; clean and two blurs, clean and its mirror image
    assert "http://" not in page
    assert "https://" not in page
    assert "data:image/jpeg" not in stress_page(it)


def test_measures_agree_with_the_runs(stress: Path) -> None:
    it = summarise(stress)
    assert [row["condition"] for row in it.rows()] == ["order-1", "blur-2", "blur-5", "mirror"]
    for row in it.rows():
        metrics = json.loads((stress / row["condition"] / "metrics.json").read_text())
        assert row["uar"] == pytest.approx(metrics["uar"])
        assert row["uar_change"] == pytest.approx(metrics["uar"] - it.uar.value)
    data = json.loads(json.dumps(it.as_json(), allow_nan=False))
    assert data["missing"] == ["grey"]
    assert data["worst_case_over_orders"]["orders"] == 2
    assert "Order of the options" in render_sections(sections(it), "table")
    (blur,) = data["cochran_q"]
    assert (blur["family"], blur["runs"]) == ("blur", 3)
    assert "Cochran's Q" in render_sections(sections(it), "markdown")


def test_the_command_line(stress: Path, tmp_path: Path) -> None:
    def run(*words: Any) -> Any:
        return command(tmp_path, words, {})

    assert run("report", stress).returncode == 0
    assert (tmp_path / "coa.html").stat().st_size > 10_000
    assert json.loads(run("report", stress, "--format", "json").stdout)["samples"] == 22
    for wrong in (["--only", "wrong"], ["--data-root", "here"]):
        refused = run("report", stress, *wrong)
        assert refused.returncode == 2
        assert "Traceback" not in refused.stderr
    assert run("report", stress / "clean", "--format", "json").returncode == 2
    board = run("leaderboard", stress)
    assert board.returncode == 0
    assert "`coabench report` on it" in board.stderr


def test_other_samples_are_refused(stress: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(stress, copy)
    log = copy / "mirror" / "predictions.jsonl"
    log.write_text(log.read_text().replace('"id": "', '"id": "other-').replace('"id":"', '"id":"other-'))
    with pytest.raises(UserError, match="different samples"):
        summarise(copy)


def test_without_a_clean_run_there_is_nothing_to_say(stress: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(stress, copy)
    shutil.rmtree(copy / "clean")
    with pytest.raises(UserError, match="nothing to compare yet"):
        summarise(copy)


def test_two_families_of_a_model_at_chance(stress: Path, tmp_path: Path) -> None:
    """Nothing is gained over chance, so nothing is lost: no curve has an order, and none fails."""
    copy = tmp_path / "copy"
    shutil.copytree(stress, copy)
    log = copy / "clean" / "predictions.jsonl"
    records = [json.loads(line) | {"prediction": None, "status": "invalid"} for line in log.read_text().splitlines()]
    log.write_text("".join(json.dumps(record) + "\n" for record in records))
    twice = [Condition("mirror", "mirror", 1, ("mirror",)), Condition("order-1", "mirror", 2, (), ("order:rotate=1",))]
    StressFolder(copy, "all", (CONDITIONS[0], *twice, *CONDITIONS[2:4])).write()
    it = summarise(copy)
    assert [curve.half for curve in it.curves] == [None, None]
    assert it.robustness.value is None
    assert "half lost" not in stress_page(it)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_in_a_browser(browser_page: Any, stress: Path, tmp_path: Path, scheme: str) -> None:
    (tmp_path / "stress.html").write_text(stress_page(summarise(stress), (None, None)), encoding="utf-8")
    page = browser_page(tmp_path / "stress.html", color_scheme=scheme)
    assert page.locator("img").evaluate_all("all => all.every(e => e.naturalWidth > 0 && e.alt)")
    for link in page.locator("nav.contents a").all():
        assert page.locator(link.get_attribute("href")).count() == 1
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
