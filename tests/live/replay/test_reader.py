"""Reading logs of sessions: those of 0.1.0, those of later versions, damaged ones."""

from pathlib import Path
from typing import Any

import pytest
from support.session_log import HEADER, answer, session, write_log

from coabench.errors import UserError
from coabench.live.replay.columns import columns
from coabench.live.replay.reader import Gap, Note, read_log


def test_a_log_of_0_1_0_is_read_and_its_confidence_computed(tmp_path: Path) -> None:
    log = read_log(session(tmp_path / "a.jsonl"))
    assert len(log.answers) == 45
    assert log.notes == (Note(1.9, "stopped by Ctrl-C"),)  # the time of the line before it
    assert not log.torn
    data = columns(log)
    assert data["faces"] == [1, 2]
    assert data["answerers"] == ["A"]
    assert data["answers"]["time"] == sorted(data["answers"]["time"])
    assert [data["strings"][label] for label in data["labels"]] == ["Sadly Surprised", "Happily Surprised"]
    share = 1 / (1 + 2 * 2.718281828459045 ** (-2.9))  # of one question
    assert data["answers"]["confidence"][0] == pytest.approx(share**2, abs=1e-4)
    last = data["answers"]["label"].index(-1)
    assert data["strings"][data["answers"]["why"][last]] == "the two emotions make none"


def test_what_later_versions_add_is_read(tmp_path: Path) -> None:
    lines = [
        answer(0.0, 1, "Happily Surprised", confidence=0.75, smoothed="Sadly Surprised", answerer="A", novelty=[1]),
        answer(0.0, 1, "Sadly Surprised", confidence=None, smoothed=None, answerer="B"),
        {"kind": "gap", "time": 1.5, "seconds": 4.25, "why": "paused"},
        {"kind": "note", "text": "paused", "time": 5.5},
        {"kind": "change", "changed": "smooth", "to": "5", "identity": {"seed": 0}},
    ]
    log = read_log(write_log(tmp_path / "a.jsonl", lines, {**HEADER, "session": "4f"}))
    data = columns(log)
    assert data["answerers"] == ["A", "B"]
    assert data["answers"]["confidence"] == [0.75, None]
    assert data["strings"][data["answers"]["smoothed"][0]] == "Sadly Surprised"
    assert log.gaps == (Gap(1.5, 4.25, "paused"),)
    assert data["gaps"] == [[1.5, 5.75, "paused"]]
    assert log.notes == (Note(1.5, "paused for 4.2 s"), Note(5.5, "paused"), Note(0.0, "change: changed smooth, to 5"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"time": "soon"}, "time, a number"),
        ({"time": -1}, "time, a number"),
        ({"time": 1e10}, "time, a number"),
        ({"frame": 1.5}, "frame, a whole number"),
        ({"track": None}, "track, a whole number"),
        ({"box": [1, 2, 3]}, "box, four numbers"),
        ({"prediction": 3}, "prediction, a text or null"),
        ({"turns": [{"name": "primary"}]}, "turns, each with prompt, a text"),
        ({"turns": [3]}, "turns, each with name, a text"),
        (
            {"turns": [{"name": "a", "prompt": "", "options": [], "response": ""}]},
            "turns, each with label, a text or null",
        ),
        ({"confidence": "high"}, "confidence, a part from 0 to 1 or null"),
        ({"confidence": 1.01}, "confidence, a part from 0 to 1 or null"),
        ({"confidence": -0.1}, "confidence, a part from 0 to 1 or null"),
        ({"confidence": float("nan")}, "a JSON object"),
        ({"confidence": True}, "confidence, a part from 0 to 1 or null"),
        ({"crop": ["../a"]}, "crop, a text"),
    ],
)
def test_damage_is_said_with_its_line(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = write_log(tmp_path / "a.jsonl", [answer(0.0, 1, None), {**answer(0.1, 1, None), **change}])
    with pytest.raises(UserError) as error:
        read_log(path)
    assert error.value.problem == f"line 3 of {path} is damaged"
    assert error.value.expected == said


def test_a_field_that_is_missing_is_damage(tmp_path: Path) -> None:
    line = answer(0.0, 1, None)
    del line["box"]
    with pytest.raises(UserError, match=r"line 2 .*\n.*box, four numbers\n.*no such field"):
        read_log(write_log(tmp_path / "a.jsonl", [line]))


@pytest.mark.parametrize(
    ("change", "said"),
    [({"seconds": -1}, "seconds, a number"), ({"why": None}, "why, a text"), ({"time": "x"}, "time, a")],
)
def test_a_damaged_gap_is_said_with_its_line(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    gap = {"kind": "gap", "time": 1.5, "seconds": 4.25, "why": "paused", **change}
    with pytest.raises(UserError, match=f"line 2 .*\n.*{said}"):
        read_log(write_log(tmp_path / "a.jsonl", [gap]))


def test_a_line_that_is_no_json_is_said_and_a_torn_last_line_left_out(tmp_path: Path) -> None:
    path = session(tmp_path / "a.jsonl", 3)
    whole = path.read_bytes()
    lines = len(whole.splitlines())
    path.write_bytes(whole + b'{"frame": 3')
    assert read_log(path).torn
    path.write_bytes(whole + b"{broken}\n")
    with pytest.raises(UserError, match=f"line {lines + 1} of"):
        read_log(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no log of a live session"),
        ('{"id": "a"}\n', "is no log of a live session"),
        ('{"kind": "webcam", "schema": 2}\n', "has a format that this coabench does not read"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        read_log(path)
    for other in (tmp_path, tmp_path / "absent"):
        with pytest.raises(UserError, match="cannot be read"):
            read_log(other)
