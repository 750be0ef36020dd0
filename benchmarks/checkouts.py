"""Whether a change made the port faster: two checkouts answer the same questions in turns, each in its own process.

    git worktree add ../before v0.1.0
    python benchmarks/checkouts.py ../before . [--tasks chain one-shot] [--dtype float32 bfloat16] [--json FILE]

Contestants, tasks and the random model are those of ``inference.py``, of each checkout its own.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from command_line import add_json, existing_folder, parser_of, run_benchmark, whole_number
from subject import machine

PROCESS = """
import json, sys, time, torch
import inference
from subject import WordPieces, face, random_model
from coabench_phi35v.images import picture

threads, faces = map(int, sys.argv[1:])
torch.set_num_threads(threads)
images = [face(number) for number in range(max(8, faces))]
tokenizer = WordPieces()
model = random_model(tokenizer, [picture(image, 4) for image in images])
for line in sys.stdin:
    dtype, task, decode, batch = json.loads(line)
    bench = inference.Bench(model.to(getattr(torch, dtype)), tokenizer, 4, "cpu")
    begin = time.perf_counter()
    kept = inference.SharedCache.on(torch.device("cpu"))
    answers = inference.ported(task, bench, batch, decode, kept, images[:faces])
    print(json.dumps([(time.perf_counter() - begin) / faces, answers]), flush=True)
"""


class Checkout:
    """A process that answers with the code of a checkout.

    Args:
        process: what it runs: reads settings, a JSON line each, and answers each by a line.
        more: further arguments of its own, after threads and faces.
    """

    def __init__(self, folder: Path, threads: int, faces: int, process: str = PROCESS, *more: str) -> None:
        path = [folder / "benchmarks", folder, folder / "plugins"]
        paths = {"PYTHONPATH": os.pathsep.join(map(str, path)), "PYTHONSAFEPATH": "1"}  # not the folder at hand
        environment = {**os.environ, **paths, "OMP_NUM_THREADS": str(threads)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", process, str(threads), str(faces), *more],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def ask(self, *setting: object) -> tuple[Any, Any]:
        """Return seconds per face, and the answers."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(setting), file=self._process.stdin, flush=True)
        seconds, answers = json.loads(self._process.stdout.readline())
        return seconds, answers


def compare(before: Checkout, after: Checkout, rounds: int, *setting: object) -> dict[str, Any]:
    """Return the ratios of some rounds, in which the two take turns after one to warm up."""
    pairs: list[tuple[float, float]] = []
    same = True
    for turn in range(rounds + 1):
        order = (before, after) if turn % 2 else (after, before)
        answered = {each: each.ask(*setting) for each in order}
        same = same and answered[before][1] == answered[after][1]
        if turn:
            pairs.append((answered[before][0], answered[after][0]))
    ratios = [old / new for old, new in pairs]
    return {
        "dtype": setting[0], "task": setting[1], "decode": setting[2], "batch": setting[3],
        "seconds_per_image": min(new for _, new in pairs), "times_faster": statistics.median(ratios),
        "least": min(ratios), "most": max(ratios), "same_answers": same,
    }  # fmt: skip


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("before", type=existing_folder)
    parser.add_argument("after", type=existing_folder)
    parser.add_argument("--tasks", nargs="+", default=["chain", "one-shot"], choices=["chain", "one-shot"])
    parser.add_argument("--dtype", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    parser.add_argument("--decode", nargs="+", default=["generate", "score"], choices=["generate", "score"])
    parser.add_argument("--batch-size", type=whole_number(), nargs="+", default=[1, 4])
    parser.add_argument("--threads", type=whole_number(), default=2)
    parser.add_argument("--faces", type=whole_number(), default=4)
    parser.add_argument("--rounds", type=whole_number(), default=4)
    add_json(parser)
    arguments = parser.parse_args()
    for path in (arguments.before, arguments.after):
        if not (path / "benchmarks" / "inference.py").is_file():
            parser.error(f"{path} is no checkout of coabench: it has no benchmarks/inference.py")
    about = machine("cpu", arguments.threads)
    print(", ".join(f"{key} {value}" for key, value in about.items()) + "\n")
    checkouts = [
        Checkout(path.resolve(), arguments.threads, arguments.faces) for path in (arguments.before, arguments.after)
    ]
    print("| dtype | task | decode | batch | s/image | times faster | from … to | same answers |\n" + "|---" * 8 + "|")
    rows = []
    for setting in itertools.product(arguments.dtype, arguments.tasks, arguments.decode, arguments.batch_size):
        row = compare(*checkouts, arguments.rounds, *setting)
        rows.append(row)
        print(f"| {row['dtype']} | {row['task']} | {row['decode']} | {row['batch']} | {row['seconds_per_image']:.3f} "
              f"| {row['times_faster']:.3f} | {row['least']:.2f} … {row['most']:.2f} "
              f"| {'yes' if row['same_answers'] else 'no'} |", flush=True)  # fmt: skip
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": about, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
