"""The leaderboard over many runs: the first time (every log is read) and the second (nothing has changed).

    python benchmarks/leaderboard.py --runs 1000 --records 4000

Makes runs as `coabench evaluate` leaves them, with random predictions, in a temporary folder (1.4 KB a record), and
times `coabench leaderboard` as a whole process.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from command_line import existing_folder, parser_of, run_benchmark, whole_number

from coabench.metrics.summary import summarise
from coabench.registry.catalog import find_dataset
from coabench.render.tables import FORMATS


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--runs", type=whole_number(), default=1000)
    parser.add_argument("--records", type=whole_number(), default=4000)
    parser.add_argument("--folder", type=existing_folder, help="where to make them; a temporary folder by default")
    parser.add_argument("--format", default="csv", choices=FORMATS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        root = Path(folder) / "results"
        make(root, arguments.runs, arguments.records)
        size = sum(f.stat().st_size for f in root.rglob("*")) / 1e9
        print(f"{arguments.runs} runs of {arguments.records} records, {size:.2f} GB")
        environment = {**os.environ, "COABENCH_CACHE": str(Path(folder) / "cache")}
        command = [sys.executable, "-m", "coabench", "leaderboard", str(root), "--format", arguments.format]
        outputs = []
        for which in ("first", "second", "third"):
            start = time.perf_counter()
            outputs.append(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
            print(f"{which}: {time.perf_counter() - start:.2f} s")
        assert len(set(outputs)) == 1, "the same runs gave another leaderboard"


def make(root: Path, runs: int, records: int) -> None:
    """Write runs whose skill varies; each gets a metrics.json that fits its log."""
    space = find_dataset("synthface-compound").card.space
    names = list(space.names)
    labels = {"space": space.name, "names": names, "pairs": {}, "basic": list(space.basic), "neutral": None}
    targets = [names[i % len(names)] for i in range(records)]
    rng = np.random.default_rng(0)
    for run in range(runs):
        directory = root / f"run-{run:04}"
        directory.mkdir(parents=True)
        right = rng.random(records) < 0.4 + 0.4 * run / runs
        other = rng.integers(len(names), size=records)
        answers = [t if ok else names[i] for t, ok, i in zip(targets, right, other, strict=True)]
        made = [record(i, t, a) for i, (t, a) in enumerate(zip(targets, answers, strict=True))]
        log = "".join(json.dumps(r) + "\n" for r in made).encode()
        (directory / "predictions.jsonl").write_bytes(log)
        summary = summarise(made, labels, hashlib.sha256(log).hexdigest())
        (directory / "metrics.json").write_text(json.dumps(summary, indent=2))
        (directory / "run.json").write_text(json.dumps(manifest(run, records, labels), indent=2))


def record(i: int, target: str, answer: str) -> dict[str, object]:
    turn = {
        "prompt": "Select an emotion label from the following options: " + "'Surprise', " * 20,
        "options": ["Surprise"] * 7, "response": answer, "label": answer, "match": "exact", "scores": None,
        "prompt_tokens": 104, "cached_tokens": 0, "new_tokens": 3,
    }  # fmt: skip
    return {
        "id": f"toy/test_{i:05}", "image": f"test_{i:05}.jpg", "image_sha256": "0" * 64, "target": target,
        "prediction": answer, "status": "ok", "reason": None,
        "turns": [{"name": "primary", **turn}, {"name": "secondary", **turn}], "attributes": {"age": i % 5},
        "seconds": 0.01,
    }  # fmt: skip


def manifest(run: int, records: int, labels: dict[str, object]) -> dict[str, object]:
    return {
        "schema": 1, "status": "complete", "reason": None, "labels": labels, "images_per_second": 100.0,
        "identity": {
            "backbone": {"name": "toy", "model": f"m{run}", "adapter": None}, "strategy": {"name": "chain-of-affect"},
            "dataset": {"name": "toy", "split": "test", "fingerprint": "f" * 64, "samples": records, "limit": None},
            "decode": "generate", "seed": 0,
        },
        "started": "2026-01-02T03:04:05+00:00", "ended": "2026-01-02T03:05:05+00:00",
    }  # fmt: skip


if __name__ == "__main__":
    run_benchmark(main)
