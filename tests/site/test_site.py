"""A folder of runs as a site, from outside: what is there, what is not, and what is made of bad folders."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from support import leaderboard_run
from support.in_process import plugins_on
from support.process import Run, start, wait_for
from support.report_run import EVIL, VISIBLE, records, write_run
from support.sites import site

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from support.served import fetch

from coabench.render.tables import Section, render_sections
from coabench.reports.board_folder import page_name
from coabench.robustness.conditions import Condition
from coabench.robustness.folder import StressFolder
from coabench.site import app, listing, pages

TRAINING = Path(__file__).parents[1] / "support" / "written_by_0_1_0" / "adapters" / "rank-1"


@pytest.fixture(autouse=True)
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request looks at the folder anew."""
    monkeypatch.setattr(app, "FRESH", 0.0)
    monkeypatch.setattr(app, "SHARE", 0.0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    write_run(folder / "good", records(60))
    write_run(folder / "sweep" / "B C", records(60, 0.8))
    return folder


@pytest.fixture
def url(root: Path) -> Iterator[str]:
    with site(root) as address:
        yield address


def words(page: str) -> str:
    """The text of a page, in one line."""
    return html.unescape(" ".join(re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL).split()))


def table(page: str, title: str) -> str:
    """The section of a page with a title."""
    return next(section for section in page.split("<section") if f"<h2>{title}" in section)


def test_rows_lead_to_reports_and_two_runs_are_compared(url: str) -> None:
    status, headers, page = fetch(url)
    assert status == 200
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    links = re.findall(r'href="(runs/[^"]+)"', page)
    assert links == ["runs/good.html", f"runs/{quote(page_name('sweep/B C'))}"]
    for link in links:
        status, _, report = fetch(url + link)
        assert status == 200
        assert 'href="../"' in report
        assert "60" in words(report)
    a, b = (link.removeprefix("runs/") for link in links)
    status, _, comparison = fetch(f"{url}compare.html?a={a}&b={b}")
    assert status == 200
    assert "good" in words(comparison)
    assert "B C" in words(comparison)
    assert fetch(url, "HEAD")[0] == 200
    assert fetch(url, "POST")[0] == 405


@pytest.mark.parametrize("path", [
    "etc/passwd", "runs/../../secret.html", "runs/..%2f..%2fsecret.html", "%2e%2e/secret.html", "runs/good", "runs/",
    "runs/good.html/", "runs//etc/passwd", "runs/%00.html", "runs/%ff.html", "compare.html", "good/run.json",
    "compare.html?a=good.html&b=../../secret.html", "compare.html?a=good.html&b=no.html", "pages/secret.html",
])  # fmt: skip
def test_nothing_else_is_there(root: Path, url: str, path: str) -> None:
    (root.parent / "secret.html").write_text(render_sections([], "html", "SECRET"))
    status, _, page = fetch(url + path)
    assert status == 404
    assert "SECRET" not in page
    assert f'href="{urlsplit(url).path}"' in page


def test_links_out_of_the_folder_are_left_out_and_named(root: Path, url: str) -> None:
    outside = root.parent / "outside"
    write_run(outside / "private", records(30))
    (outside / "page.html").write_text(render_sections([], "html", "SECRET"))
    (root / "way-out").symlink_to(outside)
    (root / "page.html").symlink_to(outside / "page.html")
    shutil.copytree(root / "good", root / "half")
    (root / "half" / "predictions.jsonl").unlink()
    (root / "half" / "predictions.jsonl").symlink_to(outside / "private" / "predictions.jsonl")
    (root / "loop").symlink_to(root)
    (root / "within").symlink_to(root / "good")
    page = fetch(url)[2]
    assert "Left out, because they lead out of the folder: way-out, half/predictions.jsonl." in words(page)
    assert len(re.findall(r'href="runs/[^"]+"', page)) == 2
    assert "SECRET" not in page
    for path in (
        "runs/way-out-private.html",
        f"runs/{page_name('way-out/private')}",
        "runs/half.html",
        "pages/page.html",
    ):
        assert fetch(url + path)[0] == 404


