"""Reading the log of a live session: strict about damage, lenient about fields that its version did not have yet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coabench.base.jsonlines import InvalidLine, read_lines
from coabench.base.reading import open_file, what_is_at, why
from coabench.errors import UserError
from coabench.live.gaps import GAP
from coabench.live.log import SCHEMA

ANSWER: Mapping[str, str] = {
    "frame": "a whole number",
    "time": "a number",
    "track": "a whole number",
    "box": "four numbers",
    "prediction": "a text or null",
    "status": "a text",
    "turns": "a list of questions with their answers",
}
"""What every answer has, since 0.1.0."""
FURTHER: Mapping[str, str] = {
    "crop": "a text",
    "strategy": "a text",
    "reason": "a text or null",
    "seconds": "a number",
    "confidence": "a part from 0 to 1 or null",
    "smoothed": "a text or null",
    "answerer": "a text",
    "file": "a text or null",
}
"""What an answer may have."""
TURN: Mapping[str, str] = {
    "name": "a text",
    "prompt": "a text",
    "options": "a list of texts",
    "response": "a text",
    "label": "a text or null",
    "scores": "numbers by option or null",
}
"""What a turn has that is shown."""
LATEST = 10 * 366 * 86_400.0
"""Seconds that no session lasts: what is later is damage."""


@dataclass(frozen=True)
class Note:
    """What happened, at a time of the source in seconds: its own, or that of the line before it."""

    time: float
    text: str


@dataclass(frozen=True)
class Gap:
    """Seconds without frames, from the time of the last one on, and why."""

    time: float
    seconds: float
    why: str


@dataclass(frozen=True)
class SessionLog:
    """A log that was read.

    Attributes:
        header: its first line.
        answers: its answers, in their order; they have the fields of `ANSWER`, and may have those of `FURTHER`.
        notes: what else it holds.
        gaps: where frames of the camera are missing; each is a note, too.
        torn: whether its last line is not whole: the session was killed.
    """

    path: Path
    header: Mapping[str, Any]
    answers: tuple[Mapping[str, Any], ...]
    notes: tuple[Note, ...]
    gaps: tuple[Gap, ...]
    torn: bool


def read_log(path: Path) -> SessionLog:
    """Read a log.

    Raises:
        UserError: it is no file, no log of a webcam session, or damaged; with the number of the line.
    """
    try:
        with open_file(path) as file:
            torn = _is_torn(file)
        lines = list(read_lines(path))
    except InvalidLine as error:
        raise _damaged(path, error.number, "a JSON object", str(error)) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read", expected="a log of coabench webcam", found=_found(path, error),
                        remedy="name the log") from None  # fmt: skip
    if not lines:
        raise _no_log(path, "a file without a whole line")
    header = lines[0].data
    if header.get("kind") != "webcam":
        raise _no_log(path, f"a first line of {str(header.get('kind') or 'no kind')[:40]!r}")
    if header.get("schema") != SCHEMA:
        raise UserError(
            f"{path} has a format that this coabench does not read",
            expected=f"schema {SCHEMA}",
            found=str(header.get("schema"))[:40],
            remedy="use the coabench that wrote it, or a newer one",
        )
    answers, notes, gaps, time = [], [], list[Gap](), 0.0
    for line in lines[1:]:
        if line.data.get("kind") == GAP:
            gaps.append(gap := _gap(path, line.number, line.data))
            notes.append(Note(gap.time, f"{gap.why} for {gap.seconds:.1f} s"))
        elif "kind" in line.data:
            notes.append(_note(path, line.number, line.data, time))
        else:
            _check_answer(path, line.number, line.data)
            answers.append(line.data)
            time = float(line.data["time"])
    return SessionLog(path, header, tuple(answers), tuple(notes), tuple(gaps), torn)


def _is_torn(file: Any) -> bool:
    length = file.seek(0, 2)
    if not length:
        return False
    file.seek(length - 1)
    return bool(file.read(1) != b"\n")


def _note(path: Path, number: int, data: Mapping[str, Any], before: float) -> Note:
    """Return a line that is no answer: a note, or what else happened, in words as far as it has any."""
    kind, text, time = data["kind"], data.get("text"), data.get("time", before)
    if not _is(kind, "a text") or (kind == "note" and not _is(text, "a text")):
        raise _damaged(path, number, "a note with its text", str(data)[:80])
    if not _is(time, "a number"):
        raise _damaged(path, number, "a time, a number", str(time)[:80])
    if kind == "note":
        return Note(float(time), str(text))
    told = {key: value for key, value in data.items() if key not in ("kind", "time")}
    rest = ", ".join(f"{key} {value}" for key, value in told.items() if isinstance(value, str | int | float))
    return Note(float(time), f"{kind}: {rest}" if rest else str(kind))


def _gap(path: Path, number: int, data: Mapping[str, Any]) -> Gap:
    for name, kind in (("time", "a number"), ("seconds", "a number"), ("why", "a text")):
        if not _is(data.get(name), kind):
            raise _damaged(path, number, f"{name}, {kind}", str(data.get(name))[:80])
    return Gap(float(data["time"]), float(data["seconds"]), data["why"])


def _check_answer(path: Path, number: int, data: Mapping[str, Any]) -> None:
    for name, kind in ANSWER.items():
        if name not in data:
            raise _damaged(path, number, f"{name}, {kind}", "no such field")
    for name, kind in {**ANSWER, **FURTHER}.items():
        if name in data and not _is(data[name], kind):
            raise _damaged(path, number, f"{name}, {kind}", str(data[name])[:80])
    for turn in data["turns"]:
        for name, kind in TURN.items():
            if not isinstance(turn, Mapping) or name not in turn or not _is(turn[name], kind):
                raise _damaged(path, number, f"turns, each with {name}, {kind}", str(turn)[:80])


def _is(value: Any, kind: str) -> bool:
    if kind.endswith(" or null"):
        return value is None or _is(value, kind.removesuffix(" or null"))
    if kind == "a text":
        return isinstance(value, str)
    if kind == "four numbers":
        return isinstance(value, list) and len(value) == 4 and all(_is(each, "a coordinate") for each in value)
    if kind == "numbers by option":
        return isinstance(value, Mapping) and all(_is(each, "a finite number") for each in value.values())
    if kind == "a list of texts":
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    if kind.startswith("a list"):
        return isinstance(value, list)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    if kind == "a finite number":
        return True
    if kind == "a part from 0 to 1":
        return 0 <= value <= 1
    if kind == "a coordinate":  # a box may reach over the picture's edge
        return abs(value) < 2**31
    if kind == "a number":
        return 0 <= value < LATEST
    return isinstance(value, int) and 0 <= value < LATEST * 1000  # frames come more often than once a second


def _damaged(path: Path, number: int, expected: str, found: str) -> UserError:
    return UserError(
        f"line {number} of {path} is damaged",
        expected=expected,
        found=found,
        remedy="take an undamaged copy, or delete the line",
    )


def _no_log(path: Path, found: str) -> UserError:
    return UserError(
        f"{path} is no log of a live session",
        expected="what `coabench webcam --log FILE.jsonl` writes",
        found=found,
        remedy="name that file",
    )


def _found(path: Path, error: OSError) -> str:
    there = what_is_at(path)
    return why(error) if there == "a file" else there
