"""Where the time of Chain-of-Affect goes on a CPU, by kind of operation and precision, with the floor of each part.

    python benchmarks/profile_cpu.py [--dtypes float32 bfloat16 int8] [--batch-size 4] [--threads 1] [--json FILE]

A random mid-size Phi-3.5-vision scores both questions about a batch of drawn faces. Precisions take turns; the
fastest round of each part counts. Seconds are the processor's: the profiler's own are of the clock, and are divided
by as much as the process had to wait. The floor of a part is the time of its operations at the rate that a large
linear layer reaches here in that precision; beside int8, attention is computed in float32. What is neither has no
floor.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from breakdown import by_kind
from coabench_phi35v.images import Picture, picture
from coabench_phi35v.model import Phi3VForCausalLM
from coabench_phi35v.shared_cache import SharedCache
from command_line import add_json, parser_of, run_benchmark, whole_number
from inference import Bench, floor, passes, ported
from PIL.Image import Image
from subject import BASIC, WordPieces, attention_operations, face, machine, random_model
from torch import nn

from coabench.recipe import INT8
from coabench.support.int8_dynamic import DynamicInt8Linear, multiply_integers
from coabench.support.linear import fast_linear

Parts = dict[str, float]
"""ms an image."""
DTYPES = ("float32", "bfloat16", INT8)
IMAGES, REST = "cutting images", "Python and the rest"


def in_precision(base: Phi3VForCausalLM, dtype: str) -> Phi3VForCausalLM:
    """Return a model of the same weights in another precision."""
    made = Phi3VForCausalLM.blueprint(base.sizes)
    kind = torch.float32 if dtype == INT8 else getattr(torch, dtype)
    made.fill({name: weight.to(kind) for name, weight in base.state_dict().items()})
    if dtype == INT8:
        multiply_integers(made, made.linear_layers)
    return made


def rate_of(dtype: str, times: int = 5) -> float:
    """Return the operations a second of a large linear layer, 2,885 × 1,024 × 4,096; of int8 with its quantisation."""
    linear, x = nn.Linear(1024, 4096).requires_grad_(False), torch.randn(5 * 577, 1024)
    kind = torch.float32 if dtype == INT8 else getattr(torch, dtype)
    layer, x = DynamicInt8Linear(linear) if dtype == INT8 else linear.to(kind), x.to(kind)
    with fast_linear(torch.device("cpu"), kind):
        return 2 * x.numel() * 4096 / min(timed(lambda: layer(x)) for _ in range(times))


def timed(what: Callable[[], Any]) -> float:
    """Return the processor's seconds, which others do not use up."""
    begin = time.process_time()
    with torch.inference_mode():
        what()
    return time.process_time() - begin


@dataclass(frozen=True)
class CutBefore(Bench):
    """Has cut its images before the clock starts."""

    pictures: Mapping[int, Picture]

    def picture(self, image: Image) -> Picture:
        return self.pictures[id(image)]


def profile(bench: Bench, images: Sequence[Image]) -> Parts:
    """Return the parts of one round."""
    kept, busy, lasted = SharedCache.on(torch.device("cpu")), 0.0, 1.0
    pictures: dict[int, Picture] = {}
    cutting = timed(lambda: pictures.update({id(image): bench.picture(image) for image in images}))
    cut = CutBefore(bench.model, bench.tokenizer, bench.num_crops, bench.device, pictures)

    def once() -> None:
        nonlocal busy, lasted
        begin = time.perf_counter()
        busy = timed(lambda: ported("chain", cut, len(images), "score", kept, images))
        lasted = time.perf_counter() - begin

    once()  # to warm up
    found = by_kind("cpu", once, len(images))
    parts = {name.removesuffix("_ms").replace("_", " "): each * busy / lasted for name, each in found.items()}
    once()
    parts[IMAGES] = 1000 * cutting / len(images)
    return {**parts, "whole": 1000 * busy / len(images) + parts[IMAGES]}


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--dtypes", nargs="+", default=DTYPES, choices=DTYPES)
    parser.add_argument("--batch-size", type=whole_number(), default=4)
    parser.add_argument("--rounds", type=whole_number(), default=2)
    parser.add_argument("--threads", type=whole_number(), default=1)
    parser.add_argument("--size", default="mid", choices=["tiny", "mid"])
    add_json(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    tokenizer, images = WordPieces(), [face(number) for number in range(max(arguments.batch_size, len(BASIC)))]
    base = random_model(tokenizer, [picture(image, 4) for image in images], arguments.size)
    benches = {dtype: Bench(in_precision(base, dtype), tokenizer, 4, "cpu") for dtype in arguments.dtypes}
    rounds: dict[str, list[Parts]] = {dtype: [] for dtype in benches}
    rates: dict[str, list[float]] = {dtype: [] for dtype in {**benches, "float32": None}}
    for _ in range(arguments.rounds):
        for dtype in rates:
            rates[dtype].append(rate_of(dtype))
        for dtype, bench in benches.items():
            rounds[dtype].append(profile(bench, images[: arguments.batch_size]))
    rows = []
    print("| dtype | part | ms an image | share | floor, ms | of the floor |\n|---|---|---|---|---|---|")
    for dtype, bench in benches.items():
        parts = {name: min(each[name] for each in rounds[dtype]) for name in rounds[dtype][0]}
        whole = parts.pop("whole")
        parts[REST] = max(0.0, whole - sum(parts.values()))
        crops = len(bench.picture(images[0]).distinct)
        attention = attention_operations(base.sizes, crops, passes("chain", bench))
        least = {
            "linear": 1000 * (floor("chain", bench) - attention) / max(rates[dtype]),
            "attention": 1000 * attention / max(rates["float32" if dtype == INT8 else dtype]),
        }
        for name, spent in {**parts, "whole": whole}.items():
            low = sum(least.values()) if name == "whole" else least.get(name)
            rows.append({"dtype": dtype, "part": name, "ms": spent, "share": spent / whole, "floor_ms": low})
            bound = " | " if low is None else f"{low:.0f} | {low / spent:.0%}"
            print(f"| {dtype} | {name} | {spent:.0f} | {spent / whole:.0%} | {bound} |", flush=True)
    if arguments.json:
        fastest = {dtype: max(found) for dtype, found in rates.items()}
        made = {"machine": machine("cpu", arguments.threads), "operations_a_second": fastest, "rows": rows}
        arguments.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
