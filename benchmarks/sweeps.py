"""What runs of a sweep gain by what they share: a loaded model, and a look at each image.

    python benchmarks/sweeps.py [--limit 110] [--rounds 1] [--json FILE]

The same four runs (two strategies, two decode modes, the embedded model without adapter) in three ways, in turns: each
in a process of its own; one after the other in one process, which loads the model once; and together, with one look at
each image. Processor seconds are those of all processes, checks and start included.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from command_line import add_json, parser_of, run_benchmark, whole_number
from scale import machine

from coabench.sweep.executor import ExecutorRequest
from coabench.sweep.local import LocalExecutor
from coabench.sweep.plan import make_plan
from coabench.sweep.planned import Planned, share_looks
from coabench.sweep.sheet import read_sheet

SHEET = """
schema: 1
output: {output}
defaults: {{backbone: {backbone}, adapter: none, dataset: synthface-compound, limit: {limit}, batch_size: 11}}
axes:
  strategy: [direct, chain-of-affect]
  decode: [generate, score]
"""


def apart(runs: Sequence[Planned]) -> None:
    for run in runs:
        command = [sys.executable, "-m", *run.request.command, "--overwrite"]
        subprocess.run(command, check=True, capture_output=True)


def in_one_process(runs: Sequence[Planned]) -> None:
    executor = LocalExecutor(ExecutorRequest(LocalExecutor.Options()))
    problems = [ending.problem for ending in executor.execute(runs) if ending is not None and ending.problem]
    assert not problems, problems


def together(runs: Sequence[Planned]) -> None:
    in_one_process(share_looks(runs))


WAYS = {"each in its own process": apart, "one process, the model loaded once": in_one_process, "one look": together}


def measure(way: str, backbone: str, limit: int) -> tuple[float, float, Any]:
    """Return wall and processor seconds, and what was recorded."""
    with tempfile.TemporaryDirectory() as folder:
        sheet = Path(folder) / "sheet.yaml"
        sheet.write_text(SHEET.format(output=Path(folder) / "out", backbone=backbone, limit=limit))
        runs = make_plan(read_sheet(sheet)).runs
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        WAYS[way](runs)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        logs = {log.parent.name: log.read_text() for log in sorted(Path(folder).glob("out/*/predictions.jsonl"))}
    made = {name: [{**json.loads(line), "seconds": None} for line in text.splitlines()] for name, text in logs.items()}
    assert len(made) == len(runs)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, made


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--backbone", default="tiny")
    parser.add_argument("--limit", type=whole_number(), default=110)
    parser.add_argument("--rounds", type=whole_number(), default=1)
    add_json(parser)
    arguments = parser.parse_args()
    told, taken, recorded = machine(), {way: list[tuple[float, float]]() for way in WAYS}, []
    threads = os.environ.get("OMP_NUM_THREADS")
    for _ in range(arguments.rounds):
        for way in WAYS:
            *seconds, made = measure(way, arguments.backbone, arguments.limit)
            taken[way].append((seconds[0], seconds[1]))
            recorded.append(made)
    assert all(made == recorded[0] for made in recorded), "the same runs recorded other answers"
    rows = [
        {"way": way, "seconds": statistics.median(s for s, _ in found),
         "processor seconds": statistics.median(p for _, p in found)}
        for way, found in taken.items()
    ]  # fmt: skip
    print("| way | s | processor s | ratio |\n|---|---|---|---|")
    for row in rows:
        row["ratio"] = row["processor seconds"] / rows[0]["processor seconds"]
        print(f"| {row['way']} | {row['seconds']:.1f} | {row['processor seconds']:.1f} | {row['ratio']:.2f} |")
    if arguments.json:
        what = {"backbone": arguments.backbone, "limit": arguments.limit, "OMP_NUM_THREADS": threads}
        arguments.json.write_text(json.dumps({"machine": told, **what, "rows": rows}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    run_benchmark(main)
