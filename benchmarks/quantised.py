"""What weights in 8 and 4 bits, and 8-bit arithmetic (``--dtype int8``), change and cost: answers and scores of the
embedded model, memory and time of a larger.

*Agreement*: the embedded model with the adapter that ships, both questions of Chain-of-Affect about synthetic faces,
the options scored, against the whole weights. *Cost*: Chain-of-Affect on a random mid-size Phi-3.5-vision (as in
inference.py), and a micro-batch of a LoRA forward and backward (as in training.py); the contestants take turns. On
a CPU seconds are the processor's.

    python benchmarks/quantised.py [--faces 110] [--rounds 3] [--dtype float32] [--json FILE]
    python benchmarks/quantised.py --size full --device cuda --dtype bfloat16

The second needs a GPU and no download. Both need `pip install 'coabench[quantised]'`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from coabench_phi35v.images import picture
from coabench_phi35v.model import Phi3VForCausalLM
from command_line import add_json, parser_of, run_benchmark, usable_device, whole_number
from inference import Bench, ported, race
from subject import BASIC, WordPieces, clock, face, machine, random_model
from torch import nn
from training import Packed, Setting, step, work

from coabench.api import evaluate
from coabench.recipe import INT8, LOADS, Load
from coabench.registry.defaults import Dtype
from coabench.runs.finished import read_run
from coabench.support.int8_dynamic import FAST, DynamicInt8Linear, multiply_integers
from coabench.support.placement import cpu_flags
from coabench.support.quantised import Quantisation
from coabench.support.shared_cache import SharedCache

Way = Load | Literal["int8"] | None
"""How a model is kept: ``--load``, ``--dtype int8``, or whole."""
BATCH = 4


def ways(device: str, dtype: str) -> Sequence[Way]:
    """Return what is compared: integers are multiplied on CPUs that can, beside float32."""
    able = device == "cpu" and dtype == "float32" and not cpu_flags().isdisjoint(FAST)
    return (None, *LOADS, *((INT8,) if able else ()))


def turns(way: Way, faces: int, dtype: Dtype, folder: Path) -> tuple[list[Mapping[str, Any]], float]:
    """Return the turns about every face, and the UAR."""
    how: dict[str, Any] = {"dtype": INT8} if way == INT8 else {"dtype": dtype, "load": way}
    run = evaluate(decode="score", limit=faces, device="cpu", output=folder / str(way), **how)
    return [turn for record in read_run(run.directory).records for turn in record["turns"]], run.metrics["uar"]


def agreement(faces: int, dtype: Dtype) -> list[dict[str, Any]]:
    """Return a row for each way: equal answers, differences of log-probabilities, UAR."""
    rows = []
    with TemporaryDirectory() as folder:
        runs = {way: turns(way, faces, dtype, Path(folder)) for way in ways("cpu", dtype)}
    whole, _ = runs[None]
    for way, (own, uar) in runs.items():
        # Questions that follow another answer have other options: only the same question is compared.
        pairs = [(a, b) for a, b in zip(own, whole, strict=True) if a["prompt"] == b["prompt"]]
        moved = [abs(a["scores"][option] - score) for a, b in pairs for option, score in b["scores"].items()]
        equal = sum(a["label"] == b["label"] for a, b in pairs)
        rows.append({"way": way, "same_questions": len(pairs), "same_answers": equal, "uar": uar,
                     "mean_difference": sum(moved) / len(moved), "largest_difference": max(moved)})  # fmt: skip
    return rows


def kept(model: Phi3VForCausalLM, way: Way) -> Phi3VForCausalLM:
    """Return a model of the same weights, kept so."""
    made = Phi3VForCausalLM.blueprint(model.sizes)
    made.fill(dict(model.state_dict()))
    if way == INT8:
        multiply_integers(made, made.linear_layers)
        return made
    quantisation = Quantisation.of(way, model.lm_head.weight.dtype)
    for name in made.projections if quantisation else ():
        linear: Any = made.get_submodule(name)
        assert quantisation
        made.set_submodule(name, quantisation.layer(linear, linear.weight.data))
    return made.eval().requires_grad_(False)


def stored(modules: Iterable[nn.Module]) -> int:
    """Return the bytes of the weights of some modules, scales included; an integer that oneDNN has packed is one."""
    own = [module for whole in modules for module in whole.modules()]
    packed = sum(each.in_features * each.out_features for each in own if isinstance(each, DynamicInt8Linear))
    return packed + sum(tensor.nbytes for each in own for tensor in _own(each).values())


def _own(module: nn.Module) -> dict[str, torch.Tensor]:
    """Return the tensors of a module without those of its children."""
    return {name: tensor for name, tensor in module.state_dict().items() if name.split(".")[0] not in module._modules}


def cost(setting: Setting, rounds: int) -> list[dict[str, Any]]:
    """Return a row for each way: bytes, seconds an image, seconds a step of training."""
    tokenizer, images = WordPieces(), [face(number) for number in range(max(BATCH * rounds, len(BASIC)))]
    dtype = getattr(torch, setting.dtype)
    base = random_model(tokenizer, [picture(image, 4) for image in images], setting.size, setting.device, dtype)
    models = {way: kept(base, way) for way in ways(setting.device, setting.dtype)}
    runs = [
        partial(ported, "chain", Bench(model, tokenizer, 4, setting.device), BATCH, decode,
                SharedCache.on(torch.device(setting.device)))
        for decode in ("score", "generate") for model in models.values()
    ]  # fmt: skip
    raced = race(runs, images, BATCH, setting.device, spent)
    sizes = {
        way: (stored(model.get_submodule(name) for name in base.projections), stored([model]))
        for way, model in models.items()
    }
    job = work("compound, both orders", 1)
    trained = {way: Packed(model, setting.recipe) for way, model in models.items() if way != INT8}
    seconds = dict.fromkeys(trained, 0.0)
    for turn in range(rounds + 1):
        for way, made in trained.items():
            made.module.train()
            begin = spent(setting.device)
            step(made, job, setting)
            seconds[way] += (spent(setting.device) - begin) * (turn > 0)  # the first round warms up
    return [
        {"way": way, "layers_bytes": sizes[way][0], "model_bytes": sizes[way][1],
         "score_seconds": raced[index][0], "generate_seconds": raced[index + len(models)][0],
         "step_seconds": seconds[way] / rounds if way in seconds else None}
        for index, way in enumerate(models)
    ]  # fmt: skip


def spent(device: str) -> float:
    """Return the processor's seconds on a CPU, which others may use as well; elsewhere the time of the clock."""
    return time.process_time() if device == "cpu" else clock(device)


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
        print(f"| {row['way'] or 'whole'} | {row['same_answers']}/{row['same_questions']} "
              f"| {row['mean_difference']:.3f} | {row['largest_difference']:.3f} | {row['uar']:.1%} |")  # fmt: skip
    costs = cost(Setting(arguments.size, arguments.device, arguments.dtype, False), arguments.rounds)
    print("\n| weights | decoder layers MiB | model MiB | scored, time | generated, time | LoRA step, time |\n"
          "|---|---|---|---|---|---|")  # fmt: skip
    whole = costs[0]
    for row in costs:
        ratios = (
            "" if row[name] is None else f"{row[name] / whole[name]:.2f}"
            for name in ("score_seconds", "generate_seconds", "step_seconds")
        )
        sizes = (row[name] / 2**20 for name in ("layers_bytes", "model_bytes"))
        cells = [*(f"{size:.0f}" for size in sizes), *ratios]
        print(f"| {row['way'] or 'whole'} | {' | '.join(cells)} |")
    if arguments.json:
        made = {"machine": facts, "agreement": agreed, "cost": costs}
        arguments.json.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
