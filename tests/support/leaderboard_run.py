"""Run directories as the leaderboard reads them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from coabench.metrics.summary import summarise

NAMES = ["Happily Surprised", "Sadly Angry", "Sadly Fearful"]
PAIRS = {
    "Happily Surprised": ["Happiness", "Surprise"],
    "Sadly Angry": ["Sadness", "Anger"],
    "Sadly Fearful": ["Sadness", "Fear"],
}
PER_CLASS = 40
N = PER_CLASS * len(NAMES)


def write_run(
    directory: Path,
    hits: int,
    *,
    status: str = "complete",
    reason: str | None = None,
    lost: int = 0,
    metrics: bool = True,
    images_per_second: float | None = 12.5,
    backbone: dict[str, Any] | None = None,
    strategy: str = "direct",
    **dataset: Any,
) -> Path:
    """Write a run that gets *hits* of each class right and leaves the others INVALID."""
    directory.mkdir(parents=True)
    manifest = {
        "schema": 1,
        "status": status,
        "reason": reason,
        "identity": {
            "backbone": {"name": "tiny", "model": None, "adapter": None} | (backbone or {}),
            "strategy": {"name": strategy},
            "dataset": {"name": "toy", "split": "test", "fingerprint": "f" * 64, "samples": N, "limit": None} | dataset,
            "decode": "generate",
            "seed": 0,
        },
        "labels": {"space": "toy", "names": NAMES, "pairs": PAIRS, "basic": [], "neutral": None},
        "started": "2026-01-02T03:04:05+00:00",
        "ended": "2026-01-03T03:04:05+00:00",
        "images_per_second": images_per_second,
    }
    records = [
        {"id": f"{name}/{i}", "target": name, "prediction": name if i < hits else None, "turns": []}
        | ({"status": "ok", "reason": None} if i < hits else {"status": "invalid", "reason": "unparsed-answer"})
        for name in NAMES
        for i in range(PER_CLASS)
    ]
    log = "".join(json.dumps(record) + "\n" for record in records[: len(records) - lost]).encode()
    (directory / "run.json").write_text(json.dumps(manifest))
    (directory / "predictions.jsonl").write_bytes(log)
    if metrics:
        summary = summarise(records[: len(records) - lost], manifest["labels"], hashlib.sha256(log).hexdigest())
        (directory / "metrics.json").write_text(json.dumps(summary))
    return directory
