"""What reward training brings, on the embedded model: dev UAR before and after, beside as many steps of supervision.

For every seed a short supervised training of Chain-of-Affect on both synthetic data sets, then trainings that begin
with its adapter: by rewards, and supervised further, without and with the questions that have two right answers. All
of a seed have the same development part, a tenth of each train split; it selects nothing: it is evaluated at the end.

    python benchmarks/grpo.py [--seeds 0 1 2] [--steps 40] [--folder FOLDER] [--json FILE]

What was measured in the folder is not measured again.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from command_line import add_json, existing_folder, parser_of, run_benchmark, whole_number
from subject import machine

import coabench
from coabench.base.files import write_text
from coabench.runs.training_log import TrainingLog

COMMON: dict[str, Any] = {"strategy": "chain-of-affect", "dataset": ["synthface-basic", "synthface-compound"],
                          "dev": 0.1, "evaluations": 1, "device": "cpu"}  # fmt: skip
START: dict[str, Any] = {"steps": 60, "batch_size": 64, "lr": 1e-3, "schedule": "constant"}
AFTER: dict[str, Any] = {"lr": 3e-4, "warmup": 0.05}
VARIANTS: dict[str, dict[str, Any]] = {
    "grpo": {"objective": "grpo", "batch_size": 16},
    "supervised": {"batch_size": 32},
    "supervised-ambiguous": {"batch_size": 32, "ambiguous": True},
}
"""How the training continues: 16 images with 8 dialogues each in a step, or 32 questions, which are 20 images."""


def measure(name: str, folder: Path, seed: int, **settings: Any) -> dict[str, Any]:
    """Train, or read what was measured, and return dev scores, CPU seconds and, of rewards, their curves."""
    kept, begin = folder / f"{name}-{seed}.json", time.process_time()
    if kept.exists():
        return dict(json.loads(kept.read_text()))
    done = coabench.train(**COMMON, **settings, seed=seed, output=folder / f"{name}-{seed}")
    row = {
        "training": name,
        "seed": seed,
        "steps": settings["steps"],
        "cpu seconds": round(time.process_time() - begin),
    }
    row |= {f"dev {key}": round(value, 4) for key, value in done.manifest["dev"].items() if "low" not in key
            and "high" not in key}  # fmt: skip
    entries = TrainingLog.read(done.directory).losses
    for curve in ("reward", "answer_tokens"):
        values = [round(entry.numbers[curve], 4) for entry in entries if curve in entry.numbers]
        row |= {curve: values} if values else {}
    write_text(kept, json.dumps(row))
    return row


def main() -> None:
    """Measure every seed."""
    parser = parser_of(__doc__)
    parser.add_argument("--seeds", type=whole_number(0), nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=whole_number(), default=40)
    parser.add_argument("--folder", type=existing_folder)
    add_json(parser)
    parsed = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = parsed.folder or Path(scratch)
        for seed in parsed.seeds:
            rows.append(measure("start", folder, seed, **START))
            print(rows[-1], flush=True)
            for name, own in VARIANTS.items():
                start = folder / f"start-{seed}"
                rows.append(measure(name, folder, seed, from_=start, steps=parsed.steps, **AFTER, **own))
                print(rows[-1], flush=True)
    facts = {"machine": machine("cpu", torch.get_num_threads()), "torch": torch.__version__, "rows": rows}
    if parsed.json:
        write_text(parsed.json, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    run_benchmark(main)
