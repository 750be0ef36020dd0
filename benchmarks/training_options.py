"""What class balance and augmentation bring, on the embedded model: dev and test UAR, paired over seeds.

The train split of ``synthface-basic`` cut down to the proportions of RAF-DB's, a fifth of it for dev; short trainings
of the strategy ``direct`` that differ in one option alone; the test split as it is, every class alike.

    python benchmarks/training_options.py [--seeds 3] [--steps 30] [--json FILE]
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from PIL import Image
from subject import machine

import coabench
from coabench.base.files import write_text
from coabench.registry.catalog import find_dataset

DATASET = "synthface-basic"
RAF_DB = {
    "Happiness": 4772,
    "Neutral": 2524,
    "Sadness": 1982,
    "Surprise": 1290,
    "Disgust": 717,
    "Anger": 705,
    "Fear": 281,
}
"""Images of each class in RAF-DB's train split."""
VARIANTS: dict[str, dict[str, Any]] = {
    "as by default": {},
    "--balance loss": {"balance": "loss"},
    "--balance effective-number, β 0.99": {"balance": "effective-number", "balance_beta": 0.99},
    "--balance sample": {"balance": "sample"},
    "random-flip": {"augment": "random-flip"},
    "random-flip, random-crop, random-colour": {"augment": ["random-flip", "random-crop", "random-colour"]},
    "random-blur, random-erasing": {"augment": ["random-blur", "random-erasing"]},
}


def pictures() -> list[tuple[Image.Image, str]]:
    """Return the images that are learnt from, with their labels."""
    by_label = defaultdict(list)
    for sample in find_dataset(DATASET).open(None, None).samples("train"):
        by_label[sample.target].append(sample)
    most = min(len(by_label[label]) / count for label, count in RAF_DB.items() if count == max(RAF_DB.values()))
    chosen = [sample for label, count in RAF_DB.items() for sample in by_label[label][: round(most * count)]]
    return [(Image.open(io.BytesIO(sample.image.read())), sample.target) for sample in chosen]


def measure(variant: str, seed: int, steps: int, learnt: list[tuple[Image.Image, str]], folder: Path) -> dict[str, Any]:
    """Train and evaluate once."""
    name = f"{list(VARIANTS).index(variant)}-{seed}"
    done = coabench.train(
        strategy="direct", dataset=learnt, labels=DATASET, output=folder / f"a{name}", seed=seed, steps=steps,
        batch_size=24, mirror=False, dev=0.2, evaluations=1, device="cpu", **VARIANTS[variant],
    )  # fmt: skip
    run = coabench.evaluate(
        strategy="direct", dataset=DATASET, adapter=done.directory, limit=420, device="cpu", output=folder / f"r{name}"
    )
    return {"variant": variant, "seed": seed, "dev uar": round(float(done.manifest["dev"]["uar"]), 4),
            "test uar": round(float(run.metrics["uar"]), 4)}  # fmt: skip


def table(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return mean dev and test UAR of every variant, and the differences to the default with the same seed."""
    found = {(row["variant"], row["seed"]): row for row in rows}
    seeds = sorted({row["seed"] for row in rows})
    lines = []
    for variant in VARIANTS:
        own = [found[variant, seed] for seed in seeds if (variant, seed) in found]
        line: dict[str, Any] = {"variant": variant}
        for figure in ("dev uar", "test uar"):
            differences = [row[figure] - found[next(iter(VARIANTS)), row["seed"]][figure] for row in own]
            line |= {figure: round(mean(row[figure] for row in own), 4),
                     f"{figure}, differences": [round(each, 4) for each in differences]}  # fmt: skip
        lines.append(line)
    return lines


def main() -> None:
    """Measure every variant with every seed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--json", type=Path)
    parsed = parser.parse_args()
    learnt, rows = pictures(), []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(parsed.seeds):
            for variant in VARIANTS:
                rows.append(measure(variant, seed, parsed.steps, learnt, Path(folder)))
                print(rows[-1], flush=True)
    facts = {"machine": machine("cpu", torch.get_num_threads()), "torch": torch.__version__, "steps": parsed.steps,
            "images": len(learnt), "table": table(rows), "rows": rows}  # fmt: skip
    print(json.dumps(facts["table"], indent=2, ensure_ascii=False))
    if parsed.json:
        write_text(parsed.json, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
