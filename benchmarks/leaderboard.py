"""The leaderboard over many runs: the first time (every log is read) and the second (nothing has changed).

    python benchmarks/leaderboard.py --runs 1000 --records 4000
    python benchmarks/leaderboard.py --runs 10000 --records 400 --groups 10 [--json FILE]
    python benchmarks/leaderboard.py --runs 10000 --records 400 --tests

Makes runs as `coabench evaluate` leaves them, with random predictions, in a temporary folder (1.4 KB a record), and
times `coabench leaderboard` as a whole process, with its peak memory. Runs of one group are about the same samples.
With ``--tests`` no file is written: only the tests of all pairs of runs are timed.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from command_line import add_json, existing_folder, parser_of, run_benchmark, whole_number
from scale import machine

from coabench.metrics.predictions import Predicted
from coabench.metrics.ranking import ranks
from coabench.metrics.summary import summarise
from coabench.registry.catalog import find_dataset
from coabench.render.tables import FORMATS


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--runs", type=whole_number(), default=1000)
    parser.add_argument("--records", type=whole_number(), default=4000)
    parser.add_argument("--groups", type=whole_number(), default=1)
    parser.add_argument("--folder", type=existing_folder, help="where to make them; a temporary folder by default")
    parser.add_argument("--format", default="csv", choices=FORMATS)
    parser.add_argument("--tests", action="store_true")
    add_json(parser)
    arguments = parser.parse_args()
    if arguments.tests:
        rank_all(arguments.runs, arguments.records)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        root = Path(folder) / "results"
        made = time.perf_counter()
        make(root, arguments.runs, arguments.records, arguments.groups)
        size = sum(f.stat().st_size for f in root.rglob("*")) / 1e9
        made = time.perf_counter() - made
        print(
            f"{arguments.runs:,} runs of {arguments.records:,} records in {arguments.groups} groups, {size:.2f} GB, "
            f"made in {made:.0f} s",
            flush=True,
        )
        environment = {**os.environ, "COABENCH_CACHE": str(Path(folder) / "cache")}
        command = [sys.executable, "-m", "coabench", "leaderboard", str(root), "--format", arguments.format]
        outputs, rows, told = [], [], machine()
        for which in ("first", "second", "third"):
            start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
            outputs.append(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
            wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
            processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            peak = after.ru_maxrss / 1024  # of any so far: the first is the largest
            rows.append({"which": which, "seconds": wall, "processor seconds": processor, "peak MiB": peak})
            print(f"{which}: {wall:.2f} s, {processor:.2f} s of processor time, {peak:.0f} MiB", flush=True)
        assert len(set(outputs)) == 1, "the same runs gave another leaderboard"
    if arguments.json:
        what = {name: getattr(arguments, name) for name in ("runs", "records", "groups")}
        arguments.json.write_text(
            json.dumps({"machine": told, **what, "rows": rows}, indent=1) + "\n", encoding="utf-8"
        )


def make(root: Path, runs: int, records: int, groups: int = 1) -> None:
    """Write runs whose skill varies; each gets a metrics.json that fits its log."""
    space = find_dataset("synthface-compound").card.space
    names = list(space.names)
    labels = {"space": space.name, "names": names, "pairs": {}, "basic": list(space.basic), "neutral": None}
    targets = [names[i % len(names)] for i in range(records)]
    rng = np.random.default_rng(0)
    each = -(-runs // groups)
    for number in range(each):
        right = rng.random(records) < 0.4 + 0.4 * number / each
        other = rng.integers(len(names), size=records)
        answers = [t if ok else names[i] for t, ok, i in zip(targets, right, other, strict=True)]
        made = [record(i, t, a) for i, (t, a) in enumerate(zip(targets, answers, strict=True))]
        log = b"".join(line(i, t, a) for i, (t, a) in enumerate(zip(targets, answers, strict=True)))
        summary = json.dumps(summarise(made, labels, hashlib.sha256(log).hexdigest()), indent=2)
        for group in range(min(groups, runs - number * groups)):  # the same predictions, of another data set
            directory = root / f"group-{group:03}" / f"run-{number:05}"
            directory.mkdir(parents=True)
            (directory / "predictions.jsonl").write_bytes(log)
            (directory / "metrics.json").write_text(summary)
            (directory / "run.json").write_text(json.dumps(manifest(number, records, labels, group), indent=2))


def rank_all(runs: int, records: int) -> None:
    """Rank random predictions, whose skill varies as in `make`."""
    rng, names = np.random.default_rng(0), tuple(f"label {i}" for i in range(11))
    targets = np.arange(records) % len(names)
    right = (rng.random(records) < 0.4 + 0.4 * number / runs for number in range(runs))
    predicted = [
        Predicted(names, targets, np.where(mask, targets, rng.integers(len(names), size=records))) for mask in right
    ]
    start, processor = time.perf_counter(), time.process_time()
    ranks(predicted)
    wall, processor = time.perf_counter() - start, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{runs:,} runs of {records:,} records: {wall:.2f} s, {processor:.2f} s of processor time, {peak:.0f} MiB")


@cache
def line(i: int, target: str, answer: str) -> bytes:
    return json.dumps(record(i, target, answer)).encode() + b"\n"


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


def manifest(run: int, records: int, labels: dict[str, Any], group: int) -> dict[str, Any]:
    return {
        "schema": 1, "status": "complete", "reason": None, "labels": labels, "images_per_second": 100.0,
        "identity": {
            "backbone": {"name": "toy", "model": f"m{run}", "adapter": None}, "strategy": {"name": "chain-of-affect"},
            "dataset": {
                "name": f"toy-{group}", "split": "test", "fingerprint": "f" * 64, "samples": records, "limit": None,
            },
            "decode": "generate", "seed": 0,
        },
        "started": "2026-01-02T03:04:05+00:00", "ended": "2026-01-02T03:05:05+00:00",
    }  # fmt: skip


if __name__ == "__main__":
    run_benchmark(main)