def test_damaged_runs_are_rows_that_say_so(root: Path, url: str) -> None:
    for name, manifest in (("torn", "{"), ("list", "[]"), ("empty", "{}"), ("newer", '{"schema": 99}')):
        (root / name).mkdir()
        (root / name / "run.json").write_text(manifest)
    write_run(root / "no-log", records(30))
    (root / "no-log" / "predictions.jsonl").unlink()
    write_run(root / "binary", records(30))
    (root / "binary" / "predictions.jsonl").write_bytes(b"\xff\x00\n" * 9)
    shutil.copytree(TRAINING, root / "training")
    (root / "training" / "training.json").write_text("{")
    (root / "stress").mkdir()
    (root / "stress" / "stress.json").write_text("[")
    os.mkfifo(root / "pipe.html")
    status, _, page = fetch(url)
    assert status == 200
    not_ranked = words(table(page, "Not ranked"))
    for name in ("torn", "list", "empty", "newer", "no-log", "binary"):
        assert f" {name} " in not_ranked
        status, _, problem = fetch(f"{url}runs/{name}.html")
        assert status == 422
        assert "Traceback" not in problem
    assert "is damaged" in words(table(page, "Trainings"))
    assert "is damaged" in words(table(page, "Stresses"))
    assert fetch(url + "trainings/training.html")[0] == fetch(url + "stress/stress.html")[0] == 422
    assert fetch(url + "runs/good.html")[0] == 200


