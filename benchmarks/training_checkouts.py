"""What a training step takes: the plain loop, an earlier checkout and this one, in turns, each in its own process.

    git worktree add ../before v0.1.0
    python benchmarks/training_checkouts.py ../before [--rounds 4] [--json FILE]

One micro-batch of the random model of ``training.py``, forward and backward. The plain loop is the earlier checkout's:
PEFT's own layers. Processor seconds, the least of the rounds; losses, which must be equal, without dropout: what is
dropped differs.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checkouts import Checkout
from command_line import add_json, existing_folder, parser_of, run_benchmark, whole_number
from subject import machine

PROCESS = """
import json, sys, time
from types import SimpleNamespace
import torch
import training
from subject import BASIC, face, random_model
from coabench_phi35v.images import picture
from coabench.recipe import Recipe

threads, images, size = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.set_num_threads(threads)
pictures = [picture(face(number), training.NUM_CROPS) for number in range(len(BASIC))]
base = random_model(training.WORDS, pictures, size)
runs = {}
for line in sys.stdin:
    name, folder, composition, dropout, targets, dtype = json.loads(line)
    plain = training.Setting(size, "cpu", dtype, False)
    recipe = Recipe(rank=32, alpha=16, dropout=dropout, targets=tuple(targets))
    setting = SimpleNamespace(recipe=recipe, arithmetic=plain.arithmetic, device="cpu")
    key = (name, folder, dropout, *targets, dtype)
    if key not in runs:
        runs = {key: training.contestant(name, base, setting)}
        if folder:
            runs[key].keep(folder)
    job = training.work(composition, images)
    begin = time.process_time()
    loss = training.step(runs[key], job, setting)
    print(json.dumps([time.process_time() - begin, loss]), flush=True)
"""
"""A contestant with the code of a checkout; see `checkouts.Checkout`."""


@dataclass(frozen=True)
class Race:
    """What is trained in turns.

    Attributes:
        targets: the parts that are trained; all of them where empty.
        kept: whether the contestant that keeps what the vision tower makes takes part.
    """

    title: str
    composition: str
    dropout: float = 0.0
    targets: tuple[str, ...] = ()
    kept: bool = False


FROZEN = ("language", "projector")
RACES = (
    Race("one question, LoRA everywhere", "basic, one question"),
    Race("the same, dropout 0.05", "basic, one question", 0.05),
    Race("one question, vision tower frozen", "basic, one question", 0.0, FROZEN, kept=True),
    Race("compound, both orders (2)", "compound, both orders"),
)


def run(arguments: argparse.Namespace, about: dict[str, Any]) -> None:
    """Run the contestants in turns, each in a process of its own; print and write what they took."""
    here = Path(__file__).resolve().parents[1]
    entrants = {
        "plain loop": ("plain loop", arguments.before.resolve(), False),
        "coabench before": ("coabench", arguments.before.resolve(), False),
        "coabench": ("coabench", here, False),
        "coabench, --vision-cache": ("coabench", here, True),
    }
    running = {
        name: Checkout(path, arguments.threads, arguments.images, PROCESS, arguments.size)
        for name, (_, path, _) in entrants.items()
    }
    print("| what is trained | what | processor s/step | times faster | from … to | loss |\n" + "|---" * 6 + "|")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for race in RACES:
            taken: dict[str, list[float]] = {name: [] for name in entrants if race.kept or not entrants[name][2]}
            losses = dict.fromkeys(taken, 0.0)
            for turn in range(arguments.rounds + 1):
                for name in taken:
                    kind, _, keeps = entrants[name]
                    seconds, losses[name] = running[name].ask(
                        kind, folder if keeps else "", race.composition, race.dropout, race.targets, arguments.dtype
                    )
                    taken[name] += [seconds] if turn else []  # the first round warms up, and fills the cache
            for name, own in taken.items():
                ratios = [plain / other for plain, other in zip(taken["plain loop"], own, strict=True)]
                row = {"trained": race.title, "what": name, "processor_seconds": min(own),
                       "times_faster": min(taken["plain loop"]) / min(own), "least": min(ratios), "most": max(ratios),
                       "loss": None if race.dropout else losses[name]}  # fmt: skip
                rows.append(row)
                loss = "" if row["loss"] is None else f"{row['loss']:.5f}"
                print(f"| {race.title} | {name} | {row['processor_seconds']:.2f} | {row['times_faster']:.2f} "
                      f"| {row['least']:.2f} … {row['most']:.2f} | {loss} |", flush=True)  # fmt: skip
            if arguments.json:
                arguments.json.write_text(
                    json.dumps({"machine": about, "rows": rows}, indent=1) + "\n", encoding="utf-8"
                )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("before", type=existing_folder)
    parser.add_argument("--images", type=whole_number(), default=1, help="in a micro-batch")
    parser.add_argument("--rounds", type=whole_number(), default=2)
    parser.add_argument("--threads", type=whole_number(), default=1)
    parser.add_argument("--size", default="mid", choices=["tiny", "mid"])
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    add_json(parser)
    arguments = parser.parse_args()
    if not (arguments.before / "benchmarks" / "training.py").is_file():
        parser.error(f"{arguments.before} is no checkout of coabench: it has no benchmarks/training.py")
    about = machine("cpu", arguments.threads)
    print(", ".join(f"{key} {value}" for key, value in about.items()) + "\n")
    run(arguments, about)


if __name__ == "__main__":
    run_benchmark(main)
