"""What looking once and asking many times is worth: the published loop against the port, on one random model.

Two tasks. *chain*: Chain-of-Affect, two questions about every face. *one-shot*: one question after an exemplar image,
the same for all faces. The published loop makes an independent pass per question: batch 1, eager attention, the whole
vision tower on every image, logits at every position, free generation up to ``<|endoftext|>``. The port looks at a
batch once and generates, or scores the listed options; what an exemplar begins is computed once.

The floor is what the port cannot do without: the operations of the layers it runs, at the rate that this machine
reaches in one large matrix product. *Of the floor*, how close a contestant comes, is the figure to judge by: how much
faster than the published loop it is depends on the machine as well.

    python benchmarks/inference.py [--faces 8] [--batch-size 4] [--dtype auto|bfloat16|float32] [--json FILE]
    python benchmarks/inference.py --size full --device cuda --batch-size 32 --faces 64 --num-crops 4 16

The second needs a GPU and no download: the model has the 4.15 B parameters of Phi-3.5-vision, and random values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from coabench_phi35v.images import Picture, picture
from coabench_phi35v.model import Phi3VForCausalLM
from coabench_phi35v.prompt import Control, chat
from coabench_phi35v.viewing import Phi35Viewing
from command_line import add_json, parser_of, run_benchmark, usable_device, whole_number
from PIL.Image import Image
from subject import (
    BASIC,
    WordPieces,
    causal,
    clock,
    decoder_operations,
    face,
    first_question,
    head_operations,
    machine,
    projector_operations,
    random_model,
    rate,
    second_question,
    vision_operations,
    whole_tower,
)

from coabench.decode import Decode
from coabench.dialogue import Message, Question
from coabench.support.placement import dtype_of
from coabench.support.shared_cache import SharedCache

EXEMPLAR = 1000
"""The number of the face that is shown before the others."""

Answers = list[tuple[str, ...]]
"""The answers about each face."""


@dataclass(frozen=True)
class Bench:
    """What a contestant runs with."""

    model: Phi3VForCausalLM
    tokenizer: WordPieces
    num_crops: int
    device: str

    def picture(self, image: Image) -> Picture:
        """Return what the model sees of an image."""
        return picture(image, self.num_crops)


def after_exemplar() -> Question:
    """Return the first question, asked and answered about another image before."""
    question = first_question()
    context = (Message("user", question.prompt, (0,)), Message("assistant", BASIC[3]))
    return Question(question.prompt, BASIC, images=(1,), context=context)


# -- the published loop -----------------------------------------------------------------------------------------------


class GrowingCache:
    """Keys and values that are copied at every token, as in the published run."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def update(self, keys: torch.Tensor, values: torch.Tensor, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        if layer in self._held:
            keys, values = (torch.cat(pair, dim=2) for pair in zip(self._held[layer], (keys, values), strict=True))
        self._held[layer] = keys, values
        return keys, values


def published_answer(bench: Bench, images: Sequence[Image], question: Question) -> str:
    """One independent pass, as the published scripts make it (*model* in eager attention)."""
    model, tokenizer, device = bench.model, bench.tokenizer, bench.device
    vision, written, cache = model.model.vision_embed_tokens, list[int](), GrowingCache()
    own = [bench.picture(image) for image in images]
    ids = tokenizer.encode(chat(question.messages), [each.tokens for each in own])
    encoded = {}
    for index, each in enumerate(own):
        crops = torch.zeros(bench.num_crops + 1, *each.crops.shape[1:])
        crops[: len(each.crops)] = each.crops
        patches = whole_tower(model, crops.to(device, model.lm_head.weight.dtype))[: len(each.crops)]
        encoded[index] = vision.img_projection(vision._arrange(vision._merge(patches), each))
    embedded, mask = model.embed([ids], [encoded]), causal(len(ids), device)
    while True:
        held = mask.shape[-1]
        positions = torch.arange(held - embedded.shape[1], held, device=device)[None]
        states = model.model(embedded, positions, [held > 4096], mask, cache)
        written.append(int(model.lm_head(states).float()[0, -1].argmax()))
        if written[-1] == tokenizer.control(Control.ENDOFTEXT) or len(written) == 100:
            return tokenizer.decode(written).strip()
        embedded = model.embed([written[-1:]], [{}])
        mask = torch.ones(1, 1, 1, held + 1, dtype=torch.bool, device=device)


