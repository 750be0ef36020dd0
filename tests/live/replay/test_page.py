"""``coabench replay-live``: the page of a session, what stands in it, and what is refused."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.films import grey, written
from support.process import Run
from support.session_log import HEADER, answer, session, write_log

from coabench.live.replay import film as film_module

pytest.importorskip("cv2", reason="OpenCV is not installed")


def data_of(page: Path) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="session-data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found
    loaded: dict[str, Any] = json.loads(found[1])
    return loaded


def test_a_log_alone_makes_a_page(coabench: Run, tmp_path: Path) -> None:
    session(tmp_path / "a.jsonl")
    result = coabench("replay-live", "a.jsonl")
    assert result.returncode == 0, result.stderr
    assert "written to a.html" in result.stderr
    text = (tmp_path / "a.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)', text)
    assert policy
    assert "default-src &#39;none&#39;" in policy[1]
    assert "media-src" not in policy[1]
    assert "chain-of-affect" in text
    assert '<th scope="row">Happily Surprised</th><td class="number" data-value="15">' in text
    assert data_of(tmp_path / "a.html")["film"] is None
    coabench("replay-live", "a.jsonl", "--output", "b.html")
    assert (tmp_path / "b.html").read_text() == text


def test_text_of_a_log_is_never_markup(coabench: Run, tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>\u202e"
    header = {**HEADER, "source": evil, "command": "none"}
    lines = [answer(0.0, 1, evil, evil, strategy=evil), {"kind": "note", "text": evil}]
    write_log(tmp_path / "a.jsonl", lines, header)
    assert coabench("replay-live", "a.jsonl").returncode == 0
    text = (tmp_path / "a.html").read_text()
    assert "<script>alert" not in text
    assert "\u202e" not in text


def test_a_recording_that_browsers_play_stands_in_the_page(coabench: Run, tmp_path: Path) -> None:
    session(tmp_path / "a.jsonl")
    for name in ("clean.webm", "over.webm"):
        written(tmp_path / name, [grey(10 * n) for n in range(20)], 10.0)
        result = coabench("replay-live", "a.jsonl", name)
        assert result.returncode == 0, result.stderr
        film = data_of(tmp_path / "a.html")["film"]
        assert (film["type"], film["size"], film["length"]) == ("video/webm", [64, 48], 2.0)
        assert film["drawn"] == (name == "over.webm")  # by the log's command
        assert "media-src blob:" in (tmp_path / "a.html").read_text()


def test_a_large_one_stays_where_it_is(coabench: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film_module, "EMBEDDED", 100)
    session(tmp_path / "a.jsonl")
    (tmp_path / "films").mkdir()
    (tmp_path / "pages").mkdir()
    written(tmp_path / "films" / "a b.webm", [grey(0)], 10.0)
    result = coabench("replay-live", "a.jsonl", "films/a b.webm", "--output", "pages/a.html")
    assert "it plays where ../films/a b.webm is beside it" in result.stderr
    film = data_of(tmp_path / "pages" / "a.html")["film"]
    assert film["address"] == "../films/a b.webm"
    assert "data" not in film
    assert "media-src &#39;self&#39; file:" in (tmp_path / "pages" / "a.html").read_text()
    assert "keep the two together" in (tmp_path / "pages" / "a.html").read_text()


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_of_others_there_are_pictures(coabench: Run, tmp_path: Path, suffix: str) -> None:
    session(tmp_path / "a.jsonl")
    written(tmp_path / f"a{suffix}", [np.full((60, 960, 3), 10 * n, np.uint8) for n in range(20)], 20.0)
    result = coabench("replay-live", "a.jsonl", f"a{suffix}", "--video-begins", "1.5")
    assert result.returncode == 0, result.stderr
    assert f"No browser plays a{suffix}" in result.stderr
    assert "--record out.webm" in result.stderr
    film = data_of(tmp_path / "a.html")["film"]
    assert film["begins"] == 1.5
    assert film["times"] == pytest.approx([n / 10 for n in range(10)], abs=0.01)
    assert len(film["pictures"]) == 10
    assert "pictures of it are shown, 10 a second" in (tmp_path / "a.html").read_text()


def test_crops_are_shown_and_a_log_reaches_no_other_file(coabench: Run, tmp_path: Path) -> None:
    lines = [answer(n / 10, 1, None) for n in range(3)]
    lines[1]["crop"] = "../secret.png"
    write_log(tmp_path / "a.jsonl", lines)
    for name in ("crops/frame000000.face1.png", "secret.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (200, 100)).save(tmp_path / name)
    result = coabench("replay-live", "a.jsonl", "--crops", "crops")
    assert result.returncode == 0, result.stderr
    assert "2 crops are not in crops" in result.stderr
    assert {*data_of(tmp_path / "a.html")["thumbnails"]} == {"0"}


def test_what_cannot_be_is_refused_and_nothing_written(coabench: Run, tmp_path: Path) -> None:
    session(tmp_path / "a.jsonl")
    (tmp_path / "text.mp4").write_text("no film")
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.iterdir())
    for words, said in (
        (("absent.jsonl",), "absent.jsonl cannot be read"),
        (("a.jsonl", "absent.mp4"), "absent.mp4 is no recording"),
        (("a.jsonl", "text.mp4"), "text.mp4 cannot be read as a video"),
        (("a.jsonl", "--crops", "nowhere"), "--crops nowhere is no folder"),
        (("a.jsonl", "--crops", "empty"), "--crops empty holds no crop of this log"),
        (("a.jsonl", "--output", "a.jsonl"), "--output a.jsonl is a file that this command reads"),
        (("a.jsonl", "--video-begins", "3"), "name the recording, or leave it out"),
    ):
        result = coabench("replay-live", *words)
        assert result.returncode == 2, words
        assert said in result.stderr
    assert sorted(tmp_path.iterdir()) == before
