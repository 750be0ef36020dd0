"""What the batches and the optimizer of the published recipe are worth, on the embedded model.

What differs between the preset and the published script, one thing from row to row: questions of an image in one step
(`published`), records instead, the loss as the mean of the means of micro-batches instead of the mean over the step's
tokens (`published-literal`), both without dropout, and the usual AdamW instead of the published one. Each is evaluated
on the test split of ``synthface-compound``.

    python benchmarks/recipe.py [--seeds 3] [--steps 60] [--json FILE]
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from command_line import add_json, parser_of, run_benchmark, whole_number
from subject import machine

import coabench

PUBLISHED = {"adam_beta2": 0.98, "adam_epsilon": 1e-7}
VARIANTS: dict[str, dict[str, Any]] = {
    "published": {"trainer": PUBLISHED},
    "records": {"trainer": PUBLISHED, "share": False, "micro_batch": 32},
    "records, means of micro-batches (published-literal)": {"trainer": PUBLISHED, "share": False, "micro_batch": 4},
    "published without dropout": {"trainer": PUBLISHED, "dropout": 0.0},
    "records without dropout": {"trainer": PUBLISHED, "dropout": 0.0, "share": False, "micro_batch": 32},
    "published with beta2 0.999, epsilon 1e-8": {},
}


def measure(variant: str, seed: int, steps: int, folder: Path) -> dict[str, Any]:
    """Train and evaluate once."""
    begin = time.monotonic()
    name = f"{list(VARIANTS).index(variant)}-{seed}"
    done = coabench.train(
        output=folder / f"a{name}", seed=seed, steps=steps, batch_size=32, mirror=False, dev=0, evaluations=1,
        device="cpu", **{"dropout": 0.05, **VARIANTS[variant]},
    )  # fmt: skip
    trained = time.monotonic() - begin
    lines = [json.loads(line) for line in (done.directory / "training.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    figures = {}
    for decode in ("generate", "score"):
        run = coabench.evaluate(
            dataset="synthface-compound", adapter=done.directory, decode=decode, device="cpu",
            output=folder / f"r{name}-{decode}",
        )  # fmt: skip
        figures[f"uar {decode}"] = round(float(run.metrics["uar"]), 4)
    return {"variant": variant, "seed": seed, "seconds": round(trained, 1),
            "loss of the last tenth": round(sum(losses[-len(losses) // 10 :]) / len(losses[-len(losses) // 10 :]), 4),
            **figures}  # fmt: skip


def main() -> None:
    """Measure every variant with every seed."""
    parser = parser_of(__doc__)
    parser.add_argument("--seeds", type=whole_number(), default=3)
    parser.add_argument("--steps", type=whole_number(), default=60)
    add_json(parser)
    parsed = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(parsed.seeds):
            for variant in VARIANTS:
                rows.append(measure(variant, seed, parsed.steps, Path(folder)))
                print(rows[-1], flush=True)
                if parsed.json:
                    where = machine("cpu", torch.get_num_threads())
                    facts = {"machine": where, "torch": torch.__version__, "steps": parsed.steps, "rows": rows}
                    parsed.json.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
