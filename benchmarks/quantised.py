"""What weights in 8 and 4 bits change and cost: answers and scores of the embedded model, memory and time of a larger.

*Agreement*: the embedded model with the adapter that ships, both questions of Chain-of-Affect about synthetic faces,
the options scored, against the whole weights. *Cost*: Chain-of-Affect on a random mid-size Phi-3.5-vision (as in
inference.py), and a micro-batch of a LoRA forward and backward (as in training.py); the contestants take turns.

    python benchmarks/quantised.py [--faces 110] [--rounds 3] [--dtype float32] [--json FILE]
    python benchmarks/quantised.py --size full --device cuda --dtype bfloat16

The second needs a GPU and no download. Both need `pip install 'coabench[quantised]'`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from coabench_phi35v.images import picture
from coabench_phi35v.model import Phi3VForCausalLM
from command_line import add_json, parser_of, run_benchmark, usable_device, whole_number
from inference import Bench, ported, race
from subject import BASIC, WordPieces, clock, face, machine, random_model
from training import Packed, Setting, step, work

from coabench.api import evaluate
from coabench.recipe import LOADS, Load
from coabench.registry.defaults import Dtype
from coabench.runs.finished import read_run
from coabench.support.quantised import Quantisation
from coabench.support.shared_cache import SharedCache

CHOICES: Sequence[Load | None] = (None, *LOADS)
BATCH = 4


def turns(load: Load | None, faces: int, dtype: Dtype, folder: Path) -> tuple[list[Mapping[str, Any]], float]:
    """Return the turns about every face, and the UAR."""
    run = evaluate(decode="score", limit=faces, load=load, dtype=dtype, device="cpu", output=folder / str(load))
    return [turn for record in read_run(run.directory).records for turn in record["turns"]], run.metrics["uar"]


def agreement(faces: int, dtype: Dtype) -> list[dict[str, Any]]:
    """Return a row for each load: equal answers, differences of log-probabilities, UAR."""
    rows = []
    with TemporaryDirectory() as folder:
        runs = {load: turns(load, faces, dtype, Path(folder)) for load in CHOICES}
    whole, _ = runs[None]
    for load, (own, uar) in runs.items():
        # Questions that follow another answer have other options: only the same question is compared.
        pairs = [(a, b) for a, b in zip(own, whole, strict=True) if a["prompt"] == b["prompt"]]
        moved = [abs(a["scores"][option] - score) for a, b in pairs for option, score in b["scores"].items()]
        equal = sum(a["label"] == b["label"] for a, b in pairs)
        rows.append({"load": load, "same_questions": len(pairs), "same_answers": equal, "uar": uar,
                     "mean_difference": sum(moved) / len(moved), "largest_difference": max(moved)})  # fmt: skip
    return rows


def kept(model: Phi3VForCausalLM, load: Load | None) -> Phi3VForCausalLM:
    """Return a model of the same weights, kept so."""
    made = Phi3VForCausalLM.blueprint(model.sizes)
    made.fill(dict(model.state_dict()))
    quantisation = Quantisation.of(load, model.lm_head.weight.dtype)
    for name in made.projections if quantisation else ():
        linear: Any = made.get_submodule(name)
        assert quantisation
        made.set_submodule(name, quantisation.layer(linear, linear.weight.data))
    return made.eval().requires_grad_(False)


def stored(model: Phi3VForCausalLM, names: Sequence[str]) -> int:
    """Return the bytes of the weights of layers, scales included."""
    return sum(tensor.nbytes for name in names for tensor in model.get_submodule(name).state_dict().values())


def cost(setting: Setting, rounds: int) -> list[dict[str, Any]]:
    """Return a row for each load: bytes, seconds an image, seconds a step of training."""
    tokenizer, images = WordPieces(), [face(number) for number in range(max(BATCH * rounds, len(BASIC)))]
    dtype = getattr(torch, setting.dtype)
    base = random_model(tokenizer, [picture(image, 4) for image in images], setting.size, setting.device, dtype)
    models = {load: kept(base, load) for load in CHOICES}
    runs = [
        partial(ported, "chain", Bench(model, tokenizer, 4, setting.device), BATCH, decode,
                SharedCache.on(torch.device(setting.device)))
        for decode in ("score", "generate") for model in models.values()
    ]  # fmt: skip
    raced = race(runs, images, BATCH, setting.device)
    sizes = {load: (stored(model, base.projections), _bytes(model)) for load, model in models.items()}
    job = work("compound, both orders", 1)
    trained = {load: Packed(model, setting.recipe) for load, model in models.items()}
    seconds = dict.fromkeys(trained, 0.0)
    for turn in range(rounds + 1):
        for load, made in trained.items():
            made.module.train()
            begin = spent(setting.device)
            step(made, job, setting)
            seconds[load] += (spent(setting.device) - begin) * (turn > 0)  # the first round warms up
    return [
        {"load": load, "layers_bytes": sizes[load][0], "model_bytes": sizes[load][1],
         "score_seconds": raced[index][0], "generate_seconds": raced[index + len(models)][0],
         "step_seconds": seconds[load] / rounds}
        for index, load in enumerate(models)
    ]  # fmt: skip


def spent(device: str) -> float:
    """Return the processor's seconds on a CPU, which others may use as well; elsewhere the time of the clock."""
    return time.process_time() if device == "cpu" else clock(device)


def _bytes(model: Phi3VForCausalLM) -> int:
    return sum(tensor.nbytes for tensor in model.state_dict().values())


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--faces", type=whole_number(0), default=110, help="of the embedded model; 0 to leave it out")
    parser.add_argument("--rounds", type=whole_number(), default=3)
    parser.add_argument("--threads", type=whole_number(), default=2)
    parser.add_argument("--size", default="mid", choices=["mid", "full"])
    parser.add_argument("--device", type=usable_device, default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    add_json(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    facts = {**machine(arguments.device, arguments.threads), "bitsandbytes": version("bitsandbytes"),
            "dtype": arguments.dtype}  # fmt: skip
    print(", ".join(f"{key} {value}" for key, value in facts.items()) + "\n", flush=True)
    agreed = agreement(arguments.faces, arguments.dtype) if arguments.faces else []
    if agreed:
        print("| weights | same answers | score differs by, mean | at most | UAR |\n|---|---|---|---|---|")
    for row in agreed:
        print(f"| {row['load'] or 'whole'} | {row['same_answers']}/{row['same_questions']} "
              f"| {row['mean_difference']:.3f} | {row['largest_difference']:.3f} | {row['uar']:.1%} |")  # fmt: skip
    costs = cost(Setting(arguments.size, arguments.device, arguments.dtype, False), arguments.rounds)
    print("\n| weights | decoder layers MiB | model MiB | scored, time | generated, time | LoRA step, time |\n"
          "|---|---|---|---|---|---|")  # fmt: skip
    whole = costs[0]
    for row in costs:
        ratios = (row[name] / whole[name] for name in ("score_seconds", "generate_seconds", "step_seconds"))
        sizes = (row[name] / 2**20 for name in ("layers_bytes", "model_bytes"))
        cells = [*(f"{size:.0f}" for size in sizes), *(f"{ratio:.2f}" for ratio in ratios)]
        print(f"| {row['load'] or 'whole'} | {' | '.join(cells)} |")
    if arguments.json:
        made = {"machine": facts, "agreement": agreed, "cost": costs}
        arguments.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
