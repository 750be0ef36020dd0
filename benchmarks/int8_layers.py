"""Linear layers of the sizes of Phi-3.5-vision, one thread: bfloat16 and 8-bit integers against float32.

    python benchmarks/int8_layers.py [--rounds 3] [--json FILE]

The widths are those of the real model's decoder and vision tower, and of the mid-size random model of inference.py; the
rows are a token that is generated, the options of a scored question, and the tokens of an image with a question.
Seconds are the processor's, the fastest of some rounds in which the three take turns.
"""

from __future__ import annotations

import json

import torch
from command_line import add_json, parser_of, run_benchmark, whole_number
from profile_cpu import DTYPES, timed
from subject import machine
from torch import nn

from coabench.recipe import INT8
from coabench.support.int8_dynamic import DynamicInt8Linear
from coabench.support.linear import fast_linear

WIDTHS = ((1024, 1024), (1024, 4096), (4096, 1024), (512, 2816), (1408, 512), (3072, 9216), (3072, 16384), (8192, 3072))
ROWS = (1, 64, 800)


def seconds(inside: int, outside: int, rows: int, rounds: int) -> dict[str, float]:
    """Return the seconds that a layer takes in each precision."""
    linear, x = nn.Linear(inside, outside).requires_grad_(False), torch.randn(rows, inside)
    layers = {"float32": (linear, x), INT8: (DynamicInt8Linear(linear), x)}
    half = nn.Linear(inside, outside).requires_grad_(False).bfloat16()
    layers["bfloat16"] = half, x.bfloat16()
    repeats = max(1, int(2e9 / (inside * outside * rows)))
    best = dict.fromkeys(DTYPES, float("inf"))
    for turn in range(rounds + 1):
        for dtype, (layer, own) in layers.items():
            with fast_linear(torch.device("cpu"), own.dtype):
                spent = timed(lambda layer=layer, own=own: [layer(own) for _ in range(repeats)]) / repeats
            if turn:  # the first warms up
                best[dtype] = min(best[dtype], spent)
    return best


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=whole_number(), default=3)
    add_json(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    print("| in × out | rows | float32, Gop/s | bfloat16, times | int8, times |\n|---|---|---|---|---|")
    for inside, outside in WIDTHS:
        for count in ROWS:
            best = seconds(inside, outside, count, arguments.rounds)
            rows.append({"in": inside, "out": outside, "rows": count, "seconds": best})
            speed = 2e-9 * inside * outside * count / best["float32"]
            times = " | ".join(f"{best['float32'] / best[dtype]:.1f}" for dtype in ("bfloat16", INT8))
            print(f"| {inside:,} × {outside:,} | {count} | {speed:.0f} | {times} |", flush=True)
    if arguments.json:
        made = {"machine": machine("cpu", 1), "rows": rows}
        arguments.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