def published(task: str, bench: Bench, images: Sequence[Image]) -> Answers:
    answers: Answers = []
    with torch.inference_mode():
        for image in images:
            if task == "one-shot":
                answers.append((published_answer(bench, [face(EXEMPLAR), image], after_exemplar()),))
            else:
                primary = published_answer(bench, [image], first_question())
                answers.append((primary, published_answer(bench, [image], second_question(primary))))
    return answers


# -- the port ---------------------------------------------------------------------------------------------------------


def ported(
    task: str, bench: Bench, batch: int, decode: Decode, kept: SharedCache[Any, Any], images: Sequence[Image]
) -> Answers:
    """The same questions through one viewing per batch."""
    stop = frozenset({bench.tokenizer.control(Control.END), bench.tokenizer.control(Control.ENDOFTEXT)})
    before = [face(EXEMPLAR)] if task == "one-shot" else []
    answers: Answers = []
    for start in range(0, len(images), batch):
        samples = [tuple(bench.picture(image) for image in (*before, image)) for image in images[start : start + batch]]
        viewing = Phi35Viewing(bench.model, bench.tokenizer, samples, stop, 1000, kept)
        first = after_exemplar() if before else first_question()
        said = [answer.response for answer in viewing.ask([first] * len(samples), decode) if answer]
        if before:
            answers += [(answer,) for answer in said]
        else:
            later = viewing.ask([second_question(name) for name in said], decode)
            answers += [(one, other.response) for one, other in zip(said, later, strict=True) if other]
    return answers


def floor(task: str, bench: Bench) -> float:
    """Return the operations that a face costs at least: its image once, its tokens once, scores of the options."""
    config, own = bench.model.sizes, bench.picture(face(0))
    encode = bench.tokenizer.encode
    vision = vision_operations(config, len(own.distinct)) + projector_operations(config, own.tokens)
    if task == "one-shot":
        ids = encode(chat(after_exemplar().messages), [own.tokens, own.tokens])
        begin = ids.index(-2)
        return vision + decoder_operations(config, len(ids) - begin, begin) + head_operations(config, len(BASIC))
    first, second = (
        encode(chat(question.messages), [own.tokens]) for question in (first_question(), second_question(BASIC[0]))
    )
    shared = next(i for i, (one, other) in enumerate(zip(first, second, strict=False)) if one != other)
    return (
        vision
        + decoder_operations(config, len(first))
        + decoder_operations(config, len(second) - shared, shared)
        + head_operations(config, 2 * len(BASIC))
    )


# -- measuring --------------------------------------------------------------------------------------------------------


Contestant = Callable[[Sequence[Image]], Answers]


def race(
    contestants: Sequence[Contestant],
    images: Sequence[Image],
    block: int,
    device: str,
    time: Callable[[str], float] = clock,
) -> list[tuple[float, Answers]]:
    """Return seconds per image and the answers of each contestant.

    They take turns, block by block of images, so that a machine that slows down slows all of them. The first images
    warm up outside the clock. *time* says what counts as time on a device.
    """
    seconds = [0.0] * len(contestants)
    answers: list[Answers] = [[] for _ in contestants]
    for run in contestants:
        run(images[: 1 if device == "cpu" else block])
    for start in range(0, len(images), block):
        for index, run in enumerate(contestants):
            begin = time(device)
            answers[index] += run(images[start : start + block])
            seconds[index] += time(device) - begin
    return list(zip([s / len(images) for s in seconds], answers, strict=True))


def same(answers: Answers, reference: Answers) -> str:
    """Count equal answers."""
    equal = [own == other for pair in zip(answers, reference, strict=True) for own, other in zip(*pair, strict=True)]
    return f"{sum(equal)}/{len(equal)}"


