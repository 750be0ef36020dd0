"""What eight rewritten questions cost that share one look at the images, against the clean run alone.

A Phi-3.5-vision of medium size with random weights holds Chain-of-Affect about drawn faces: *clean*, the questions as
they are; *together*, eight conditions on one viewing, as `coabench stress` holds them; *apart*, the same eight, each
on a viewing of its own. All take turns, batch by batch, so that a machine that slows down slows all of them. Processor
time is counted beside the clock. Answers together and apart must be equal, scores to the last bit.

    python benchmarks/stress.py [--faces 12] [--batch-size 4] [--num-crops 4 16] [--json FILE]
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from coabench_phi35v.images import picture
from coabench_phi35v.model import Phi3VForCausalLM
from coabench_phi35v.prompt import Control
from coabench_phi35v.viewing import Phi35Viewing
from command_line import add_json, parser_of, run_benchmark, whole_number
from PIL.Image import Image
from subject import WordPieces, face, machine, random_model

from coabench.decode import DECODES, Decode
from coabench.dialogue import Task
from coabench.inference.engine import Outcome, hold_dialogues
from coabench.registry.catalog import find_dataset, find_strategy
from coabench.registry.rewrites import Rewrites

CONDITIONS = (
    "order:rotate=1", "order:rotate=3", "order:seed=1", "case:style=lower", "quotes:style=double", "comma:last=no",
    "synonyms:table=a", "polite:style=both",
)  # fmt: skip
MOST = 12
"""Tokens of an answer: a model with random weights does not always end it."""


class Subject:
    """The model, and what it is asked."""

    def __init__(self, model: Phi3VForCausalLM, tokenizer: WordPieces, num_crops: int, decode: Decode) -> None:
        self._model, self._tokenizer, self._num_crops, self._decode = model, tokenizer, num_crops, decode
        self._strategy = find_strategy("chain-of-affect").open()
        self._space = find_dataset("raf-db-compound").card.space
        self._rewrites = [Rewrites([text], 0) for text in CONDITIONS]

    def clean(self, images: Sequence[Image]) -> list[list[Outcome]]:
        return [self._held(self._look(images), Rewrites([], 0), images)]

    def together(self, images: Sequence[Image]) -> list[list[Outcome]]:
        viewing, held = self._look(images), []
        for rewrites in self._rewrites:
            viewing.restart()
            held.append(self._held(viewing, rewrites, images))
        return held

    def apart(self, images: Sequence[Image]) -> list[list[Outcome]]:
        return [self._held(self._look(images), rewrites, images) for rewrites in self._rewrites]

    def _look(self, images: Sequence[Image]) -> Phi35Viewing:
        stop = frozenset({self._tokenizer.control(Control.END), self._tokenizer.control(Control.ENDOFTEXT)})
        samples = [(picture(image, self._num_crops),) for image in images]
        return Phi35Viewing(self._model, self._tokenizer, samples, stop, MOST)

    def _held(self, viewing: Phi35Viewing, rewrites: Rewrites, images: Sequence[Image]) -> list[Outcome]:
        tasks = [Task(self._space) for _ in images]
        return hold_dialogues(viewing, self._strategy, tasks, self._decode, rewrite=rewrites)


def race(subject: Subject, images: Sequence[Image], batch: int) -> list[dict[str, Any]]:
    """Return a row for each way, with seconds per image; the first image warms up."""
    ways: dict[str, Callable[[Sequence[Image]], list[list[Outcome]]]] = {
        "clean": subject.clean, "eight together": subject.together, "eight apart": subject.apart,
    }  # fmt: skip
    wall, cpu = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0.0)
    equal = True
    for way in ways.values():
        way(images[:1])
    for start in range(0, len(images), batch):
        outcomes = {}
        for name, way in ways.items():
            began, worked = time.perf_counter(), time.process_time()
            outcomes[name] = way(images[start : start + batch])
            wall[name] += time.perf_counter() - began
            cpu[name] += time.process_time() - worked
        equal = equal and outcomes["eight together"] == outcomes["eight apart"]
    return [
        {
            "what": name,
            "seconds_per_image": wall[name] / len(images),
            "processor_seconds_per_image": cpu[name] / len(images),
            "times_clean": cpu[name] / cpu["clean"],
            "together_equals_apart": equal,
        }
        for name in ways
    ]


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--num-crops", type=whole_number(), nargs="+", default=[4, 16])
    parser.add_argument("--batch-size", type=whole_number(), default=4)
    parser.add_argument("--threads", type=whole_number(), default=1)
    parser.add_argument("--faces", type=whole_number(7), default=8, help="how many (at least 7)")
    add_json(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    images, tokenizer = [face(number) for number in range(arguments.faces)], WordPieces()
    about = machine("cpu", arguments.threads)
    print(", ".join(f"{key} {value}" for key, value in about.items()) + "\n")
    model = random_model(tokenizer, [picture(image, 4) for image in images], "mid", "cpu", torch.float32)
    rows = []
    print(
        "| crops | decode | what | s/image | processor s/image | times clean |\n|---|---|---|---|---|---|", flush=True
    )
    for num_crops in arguments.num_crops:
        for decode in DECODES[:2]:
            for row in race(Subject(model, tokenizer, num_crops, decode), images, arguments.batch_size):
                rows.append({"num_crops": num_crops, "decode": decode, "batch": arguments.batch_size, **row})
                print(
                    f"| {num_crops} | {decode} | {row['what']} | {row['seconds_per_image']:.3f} "
                    f"| {row['processor_seconds_per_image']:.3f} | {row['times_clean']:.2f} |",
                    flush=True,
                )
            print(f"together equals apart: {rows[-1]['together_equals_apart']}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": about, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
