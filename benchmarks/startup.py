"""How long a user waits for the first word: whole processes, from the start to the end.

The ratio is to an empty Python. The first answer is that of ``coabench evaluate --limit 1``: the embedded default,
model and faces included.

    python benchmarks/startup.py [--rounds 7] [--json FILE]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time

from command_line import add_json, parser_of, run_benchmark, whole_number
from scale import machine

COABENCH = [sys.executable, "-m", "coabench"]
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "coabench --help": [*COABENCH, "--help"],
    "coabench list": [*COABENCH, "list"],
    "coabench datasets list": [*COABENCH, "datasets", "list"],
    "coabench evaluate --limit 1": [*COABENCH, "evaluate", "--limit", "1", "--output", "out", "--overwrite"],
}


def seconds(command: list[str], folder: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=whole_number(), default=7)
    add_json(parser)
    arguments = parser.parse_args()
    told, rows = machine(), []
    print(", ".join(f"{key} {value}" for key, value in told.items()) + "\n")
    print("| command | s (median) | least | most | ratio |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        taken = {name: [seconds(command, folder)] for name, command in COMMANDS.items()}  # to warm up
        for _ in range(arguments.rounds):
            for name, command in COMMANDS.items():
                taken[name].append(seconds(command, folder))
    empty = statistics.median(taken["python -c pass"][1:])
    for name, (_, *counted) in taken.items():
        median = statistics.median(counted)
        row = {"command": name, "seconds": median, "least": min(counted), "most": max(counted), "ratio": median / empty}
        rows.append(row)
        print(f"| {name} | {median:.3f} | {min(counted):.3f} | {max(counted):.3f} | {median / empty:.1f} |")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": told, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
