"""A leaderboard as a folder of pages, whose rows lead to reports."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from support.process import Run
from support.report_run import EVIL, records, write_run

from coabench.reports.board_folder import page_name


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    for name in ("good", "sweep/A B", EVIL.replace("/", "_"), os.fsdecode(b"caf\xe9")):
        write_run(folder / name, records(60), images_per_second=4.0)
    write_run(folder / "failed", records(30), status="failed")
    (folder / "torn").mkdir()
    (folder / "torn" / "run.json").write_text("{")
    return folder


def test_every_run_with_a_report_has_a_link_to_it(root: Path, tmp_path: Path, coabench: Run) -> None:
    for _ in range(2):  # it may be written anew
        result = coabench("leaderboard", root, "--format", "html", "--with-reports", "out")
        assert result.returncode == 0
        assert "no report of torn: the manifest" in result.stderr
        assert "written to out/index.html" in result.stderr
    out = tmp_path / "out"
    index = (out / "index.html").read_text()
    links = re.findall(r'href="(runs/[^"]+)"', index)
    assert len(links) == 5
    assert sorted(path.name for path in (out / "runs").iterdir()) == sorted(unquote(link)[5:] for link in links)
    for link in links:
        page = (out / unquote(link)).read_text()
        assert 'href="../index.html"' in page
        assert "<script>alert" not in page
    assert page_name("sweep/A B") in map(os.path.basename, links)


def test_names_of_pages_are_apart_on_every_system() -> None:
    names = ["a", "A", "a/b", "a-b", "a b", "", ".", "con\\x", "x" * 300, "é", "è", "a.html"]
    names += [page_name(name).removesuffix(".html") for name in ("A", "")]  # a name that looks like a page's
    made = [page_name(name).lower() for name in names]
    assert len({*made}) == len(names)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}\.html", name) for name in made)


def test_what_would_be_overwritten_is_refused(root: Path, tmp_path: Path, coabench: Run) -> None:
    for name, content in (("thesis.tex", ""), ("index.html", "<title>my home page</title>")):
        folder = tmp_path / f"with {name}"
        folder.mkdir()
        (folder / name).write_text(content)
        result = coabench("leaderboard", root, "--format", "html", "--with-reports", folder)
        assert result.returncode == 2
        assert f"found: {name}" in result.stderr
        assert [path.name for path in folder.iterdir()] == [name]
    shutil.copytree(root, tmp_path / "project" / "runs")
    result = coabench("leaderboard", root, "--format", "html", "--with-reports", "project")
    assert result.returncode == 2
    assert "found: runs/" in result.stderr
    assert [path.name for path in (tmp_path / "project").iterdir()] == ["runs"]
    (tmp_path / "file").touch()
    assert coabench("leaderboard", root, "--format", "html", "--with-reports", "file").returncode == 2
    for more in ([], ["--format", "csv"], ["--format", "html", "--output", "x.html"]):
        result = coabench("leaderboard", root, "--with-reports", "out", *more)
        assert result.returncode == 2
        assert "--format html, and no --output" in result.stderr
    assert not (tmp_path / "out").exists()


def test_pages_of_runs_that_vanished_are_removed_and_no_others(root: Path, tmp_path: Path, coabench: Run) -> None:
    command = ("leaderboard", root, "--format", "html", "--with-reports", "out")
    assert "removed" not in coabench(*command).stderr
    runs = tmp_path / "out" / "runs"
    by_hand, changed, gone = runs / "mine.html", runs / "failed.html", runs / page_name("sweep/A B")
    by_hand.write_text("mine")
    changed.write_text(changed.read_text() + "<!-- a remark -->")
    (tmp_path / "outside.html").write_text("elsewhere")
    index = tmp_path / "out" / "pages.json"
    known = json.loads(index.read_text())
    known["pages"]["../../outside.html"] = hashlib.sha256(b"elsewhere").hexdigest()
    index.write_text(json.dumps(known))
    for name in ("failed", "sweep"):
        shutil.rmtree(root / name)
    said = coabench(*command).stderr
    assert f"removed 1 page of runs that are not there: runs/{gone.name}\n" in said
    assert "kept, because somebody changed them: runs/failed.html\n" in said
    assert not gone.exists()
    assert by_hand.read_text() == "mine"
    assert changed.exists()
    assert (tmp_path / "outside.html").exists()
    assert (runs / "good.html").exists()
    index.write_text('{"my": "list"}')
    refused = coabench(*command)
    assert refused.returncode == 2
    assert "found: pages.json" in refused.stderr
    assert index.read_text() == '{"my": "list"}'


def test_programs_get_no_links(root: Path, coabench: Run) -> None:
    assert "report" not in coabench("leaderboard", root, "--format", "csv").stdout.partition("\n")[0].split(",")


def test_from_a_disk_a_row_leads_to_its_report_and_back(
    root: Path, tmp_path: Path, coabench: Run, browser: Any
) -> None:
    coabench("leaderboard", root, "--format", "html", "--with-reports", "out")
    page = browser.new_page()
    page.goto((tmp_path / "out" / "index.html").as_uri())
    page.get_by_label("Search").first.fill("sweep")
    with page.expect_navigation():
        page.get_by_role("link", name="sweep/A B").click()
    assert page.locator("h1").inner_text() == "A B"
    page.get_by_role("link", name="← Leaderboard").click()
    page.wait_for_function("document.querySelectorAll('tr.filtered-out').length > 0")
    assert page.get_by_label("Search").first.input_value() == "sweep"
    page.close()
