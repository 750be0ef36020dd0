"""What a run directory holds, as tests compare it."""

import json
from pathlib import Path
from typing import Any


def records(run: Path) -> list[dict[str, Any]]:
    lines = (run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def untimed(run: Path) -> list[dict[str, Any]]:
    """The records without what differs from one time to the next."""
    return [{key: value for key, value in record.items() if key != "seconds"} for record in records(run)]


def manifest(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
    return found


def metrics(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return found
