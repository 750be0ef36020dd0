"""What a stress of the embedded default costs beside its model: processes, loading, and recognising images.

*before*: a process for each job, which loads the model, and every image decoded anew by each check. *after*: one
process for all jobs of one model, and what was decoded is remembered. Both take turns. Counted is the processor time of
all processes, user and system, since the clock of a busy machine says little.

    python benchmarks/stress_processes.py [--faces 220] [--rounds 2] [--json FILE]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from command_line import add_json, parser_of, run_benchmark, whole_number

from coabench.base.version import __version__

SUITE = "conditions: [{transform: blur, severities: all}, {transform: gamma, severities: [1, 3, 5]}]"
BEFORE = (
    "from coabench.inference import contents; contents.MOST = 0\n"
    "from coabench.sweep.planned import Planned; Planned.model = None\n"
)
"""As it was: nothing is remembered, and no job has a model in common with another."""
COMMAND = "import sys\n{}from coabench.cli import main\nmain(sys.argv[1:])"


def cost(before: bool, *words: object) -> float:
    """Return the processor seconds of a command and of all that it starts."""
    command = [sys.executable, "-c", COMMAND.format(BEFORE if before else ""), *map(str, words)]
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--faces", type=whole_number(), default=220)
    parser.add_argument("--rounds", type=whole_number(), default=2)
    add_json(parser)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="coabench-stress-"))
    (folder / "eight.yaml").write_text(SUITE, encoding="utf-8")
    seconds: dict[tuple[str, bool], list[float]] = {}
    for number in range(arguments.rounds):
        for before in (True, False):
            output = folder / f"{number}-{before}"
            words = ("stress", "--suite", folder / "eight.yaml", "--limit", arguments.faces, "--output", output)
            plan = ("stress", "--suite", "questions", "--dry-run", "--output", folder / "none")
            seconds.setdefault(("eight image conditions and the clean run", before), []).append(cost(before, *words))
            seconds.setdefault(("the same again, complete", before), []).append(cost(before, *words))
            seconds.setdefault(("33 conditions of 1,100 faces checked", before), []).append(cost(before, *plan))
    rows: list[dict[str, Any]] = []
    print("| what | before, processor s | after, processor s | ratio |\n|---|---|---|---|")
    for what in dict.fromkeys(what for what, _ in seconds):
        old, new = (sum(seconds[what, before]) / arguments.rounds for before in (True, False))
        rows.append({"what": what, "before": round(old, 2), "after": round(new, 2), "ratio": round(new / old, 3)})
        print(f"| {what} | {old:.1f} | {new:.1f} | {new / old:.2f} |")
    if arguments.json:
        about = {"coabench": __version__, "faces": arguments.faces, "rounds": arguments.rounds}
        arguments.json.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