def measure(
    task: str, eager: Bench, sdpa: Bench, batches: Sequence[int], images: Sequence[Image]
) -> list[dict[str, Any]]:
    """Return a row for the published loop and for each way of the port."""
    runs: list[tuple[str, int, Contestant]] = [("published loop", 1, partial(published, task, eager))]
    for batch in batches:
        for decode in ("generate", "score"):
            kept = SharedCache.on(torch.device(sdpa.device))
            runs.append((f"port, {decode}", batch, partial(ported, task, sdpa, batch, decode, kept)))
    dtype = str(sdpa.model.lm_head.weight.dtype).removeprefix("torch.")
    results = race([run for *_, run in runs], images, max(batches), sdpa.device)
    return [
        {"task": task, "num_crops": sdpa.num_crops, "what": name, "batch": batch, "dtype": dtype,
         "seconds_per_image": seconds, "answers": answers}
        for (name, batch, _), (seconds, answers) in zip(runs, results, strict=True)
    ]  # fmt: skip


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--size", default="mid", choices=["mid", "full"])
    parser.add_argument("--device", type=usable_device, default="cpu")
    parser.add_argument("--tasks", nargs="+", default=["chain", "one-shot"], choices=["chain", "one-shot"])
    parser.add_argument("--num-crops", type=whole_number(), nargs="+", default=[4])
    parser.add_argument("--batch-size", type=whole_number(), default=4)
    parser.add_argument("--threads", type=whole_number(), default=2)
    parser.add_argument("--dtype", default="auto", choices=["auto", "float32", "bfloat16", "float16"])
    parser.add_argument("--faces", type=whole_number(len(BASIC)), default=8, help="how many (at least 7)")
    add_json(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device, images = arguments.device, [face(number) for number in range(arguments.faces)]
    chosen = dtype_of(arguments.dtype, torch.device(device))
    # A full-size model in float32 fills a GPU; there the published loop ran in half precision as well.
    dtypes = [chosen] if arguments.size == "full" else list(dict.fromkeys([torch.float32, chosen]))
    tokenizer = WordPieces()
    told = machine(device, arguments.threads)
    print(", ".join(f"{key} {value}" for key, value in told.items()) + "\n")
    sdpa = random_model(tokenizer, [picture(image, 4) for image in images], arguments.size, device, dtypes[0])
    eager = Phi3VForCausalLM.blueprint(sdpa.sizes, "eager")
    print(
        "| task | crops | what | batch | dtype | of the floor | s/image | times the first | same answers |\n"
        "|---|---|---|---|---|---|---|---|---|",
        flush=True,
    )
    rows: list[dict[str, Any]] = []
    references: dict[tuple[str, int], dict[str, Any]] = {}
    for dtype in dtypes:
        sdpa = sdpa.to(dtype)
        eager.fill(dict(sdpa.state_dict()))
        speed = rate(device, dtype)
        for num_crops in arguments.num_crops:
            for task in arguments.tasks:
                benches = [Bench(model, tokenizer, num_crops, device) for model in (eager, sdpa)]
                batches = list(dict.fromkeys([1, arguments.batch_size]))
                for row in measure(task, *benches, batches, images):
                    reference = references.setdefault((task, num_crops), row)
                    row["times_faster"] = reference["seconds_per_image"] / row["seconds_per_image"]
                    row["floor"] = floor(task, benches[1]) / speed
                    row["of_the_floor"] = row["floor"] / row["seconds_per_image"]
                    row["same_answers"] = same(row["answers"], reference["answers"])
                    rows.append(row)
                    print(
                        f"| {task} | {num_crops} | {row['what']} | {row['batch']} | {row['dtype']} "
                        f"| **{row['of_the_floor']:.0%}** | {row['seconds_per_image']:.4f} | {row['times_faster']:.2f} "
                        f"| {row['same_answers']} |",
                        flush=True,
                    )
        told[f"operations_a_second_{str(dtype).removeprefix('torch.')}"] = speed
    print(f"\n{len(images)} faces; " + ", ".join(
        f"{task}: {len(set(row['answers']))} different answers" for (task, _), row in references.items()
    ))  # fmt: skip
    if arguments.json:
        plain = [{key: value for key, value in row.items() if key != "answers"} for row in rows]
        arguments.json.write_text(json.dumps({"machine": told, "rows": plain}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
