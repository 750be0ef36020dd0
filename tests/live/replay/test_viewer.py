"""The session viewer in a real browser: scrubbed by keys, lanes drawn, markers kept, the recording really played."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.films import written
from support.process import Run, wait_for
from support.session_log import answer, session, write_log

Open = Callable[..., Any]


@pytest.fixture
def opened(coabench: Run, tmp_path: Path, browser_page: Open) -> Open:
    """Open the page of a session, made with the given words."""

    def open_page(*words: str, fragment: str = "", **options: Any) -> Any:
        if not (tmp_path / "a.jsonl").exists():
            session(tmp_path / "a.jsonl")
        result = coabench("replay-live", "a.jsonl", *words)
        assert result.returncode == 0, result.stderr
        page = browser_page(tmp_path / "a.html", fragment, **options)
        until(page, "document.getElementById('time').textContent")
        return page

    return open_page


def until(page: Any, condition: str) -> None:
    """Wait for a condition; Playwright's own way evaluates texts in the page, which its policy forbids."""
    wait_for(lambda: page.evaluate(condition))


def shown(page: Any) -> list[str]:
    """Return the label of every face at the cursor, once it is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    labels: list[str] = page.locator(".card .label").all_inner_texts()
    return labels


def clock(page: Any) -> str:
    shown(page)
    return str(page.locator("#time").inner_text().partition(" ")[0])


def test_keys_move_the_cursor_and_answers_follow(opened: Open) -> None:
    page = opened()
    assert shown(page) == ["Happily Surprised 81 %"]
    there = (("ArrowRight", "0:01.0"), (".", "0:01.1"), ("Shift+ArrowRight", "0:03.9"), ("End", "0:03.9"))
    back = ((",", "0:03.4"), ("ArrowLeft", "0:02.4"), ("Home", "0:00.0"), ("ArrowRight", "0:01.0"))
    for key, time in there + back:
        page.keyboard.press(key)
        assert clock(page) == time, key
    assert shown(page) == ["Sadly Surprised 81 %", "Sadly Surprised 81 %"]
    assert "2 secondary" in page.locator(".card").first.inner_text()
    page.keyboard.press("ArrowRight")
    assert shown(page) == ["no label: the two emotions make none", "Sadly Surprised 81 %"]
    for _ in range(5):
        page.keyboard.press(".")
    assert shown(page) == ["no label: the two emotions make none"]  # an answer stands for half a second at least
    until(page, "location.hash === '#t=2.50'")
    assert page.locator("#said").inner_text() == "Face 1: no label"
    assert page.locator("#cursor").get_attribute("aria-valuetext") == "0:02.5"
    page.keyboard.press("Space")
    until(page, "document.getElementById('play').textContent === 'Play'")  # at the end
    assert clock(page) == "0:03.9"


def test_every_face_has_a_lane_that_can_be_clicked(opened: Open) -> None:
    page = opened(fragment="t=1.55", color_scheme="dark")
    assert clock(page) == "0:01.6"
    lanes = page.locator(".lane canvas")
    described = [lanes.nth(n).get_attribute("aria-label") for n in range(lanes.count())]
    assert described[1] == "Face 1: 35 answers from 0:00.0 to 0:03.4, most often Happily Surprised (15)"
    assert described[2] == "Face 2: 10 answers from 0:01.0 to 0:01.9, most often Sadly Surprised (10)"
    assert page.locator(".lane .names").nth(1).inner_text().split() == ["Face", "1", "primary", "secondary"]
    colours = page.evaluate("""() => {
        const canvas = document.querySelectorAll(".lane canvas")[2];
        const row = canvas.getContext("2d").getImageData(0, 6, canvas.width, 1).data;
        return [0.1, 0.4, 0.8].map((part) => [...row.slice(4 * Math.round(part * canvas.width)).slice(0, 4)].join());
    }""")
    assert colours[0] == colours[2] == "0,0,0,0"  # the face was not there
    assert colours[1].endswith(",255")
    width = lanes.nth(1).bounding_box()["width"]
    lanes.nth(1).click(position={"x": width / 2, "y": 10})
    assert clock(page) in ("0:01.9", "0:02.0")


def test_markers_are_added_named_found_and_exported(opened: Open, tmp_path: Path) -> None:
    page = opened()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("m")
    page.keyboard.press("End")
    page.keyboard.press("m")
    names = page.get_by_label("Name of the marker")
    names.first.fill("=1+1, a smile")
    names.first.press("Tab")
    page.locator("h1").click()
    page.keyboard.press("p")
    assert clock(page) == "0:01.0"
    until(page, "Object.values(localStorage).join().includes('a smile')")
    page.reload()
    until(page, "document.getElementById('time').textContent")
    assert page.get_by_label("Name of the marker").first.input_value() == "=1+1, a smile"
    with page.expect_download() as download:
        page.locator("#markers-csv").click()
    assert download.value.suggested_filename == "a-markers.csv"
    download.value.save_as(tmp_path / "markers.csv")
    assert list(csv.reader((tmp_path / "markers.csv").open())) == [
        ["time", "name"], ["1", "'=1+1, a smile"], ["3.9", "Marker 2"]
    ]  # fmt: skip
    with page.expect_download() as download:
        page.locator("#answers-csv").click()
    download.value.save_as(tmp_path / "answers.csv")
    rows = list(csv.DictReader((tmp_path / "answers.csv").open()))
    assert len(rows) == 45
    first = {name: rows[0][name] for name in ("time", "face", "prediction", "answer to primary", "left")}
    assert first == {"time": "0", "face": "1", "prediction": "Happily Surprised", "answer to primary": "Happiness",
                     "left": "10"}  # fmt: skip


def test_a_recording_is_really_played(opened: Open, tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    written(tmp_path / "a.webm", [np.full((120, 160, 3), 7 * n, np.uint8) for n in range(35)], 10.0)
    page = opened("a.webm", fragment="t=1")
    until(page, "document.querySelector('video').readyState > 1 && !document.querySelector('video').seeking")
    grey = """() => {
        const video = document.querySelector("video");
        const context = Object.assign(document.createElement("canvas"), { width: 160, height: 120 }).getContext("2d");
        context.drawImage(video, 0, 0);
        return context.getImageData(150, 110, 1, 1).data[0];
    }"""
    assert page.evaluate(grey) == pytest.approx(70, abs=8)
    page.keyboard.press("ArrowRight")
    until(page, "(({currentTime, seeking}) => currentTime === 2 && !seeking)(document.querySelector('video'))")
    assert page.evaluate(grey) == pytest.approx(140, abs=8)
    page.keyboard.press("Space")
    until(page, "document.querySelector('video').currentTime > 2.5")
    page.keyboard.press("Space")
    assert page.evaluate("document.querySelector('video').paused")
    played = page.evaluate("document.querySelector('video').currentTime")
    minutes, seconds = clock(page).split(":")
    assert 60 * float(minutes) + float(seconds) == pytest.approx(played, abs=0.2)


def test_pictures_of_what_no_browser_plays_and_what_was_not_recorded(opened: Open, tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    written(tmp_path / "a.mp4", [np.full((120, 160, 3), 7 * n, np.uint8) for n in range(20)], 10.0)
    page = opened("a.mp4", fragment="t=1.5")
    source = page.locator("#picture img").get_attribute("src")
    page.keyboard.press("ArrowLeft")
    shown(page)
    assert page.locator("#picture img").get_attribute("src") not in (source, None)
    page.keyboard.press("End")
    page.get_by_text("The recording does not cover this time.").wait_for()


def test_two_answerers_have_lanes_of_their_own_on_a_narrow_screen(opened: Open, tmp_path: Path) -> None:
    lines = [answer(n / 10, 1, "Happily Surprised", answerer=name) for n in range(20) for name in "AB"]
    write_log(tmp_path / "a.jsonl", lines)
    page = opened()
    page.set_viewport_size({"width": 390, "height": 844})
    assert [text.split("\n")[0] for text in page.locator(".lane .names").all_inner_texts()[1:]] == [
        "Face 1 A",
        "Face 1 B",
    ]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert len(shown(page)) == 2


def test_where_answerers_differ_is_marked_counted_and_found_by_a_key(opened: Open, tmp_path: Path) -> None:
    said = {"A": ["Happily Surprised"] * 20, "B": ["Happily Surprised"] * 20}
    said["B"][7], said["B"][12] = "Sadly Surprised", None  # type: ignore[call-overload]
    lines = [answer(n / 10, 1, labels[n], answerer=name) for n in range(20) for name, labels in said.items()]
    write_log(tmp_path / "a.jsonl", [*lines, answer(2.5, 2, "Sadly Surprised", answerer="B")])
    page = opened()
    assert page.locator("#agreement").inner_text() == "A = B 90 % 18 of 20 looks"
    assert [text.split("\n")[-1] for text in page.locator(".lane .names").all_inner_texts()] == [
        "Markers, notes", "secondary", "≠ A", "secondary"
    ]  # fmt: skip
    lane = page.locator(".lane canvas").nth(2)
    assert str(lane.get_attribute("aria-label")).endswith("differs from A in 2")
    marked = """() => {
        const canvas = document.querySelectorAll(".lane canvas")[2];
        const row = canvas.getContext("2d").getImageData(0, canvas.height - 8, canvas.width, 1).data;
        const scale = canvas.width / document.getElementById("cursor").max;
        return [0.5, 0.75, 1.0, 1.25].map((time) => row[4 * Math.round(time * scale) + 3]);
    }"""
    assert page.evaluate(marked) == [0, 255, 0, 255]
    for key, time in (("d", "0:00.7"), ("d", "0:01.2"), ("d", "0:01.2"), ("Shift+D", "0:00.7")):
        page.keyboard.press(key)
        assert clock(page) == time
    assert page.locator(".card .differs").all_inner_texts() == ["≠ differs from A"]
    until(page, "document.getElementById('said').textContent.includes('Sadly Surprised, differs from A')")
    page.get_by_role("button", name="Next difference").click()
    assert clock(page) == "0:01.2"
    with page.expect_download() as download:
        page.locator("#answers-csv").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text().splitlines()))
    assert [row["compared"] for row in rows if row["time"] in ("0.6", "0.7")] == [
        "", "agrees with A", "", "differs from A"
    ]  # fmt: skip


def test_a_pause_of_the_camera_is_hatched_and_named(opened: Open, tmp_path: Path) -> None:
    lines = [answer(n / 10, 1, "Happily Surprised") for n in (*range(10), *range(60, 70))]
    gap = {"kind": "gap", "time": 0.9, "seconds": 5.1, "why": "paused"}
    write_log(tmp_path / "a.jsonl", [*lines, gap])
    page = opened(fragment="t=4")
    assert page.locator("#now").inner_text() == "The camera gave no frames at this time: paused."
    assert page.locator("#notes").inner_text().split() == ["0:00.9", "paused", "for", "5.1", "s"]
    painted = """() => {
        const canvas = document.querySelectorAll(".lane canvas")[1];
        const row = canvas.getContext("2d").getImageData(0, 6, canvas.width, 1).data;
        const part = (from, until) => [...row.slice(4 * from, 4 * until)].filter((v, i) => i % 4 === 3 && v > 0).length;
        return [part(0, canvas.width), part(canvas.width >> 1, (canvas.width >> 1) + 40)];
    }"""
    assert 5 < page.evaluate(painted)[1] < 40
    assert "no frames" in page.locator("#legend").inner_text()


def test_one_answerer_has_nothing_to_differ_from(opened: Open) -> None:
    page = opened()
    assert not page.locator("#differences").is_visible()
    page.keyboard.press("d")
    assert clock(page) == "0:00.0"
