"""Runs of Chain-of-Affect written for tests of the report: every kind of outcome, scores, attributes, hostile text."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from coabench.metrics.summary import summarise

BASIC = ["Surprise", "Fear", "Happiness", "Sadness", "Anger", "Neutral"]
PAIRS = {
    "Happily Surprised": ["Happiness", "Surprise"],
    "Sadly Angry": ["Sadness", "Anger"],
    "Sadly Fearful": ["Sadness", "Fear"],
}
NAMES = list(PAIRS)
EVIL = "<script>alert(1)</script>\u202egnp.exe\x1b[2J</script><img src=x onerror=alert(2)>&amp;"
VISIBLE = "<script>alert(1)</script>\\u202egnp.exe\\x1b[2J</script><img src=x onerror=alert(2)>&amp;"
"""`EVIL` as a page must show it."""


def turn(name: str, label: str | None, options: list[str], sure: float | None, response: str | None = None) -> Any:
    """Return a turn; *sure* is the probability of its label, the other options share the rest."""
    scores = None
    if sure is not None and label in options:
        rest = math.log((1 - sure) / (len(options) - 1))
        scores = {option: math.log(sure) if option == label else rest for option in options}
    return {
        "name": name,
        "prompt": f"Which {name} emotion?\nChoose one.",
        "options": options,
        "response": response if response is not None else label or "mumble",
        "label": label,
        "match": "exact" if label else None,
        "scores": scores,
        "prompt_tokens": 50,
        "cached_tokens": 10 if name == "secondary" else 0,
        "new_tokens": 2,
    }


def record(number: int, target: str, answers: tuple[str | None, str | None], sure: float | None = None) -> Any:
    """Return a record whose prediction follows from the two answers."""
    primary, secondary = answers
    turns = [turn("primary", primary, BASIC, sure)]
    if primary:
        turns.append(turn("secondary", secondary, [b for b in BASIC if b != primary], sure))
    label = next((name for name, pair in PAIRS.items() if set(pair) == set(answers)), None)
    reason = None
    if label is None:
        unparsed = "unparsed-primary" if primary is None else "unparsed-secondary" if secondary is None else None
        reason = unparsed or ("repeated" if primary == secondary else "no-class")
    return {
        "id": f"toy/face_{number:03}",
        "image": f"face_{number:03}.png",
        "image_sha256": "0" * 64,
        "target": target,
        "prediction": label,
        "status": "invalid" if reason else "ok",
        "reason": reason,
        "turns": turns,
        "attributes": {"gender": ("female", "male")[number % 2], "subject": f"s{number}", "yaw": number / 7},
        "seconds": 0.1 + number / 1000,
    }


def direct(number: int, sure: float, right: bool) -> Any:
    """Return a record of one scored question for the label, the first of `NAMES` being true; *sure* of its answer."""
    said = NAMES[0 if right else 1]
    made = record(number, NAMES[0], (None, None))
    return made | {
        "prediction": said,
        "status": "ok",
        "reason": None,
        "turns": [turn("answer", said, NAMES, sure)],
    }


def records(n: int = 90, sure: float | None = None) -> list[Any]:
    """Return *n* records: of each ten, seven are right, one is another label, one repeated, one unparsed."""
    made = []
    for i in range(n):
        target = NAMES[i % 3]
        first, second = PAIRS[target]
        other = PAIRS[NAMES[(i + 1) % 3]]
        outcome = (i // 3) % 10
        answers = {7: (other[0], other[1]), 8: (first, first), 9: (None, None)}.get(outcome, (first, second))
        made.append(record(i, target, answers, sure))
    return made


def write_run(
    directory: Path, given: list[Any], *, metrics: bool = True, labels: dict[str, Any] | None = None, **fields: Any
) -> Path:
    """Write a run directory; *fields* change the manifest, ``limit`` and ``samples`` its data set."""
    dataset = {
        "name": "toy",
        "split": "test",
        "fingerprint": "f" * 64,
        "labels": "l",
        "samples": len(given),
        "limit": None,
    }
    dataset |= {key: fields.pop(key) for key in ("limit", "samples", "name", "split") if key in fields}
    manifest = {
        "schema": 1,
        "status": "complete",
        "reason": None,
        "identity": {
            "coabench": "0.1.0",
            "backbone": {
                "name": "tiny",
                "model": None,
                "adapter": "shipped/x",
                "facts": {"dtype": "float32", "adapter": {"fingerprint": "a" * 64}},
            },
            "strategy": {"name": "chain-of-affect", "sha256": "b" * 64},
            "dataset": dataset,
            "exemplars": [],
            "decode": "generate",
            "seed": 7,
        },
        "labels": labels or {"space": "toy", "names": NAMES, "pairs": PAIRS, "basic": BASIC, "neutral": "Neutral"},
        "notes": ["an unofficial copy"],
        "sessions": [{"command": ["coabench", "evaluate", "--seed", "7"], "device": "cpu", "environment": {}}],
        "started": "2026-01-02T03:04:05+00:00",
        "ended": "2026-01-02T03:14:05+00:00",
        "seconds": 10.0,
        "images_per_second": 12.5,
    } | fields
    directory.mkdir(parents=True)
    log = "".join(json.dumps(r) + "\n" for r in given).encode()
    (directory / "run.json").write_text(json.dumps(manifest))
    (directory / "predictions.jsonl").write_bytes(log)
    if metrics and given:
        summary = summarise(given, manifest["labels"], hashlib.sha256(log).hexdigest()) | {
            "plugins": {"valence": 0.25, "pairs": ["a", "b"]}
        }
        (directory / "metrics.json").write_text(json.dumps(summary))
    return directory