def test_what_fails_otherwise_is_a_page_that_says_so(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise ZeroDivisionError(EVIL)

    monkeypatch.setitem(pages.MAKERS, "runs", fail)
    status, _, page = fetch(url + "runs/good.html")
    assert status == 422
    assert f"ZeroDivisionError: {VISIBLE}" in words(page)
    assert "<script>alert" not in page
    assert fetch(url)[0] == 200


def test_runs_come_change_and_go(root: Path, url: str) -> None:
    status, headers, page = fetch(url)
    assert fetch(url, **{"If-None-Match": headers["etag"]})[0] == 304
    report = fetch(url + "runs/good.html")[2]
    write_run(root / "new", records(60))
    status, headers, page = fetch(url, **{"If-None-Match": headers["etag"]})
    assert status == 200
    assert "runs/new.html" in page
    shutil.rmtree(root / "good")
    write_run(root / "good", records(30), samples=30)
    assert fetch(url + "runs/good.html")[2] != report
    shutil.rmtree(root / "good")
    assert fetch(url + "runs/good.html")[0] == 404
    assert "runs/good.html" not in fetch(url)[2]
    shutil.rmtree(root)
    assert "The folder is gone" in words(fetch(url)[2])
    root.mkdir()
    assert "Nothing is here yet" in words(fetch(url)[2])


def test_a_page_is_made_once_for_the_same_files(root: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    make = pages.MAKERS["runs"]
    monkeypatch.setitem(pages.MAKERS, "runs", lambda *of: made.append(of) or make(*of))
    assert fetch(url + "runs/good.html")[2] == fetch(url + "runs/good.html")[2]
    assert len(made) == 1
    (root / "good" / "metrics.json").unlink()
    assert fetch(url + "runs/good.html")[0] == 200
    assert len(made) == 2
    monkeypatch.setattr(pages, "KEPT", 1)
    for _ in range(2):
        fetch(url + "runs/good.html")
        fetch(f"{url}runs/{quote(page_name('sweep/B C'))}")
    assert len(made) == 5  # the one that is kept is the last


@pytest.mark.parametrize(
    "name", [EVIL.replace("/", "_"), "a\nb", '"><b>', "100 % of? #1 & 2", b"caf\xe9", "é", "x" * 200]
)
def test_hostile_names(root: Path, url: str, name: str | bytes) -> None:
    text = os.fsdecode(name)
    write_run(root / text, records(60))
    page = fetch(url)[2]
    link = re.search(rf'href="(runs/{re.escape(quote(page_name(text)))})"', page)
    assert link
    assert "<script>alert" not in page
    status, _, report = fetch(url + link[1])
    assert status == 200
    assert "<script>alert" not in report


def test_what_runs_is_shown_with_its_progress(root: Path, url: str) -> None:
    log = [json.dumps(record) + "\n" for record in records(60)]
    write_run(root / "running", records(20), status="running", samples=60, metrics=False)
    page = fetch(url)[2]
    assert "20 of 60 samples" in words(table(page, "In progress"))
    assert "last news" in words(table(page, "In progress"))
    assert "Not ranked" not in page
    with (root / "running" / "predictions.jsonl").open("a") as file:
        file.write("".join(log[20:31]) + '{"id": "torn')
    (root / "running" / "parts").mkdir()
    (root / "running" / "parts" / "0.jsonl").write_text("".join(log[40:45]))
    assert "36 of 60 samples" in words(table(fetch(url)[2], "In progress"))
    os.utime(root / "running" / "predictions.jsonl", (1e9, 1e9))
    os.utime(root / "running" / "parts" / "0.jsonl", (1e9, 1e9))
    os.utime(root / "running" / "run.json", (1e9, 1e9))
    assert "it may have been killed" in words(table(fetch(url)[2], "In progress"))
    status, _, report = fetch(url + "runs/running.html")
    assert status == 200
    assert "Not finished." in report
    manifest = json.loads((root / "running" / "run.json").read_text())
    (root / "running" / "run.json").write_text(json.dumps({**manifest, "status": "stopped", "reason": "Ctrl-C"}))
    page = fetch(url)[2]
    assert "In progress" not in page
    assert "stopped by Ctrl-C" in words(table(page, "Not ranked"))


def test_trainings_and_pages_that_lie_there(root: Path, url: str) -> None:
    shutil.copytree(TRAINING, root / "adapters" / "a")
    (root / "good" / "explained.html").write_text(render_sections([Section(["x"], [{"x": 1}])], "html", "Explained"))
    (root / "good" / "other.html").write_text("<script>alert(1)</script>")
    page = fetch(url)[2]
    assert "adapters/a complete" in words(table(page, "Trainings"))
    assert "good/explained.html" in words(table(page, "Pages"))
    assert "other.html" not in page
    training, explained = (re.search(rf'href="({kind}/[^"]+)"', page) for kind in ("trainings", "pages"))
    assert training
    assert explained
    assert fetch(url + training[1])[0] == 200
    status, headers, content = fetch(url + explained[1])
    assert status == 200
    assert "Explained" in content
    assert "sandbox allow-scripts" in headers["content-security-policy"]
    manifest = json.loads((root / "adapters" / "a" / "training.json").read_text())
    (root / "adapters" / "a" / "training.json").write_text(json.dumps({**manifest, "status": "running"}))
    assert "steps" in words(table(fetch(url)[2], "In progress"))


def test_a_stress_stands_with_its_conditions(root: Path, url: str) -> None:
    conditions = (Condition("clean", "clean"), Condition("mirror", "mirror", None, ("mirror",)))
    write_run(root / "stressed" / "clean", records(60))
    StressFolder(root / "stressed", "images", conditions).write()
    page = fetch(url)[2]
    assert "stressed images 1 of 2" in words(table(page, "Stresses"))
    status, _, problem = fetch(url + "stress/stressed.html")
    assert status == 422
    assert "not complete: mirror" in words(problem)
    assert f'href="runs/{page_name("stressed/clean")}"' in page


def test_a_stress_with_a_condition_elsewhere_is_left_out(root: Path, url: str) -> None:
    write_run(root.parent / "outside" / "clean", records(60))
    (root / "stressed").mkdir()
    StressFolder(root / "stressed", "images", (Condition("clean", "clean"),)).write()
    (root / "stressed" / "clean").symlink_to(root.parent / "outside" / "clean")
    assert "out of the folder: stressed/clean." in words(fetch(url)[2])
    assert fetch(url + "stress/stressed.html")[0] == 404


def test_a_huge_folder_is_shown_in_part(root: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "ENTRIES", 10)
    for i in range(12):
        (root / f"aa{i}").mkdir()
    status, _, page = fetch(url)
    assert status == 200
    assert "left out" in words(page)


def test_what_lies_in_a_run_or_too_deep_is_no_run(root: Path) -> None:
    write_run(root / "good" / "inner", records(30))
    write_run(root / "1" / "2" / "3", records(30))
    write_run(root / "1" / "2" / "x" / "4", records(30))
    write_run(root / ".hidden", records(30))
    assert [item.name for item in listing.list_folder(root).items] == ["1/2/3", "good", "sweep/B C"]


def test_other_machines_need_the_token_which_a_browser_keeps(root: Path, coabench: Run) -> None:
    refused = coabench("serve", root, "--address", "0.0.0.0:0")
    assert refused.returncode == 2
    assert "--allow-remote" in refused.stderr
    assert "docs/guides/serving.md" in refused.stderr
    with site(root, "0.0.0.0:0", allow_remote=True) as url:
        token = url.partition("?token=")[2]
        local = f"http://127.0.0.1:{urlsplit(url).port}/"
        for wrong in ("", "?token=x", f"runs/good.html?token={token}x"):
            assert fetch(local + wrong)[0] == 403
        assert fetch(local, Cookie="coabench-1=x; =")[0] == 403
        status, headers, _ = fetch(f"{local}runs/good.html?token={token}&a=1")
        assert status == 303
        assert headers["location"] == "/runs/good.html?a=1"
        assert "httponly" in headers["set-cookie"].lower()
        assert "samesite=lax" in headers["set-cookie"].lower()
        cookie = headers["set-cookie"].partition(";")[0]
        for other in ("other=1", '{"json": [1]}', "no name"):
            assert fetch(f"{local}runs/good.html", Cookie=f"{other}; {cookie}")[0] == 200
        assert token not in fetch(local, Cookie=cookie)[2]
        assert fetch(f"{local}/attacker.example?token={token}")[1]["location"] == "/attacker.example"
        assert fetch(local, Cookie=cookie, Host="attacker.example")[0] == 421


def test_images_are_shown_where_they_are_wanted_and_here(coabench: Run, scripted: list[str], root: Path) -> None:
    for name, strategy in (("a", "direct"), ("b", "chain-of-affect")):
        done = coabench("evaluate", "--backbone", "scripted", "--dataset", "drawn", "--strategy", strategy,
                        "--output", root / name)  # fmt: skip
        assert done.returncode == 0, done.stderr
    with plugins_on(scripted), site(root, images=True) as url:
        for page in ("runs/a.html", "compare.html?a=a.html&b=b.html"):
            status, _, text = fetch(url + page)
            assert status == 200
            assert text.count("data:image/jpeg;base64,") == 24
            assert "This page holds images of Drawn squares." in words(text)
        unknown = words(fetch(f"{url}runs/good.html")[2])
        assert "This page holds no images. The images of this run cannot be found" in unknown
        assert fetch(f"{url}runs/nowhere.html")[0] == 404
    with plugins_on(scripted), site(root) as url:
        assert "data:image" not in fetch(f"{url}runs/a.html")[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-folder"], "there is no folder no-such-folder"),
        ([".", "--address", "8766"], "--address '8766' cannot be read"),
        ([".", "--address", "127.0.0.1:0", "--tls-cert", "a.pem"], "--tls-key"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_reported(coabench: Run, arguments: list[str], message: str) -> None:
    result = coabench("serve", *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.process
def test_ctrl_c_ends_it(tmp_path: Path, environment: dict[str, str]) -> None:
    leaderboard_run.write_run(tmp_path / "results" / "a", 20)
    process = start(tmp_path, environment, "serve", "results", "--address", "127.0.0.1:0")
    assert process.stderr is not None
    url = wait_for(lambda: re.search(r"open (\S+)", process.stderr.readline()), process)[1]
    assert fetch(url)[0] == 200
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert said.strip() == "interrupted"
