"""How long a user waits for the first word: whole processes, from the start to the end.

The ratio is to an empty Python; processor seconds are those of all threads. The first answer is that of ``coabench
evaluate --limit 1``: the embedded default, model and faces included.

    python benchmarks/startup.py [--rounds 7] [--before CHECKOUT] [--json FILE]

With ``--before`` the commands of another checkout take turns with those of this one.
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
from pathlib import Path

from command_line import add_json, existing_folder, parser_of, run_benchmark, whole_number
from scale import machine

COABENCH = [sys.executable, "-m", "coabench"]
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "coabench --help": [*COABENCH, "--help"],
    "coabench list": [*COABENCH, "list"],
    "coabench datasets list": [*COABENCH, "datasets", "list"],
    "coabench evaluate --limit 1": [*COABENCH, "evaluate", "--limit", "1", "--output", "out", "--overwrite"],
}


HERE = Path(__file__).parents[1]


def seconds(command: list[str], folder: str, checkout: Path) -> tuple[float, float]:
    """Return wall and processor seconds."""
    environment = {**os.environ, "PYTHONPATH": f"{checkout}{os.pathsep}{checkout / 'plugins'}"}
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=whole_number(), default=7)
    parser.add_argument("--before", type=existing_folder, metavar="CHECKOUT")
    add_json(parser)
    arguments = parser.parse_args()
    checkouts = {"": HERE} | ({", before": arguments.before.resolve()} if arguments.before else {})
    contestants = {
        f"{name}{which}": (command, checkout)
        for name, command in COMMANDS.items()
        for which, checkout in checkouts.items()
        if checkout == HERE or "coabench" in name
    }
    told, rows = machine(), []
    print(", ".join(f"{key} {value}" for key, value in told.items()) + "\n")
    print("| command | s (median) | least | most | ratio | processor s |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        taken = {name: [seconds(command, folder, at)] for name, (command, at) in contestants.items()}  # to warm up
        for _ in range(arguments.rounds):
            for name, (command, at) in contestants.items():
                taken[name].append(seconds(command, folder, at))
    empty = statistics.median(wall for wall, _ in taken["python -c pass"][1:])
    for name, (_, *counted) in taken.items():
        walls = [wall for wall, _ in counted]
        median, processor = statistics.median(walls), statistics.median(busy for _, busy in counted)
        row = {"command": name, "seconds": median, "least": min(walls), "most": max(walls), "ratio": median / empty,
               "processor seconds": processor}  # fmt: skip
        rows.append(row)
        figures = f"{median:.3f} | {min(walls):.3f} | {max(walls):.3f} | {median / empty:.1f} | {processor:.2f}"
        print(f"| {name} | {figures} |", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": told, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
