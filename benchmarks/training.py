"""What packed training is worth: the plain loop against coabench, LoRA on one random mid-size model.

The plain loop takes one question as one full sequence: its own pass through the whole vision tower, eager attention,
logits at every position. coabench packs the questions about an image into one row: one vision pass, the common prefix
once, logits only where there is a loss. Both see the same questions in the same micro-batches and must lose the same.

    python benchmarks/training.py [--images 1] [--rounds 2] [--json FILE]
    python benchmarks/training.py --size full --device cuda --dtype bfloat16 --images 4 --checkpointing

The second needs a GPU and no download: the model has the 4.15 B parameters of Phi-3.5-vision, and random values.
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from coabench_phi35v.checkpoint import Checkpoint
from coabench_phi35v.images import Picture, picture
from coabench_phi35v.model import Phi3VForCausalLM
from coabench_phi35v.prompt import Control, chat
from coabench_phi35v.training import Phi35Trainee
from command_line import add_json, parser_of, run_benchmark, usable_device, whole_number
from peft.tuners.lora.layer import Linear
from subject import BASIC, WordPieces, causal, clock, face, machine, random_model, whole_tower
from torch import Tensor, nn

from coabench.dialogue import Task, Turn
from coabench.inference.engine import training_turns
from coabench.recipe import Recipe
from coabench.registry.catalog import find_dataset, open_strategy
from coabench.support.linear import fast_linear
from coabench.support.tensor_store import TensorStore
from coabench.training.lora_layer import PlainLora
from coabench.training.trainable import trainable

NUM_CROPS = 4
WORDS = WordPieces()
COMPOSITIONS = {
    "compound, both orders": ("raf-db-compound", False),
    "compound, stage 1 too": ("raf-db-compound", True),
    "basic, one question": ("raf-db-basic", False),
}
"""What is trained on: the data set whose label space asks the questions, and whether ambiguous ones are asked."""


@dataclass(frozen=True)
class Setting:
    """What is trained, and where."""

    size: str
    device: str
    dtype: str
    checkpointing: bool
    dropout: float = 0.0
    targets: tuple[str, ...] = ()

    @property
    def recipe(self) -> Recipe:
        return Recipe(rank=32, alpha=16, dropout=self.dropout, checkpointing=self.checkpointing, targets=self.targets)

    def arithmetic(self) -> AbstractContextManager[Any]:
        """Return the context in which the Trainer computes: mixed precision, where it is not float32."""
        kind = getattr(torch, self.dtype)
        return nullcontext() if kind == torch.float32 else torch.autocast(torch.device(self.device).type, kind)

    def arguments(self) -> list[str]:
        own = ["--size", self.size, "--device", self.device, "--dtype", self.dtype]
        return [*own, "--checkpointing"] if self.checkpointing else own


@dataclass(frozen=True)
class Work:
    """Images and the turns about each."""

    pictures: Sequence[Picture]
    turns: Sequence[Sequence[Turn]]

    @property
    def count(self) -> int:
        return sum(map(len, self.turns))


def work(composition: str, images: int, num_crops: int = NUM_CROPS) -> Work:
    dataset, ambiguous = COMPOSITIONS[composition]
    space = find_dataset(dataset).card.space
    strategy, _ = open_strategy("chain-of-affect")
    labels = [space.names[i % len(space.names)] for i in range(images)]
    turns = [training_turns(strategy, Task(space), label, ambiguous=ambiguous) for label in labels]
    return Work([picture(face(number), num_crops) for number in range(images)], turns)


class Plain:
    """One question, one full sequence: as the published training script computes it."""

    def __init__(self, model: Phi3VForCausalLM, recipe: Recipe) -> None:
        self.model = model
        self.module = trainable(_lend(model), recipe)
        for module in self.module.modules():
            if isinstance(module, PlainLora):
                module.__class__ = Linear  # PEFT's own

    def loss(self, job: Work, count: int) -> Tensor:
        sequences = [(own, turn) for own, turns in zip(job.pictures, job.turns, strict=True) for turn in turns]
        embedded, wanted, widths, device = [], [], [], self.model.device
        for own, turn in sequences:
            prompt = WORDS.encode(chat(turn.question.messages), [own.tokens])
            answer = [*WORDS.text(turn.answer.response), WORDS.control(Control.END), *WORDS.text("\n"),
                      WORDS.control(Control.ENDOFTEXT)]  # fmt: skip
            vision = self.model.model.vision_embed_tokens
            crops = own.crops.to(device, self.model.lm_head.weight.dtype)
            patches = vision._merge(whole_tower(self.model, crops))
            tokens = vision.img_projection(vision._arrange(patches, own))
            embedded.append(self.model.embed([[*prompt, *answer]], [{0: tokens}])[0])
            wanted.append(torch.tensor([-100] * len(prompt) + answer, device=device))
            widths.append(len(prompt) + len(answer))
        rows = nn.utils.rnn.pad_sequence(embedded, batch_first=True)
        labels = nn.utils.rnn.pad_sequence(wanted, batch_first=True, padding_value=-100)
        width = max(widths)
        positions = torch.arange(width, device=device).expand(len(rows), width)
        mask = causal(width, device).expand(len(rows), 1, width, width)
        states = self.model.model(rows, positions, [False] * len(rows), mask)
        logits = self.model.lm_head(states).float()
        total = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="sum")
        return total / count


class Packed:
    """The same questions as `coabench train` computes them."""

    def __init__(self, model: Phi3VForCausalLM, recipe: Recipe) -> None:
        self.lend = _lend(model)
        self.module = trainable(self.lend, recipe)

    def keep(self, folder: str) -> None:
        """Keep what the frozen vision tower makes, as ``--vision-cache`` does."""
        self.lend.keep(TensorStore(Path(folder), 2**30))

    def loss(self, job: Work, count: int) -> Tensor:
        examples = [self.lend.encode((own,), turns) for own, turns in zip(job.pictures, job.turns, strict=True)]
        loss: Tensor = self.module(**self.lend.collate(examples), num_items_in_batch=count)["loss"]
        return loss


CONTESTANTS = {"plain loop": (Plain, "eager"), "coabench": (Packed, "sdpa")}


def _lend(model: Phi3VForCausalLM) -> Phi35Trainee:
    return Phi35Trainee(model, WORDS, Checkpoint.__new__(Checkpoint), False)


def contestant(name: str, base: Phi3VForCausalLM, setting: Setting) -> Any:
    kind, attention = CONTESTANTS[name]
    model = Phi3VForCausalLM.blueprint(copy.deepcopy(base.sizes), attention)
    model.fill(base.state_dict())
    torch.manual_seed(0)
    made = kind(model, setting.recipe)
    for parameter_name, parameter in made.module.named_parameters():
        if "lora_B" in parameter_name or "embedding_B" in parameter_name:  # zero at the start: nothing would move
            generator = torch.Generator(parameter.device).manual_seed(len(parameter_name))
            torch.nn.init.normal_(parameter, std=0.01, generator=generator)
    made.module.train()
    return made


def step(made: Any, job: Work, setting: Setting) -> float:
    """Run one micro-batch forward and backward; return its loss."""
    made.module.zero_grad()
    with fast_linear(torch.device(setting.device), torch.float32):  # as the Trainer computes
        with setting.arithmetic():
            loss = made.loss(job, job.count)
        loss.backward()
    return float(loss.detach())


def peak(name: str, composition: str, images: int, setting: Setting) -> float:
    """Return in GiB by how much a process of its own (on a GPU, what it holds there) grows over one micro-batch."""
    command = [sys.executable, __file__, "--peak", name, "--composition", composition, "--images", str(images)]
    command += setting.arguments()
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def held(device: str) -> float:
    """Return the most memory that was held so far, in GiB."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--images", type=whole_number(), default=1, help="in a micro-batch")
    parser.add_argument("--rounds", type=whole_number(), default=2)
    parser.add_argument("--threads", type=whole_number(), default=2)
    add_json(parser)
    parser.add_argument("--peak", choices=list(CONTESTANTS), help=argparse.SUPPRESS)
    parser.add_argument("--composition", choices=list(COMPOSITIONS), help=argparse.SUPPRESS)
    parser.add_argument("--size", default="mid", choices=["mid", "full"])
    parser.add_argument("--device", type=usable_device, default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--checkpointing", action="store_true", help="keep only the layers' inputs, both contestants")
    arguments = parser.parse_args()
    setting = Setting(arguments.size, arguments.device, arguments.dtype, arguments.checkpointing)
    torch.set_num_threads(arguments.threads)
    # In processes of their own, and first: two plain loops at a time do not fit everywhere.
    peaks = {} if arguments.peak else {
        (composition, name): peak(name, composition, arguments.images, setting)
        for composition in COMPOSITIONS for name in CONTESTANTS
    }  # fmt: skip
    pictures = [picture(face(number), NUM_CROPS) for number in range(len(BASIC))]
    base = random_model(WORDS, pictures, setting.size, setting.device, getattr(torch, setting.dtype))
    if arguments.peak:
        made, job = contestant(arguments.peak, base, setting), work(arguments.composition, arguments.images)
        before = held(setting.device)
        step(made, job, setting)
        print(held(setting.device) - before)
        return
    told = machine(setting.device, arguments.threads)
    print(", ".join(f"{key} {value}" for key, value in told.items()) + "\n")
    print(
        "| questions about an image | what | questions/s | times faster | peak GiB | loss |\n|---|---|---|---|---|---|"
    )
    rows: list[dict[str, Any]] = []
    runs = {name: contestant(name, base, setting) for name in CONTESTANTS}
    for composition in COMPOSITIONS:
        job = work(composition, arguments.images)
        seconds, losses = dict.fromkeys(runs, 0.0), dict.fromkeys(runs, 0.0)
        for turn in range(arguments.rounds + 1):
            for name, made in runs.items():
                begin = clock(setting.device)
                losses[name] = step(made, job, setting)
                seconds[name] += (clock(setting.device) - begin) * (turn > 0)  # the first round warms up
        for name in runs:
            speed = job.count * arguments.rounds / seconds[name]
            row = {"questions": composition, "what": name, "questions_per_second": speed,
                   "times_faster": seconds["plain loop"] / seconds[name], "loss": losses[name],
                   "peak_gib": peaks[composition, name]}  # fmt: skip
            rows.append(row)
            print(f"| {composition} | {name} | {speed:.3f} | {row['times_faster']:.2f} | {row['peak_gib']:.2f} "
                  f"| {row['loss']:.5f} |", flush=True)  # fmt: skip
    print(f"\nLoRA rank {setting.recipe.rank} on every part, {setting.dtype}, {arguments.images} image(s) a batch, "
          f"num_crops {NUM_CROPS}, forward and backward")  # fmt: skip
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": told, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
