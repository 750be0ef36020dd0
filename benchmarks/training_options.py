"""What the options of a training bring, on the embedded model: dev and test UAR, paired over seeds.

``synthface-basic``: the train split cut down to the proportions of RAF-DB's, a fifth of it for dev; short trainings of
the strategy ``direct`` that differ in one option alone; the test split as it is, every class alike.
``synthface-compound``: basic and compound faces, one after the other or mixed, against compound faces alone for as many
steps.

    python benchmarks/training_options.py [--seeds 3] [--steps 30] [--only NAME …] [--json FILE]

With ``--json`` rows are added to those of the file, so that the variants can be measured in parts.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from command_line import add_json, parser_of, run_benchmark, whole_number
from PIL import Image
from subject import machine

import coabench
from coabench.base.files import write_text
from coabench.registry.catalog import find_dataset

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
BASIC, COMPOUND = "synthface-basic", "synthface-compound"
VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    BASIC: {
        "as by default": {},
        "--balance loss": {"balance": "loss"},
        "--balance effective-number, β 0.99": {"balance": "effective-number", "balance_beta": 0.99},
        "--balance sample": {"balance": "sample"},
        "random-flip": {"augment": "random-flip"},
        "random-flip, random-crop, random-colour": {"augment": ["random-flip", "random-crop", "random-colour"]},
        "random-blur, random-erasing": {"augment": ["random-blur", "random-erasing"]},
        "--dora": {"dora": True},
        "--rslora": {"rslora": True},
        "--lora-plus 16": {"lora_plus": 16.0},
        "--part-lr vision=1e-4": {"part_lr": {"vision": 1e-4}},
        "--modules-to-save projector": {"modules_to_save": "projector"},
    },
    COMPOUND: {
        "compound alone": {"dataset": COMPOUND},
        "--stages: basic, then compound": {"stages": (BASIC, COMPOUND)},
        "basic, and compound twice as often": {"dataset": [BASIC, f"{COMPOUND}:2"]},
    },
}
"""Test data set -> what is compared on it -> what differs from the default, the first."""
LONGER = 2
"""A stage has so many times the steps: the embedded model has never seen the compound labels."""
OF = {name: data for data, variants in VARIANTS.items() for name in variants}
SHORT = {name.removeprefix("--"): name for name in OF}


def pictures() -> list[tuple[Image.Image, str]]:
    """Return the images that are learnt from, with their labels."""
    by_label = defaultdict(list)
    for sample in find_dataset(BASIC).open(None, None).samples("train"):
        by_label[sample.target].append(sample)
    most = min(len(by_label[label]) / count for label, count in RAF_DB.items() if count == max(RAF_DB.values()))
    chosen = [sample for label, count in RAF_DB.items() for sample in by_label[label][: round(most * count)]]
    return [(Image.open(io.BytesIO(sample.image.read())), sample.target) for sample in chosen]


def measure(variant: str, seed: int, steps: int, learnt: list[tuple[Image.Image, str]], folder: Path) -> dict[str, Any]:
    """Train and evaluate once; a training in two stages has as many steps as those that it is compared with."""
    data, name = OF[variant], f"{list(OF).index(variant)}-{seed}"
    settings = {"dataset": learnt, "labels": BASIC, "steps": steps} if data == BASIC else {"steps": 2 * LONGER * steps}
    settings |= VARIANTS[data][variant]
    if stages := settings.pop("stages", None):
        sheet = [{"name": each, "dataset": each, "steps": LONGER * steps} for each in stages]
        write_text(folder / f"{name}.yaml", json.dumps({"schema": 1, "stages": sheet}))
        settings["stages"] = folder / f"{name}.yaml"
    done = coabench.train(
        strategy="direct", output=folder / f"a{name}", seed=seed, batch_size=24, mirror=False, dev=0.2, evaluations=1,
        device="cpu", **settings,
    )  # fmt: skip
    run = coabench.evaluate(
        strategy="direct", dataset=data, adapter=done.directory, limit=420, device="cpu", output=folder / f"r{name}"
    )
    dev = done.manifest["dev"]
    return {"variant": variant, "seed": seed, "dev uar": round(float(dev.get(f"uar {data}", dev["uar"])), 4),
            "test uar": round(float(run.metrics["uar"]), 4)}  # fmt: skip


def table(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return mean dev and test UAR of every variant, and the differences to the first with the same seed."""
    found = {(row["variant"], row["seed"]): row for row in rows}
    lines = []
    for variant, data in OF.items():
        own = [row for (name, _), row in sorted(found.items()) if name == variant]
        pairs = [(row, found.get((next(iter(VARIANTS[data])), row["seed"]))) for row in own]
        line: dict[str, Any] = {"variant": variant}
        for figure in ("dev uar", "test uar") if own else ():
            line[figure] = round(mean(row[figure] for row in own), 4)
            differences = [round(row[figure] - first[figure], 4) for row, first in pairs if first]
            line[f"{figure}, differences"] = differences
        lines += [line] if own else []
    return lines


def main() -> None:
    """Measure the variants with every seed."""
    parser = parser_of(__doc__)
    parser.add_argument("--seeds", type=whole_number(), default=3)
    parser.add_argument("--steps", type=whole_number(), default=30)
    parser.add_argument("--only", action="append", choices=SHORT, metavar="NAME", help="; ".join(SHORT))
    add_json(parser)
    parsed = parser.parse_args()
    learnt = pictures()
    facts = {"torch": torch.__version__, "steps": parsed.steps, "images": len(learnt)}
    there = json.loads(parsed.json.read_text(encoding="utf-8")) if parsed.json and parsed.json.exists() else {}
    if there and {name: there[name] for name in facts} != facts:
        parser.error(f"{parsed.json} has rows of other trainings than {facts}")
    rows = {(row["variant"], row["seed"]): row for row in there.get("rows", ())}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(parsed.seeds):
            for variant in map(SHORT.__getitem__, parsed.only or SHORT):
                rows[variant, seed] = measure(variant, seed, parsed.steps, learnt, Path(folder))
                print(rows[variant, seed], flush=True)
                made = {"machine": machine("cpu", torch.get_num_threads()), **facts,
                        "table": table([*rows.values()]), "rows": [*rows.values()]}  # fmt: skip
                if parsed.json:
                    write_text(parsed.json, json.dumps(made, indent=2, ensure_ascii=False) + "\n")
    print(json.dumps(table([*rows.values()]), indent=2, ensure_ascii=False))


if __name__ == "__main__":
    run_benchmark(main)
