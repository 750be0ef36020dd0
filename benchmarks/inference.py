"""What looking once and asking many times is worth: the published loop against the port, on one random model.

Chain-of-Affect (two questions about every face) on a mid-size Phi-3.5-vision with random weights whose head is set so
that every answer is a label. The published loop makes two independent passes per face: batch 1, eager attention, the
whole vision tower, logits at every position, free generation up to ``<|endoftext|>``. The port looks at a batch once
and generates, or scores the listed options.

    python benchmarks/inference.py [--batch-size 4] [--faces 12] [--dtype auto|bfloat16|float32] [--json FILE]
"""

from __future__ import annotations

import argparse
import copy
import itertools
import json
import re
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from coabench_phi35v.config import EMBEDDING, ModelConfig
from coabench_phi35v.images import Picture, picture
from coabench_phi35v.model import Phi3VForCausalLM
from coabench_phi35v.prompt import ChatTokenizer, Control, chat
from coabench_phi35v.viewing import Phi35Viewing
from PIL import Image, ImageDraw
from transformers import DynamicCache

from coabench.dialogue import Question
from coabench.labels import Options
from coabench.placement import cpu_flags, dtype_of

BASIC = Options(("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral"))
NUM_CROPS = 4
CONFIG: dict[str, Any] = {
    "model_type": "phi3_v",
    "vocab_size": 32064,
    "hidden_size": 512,
    "intermediate_size": 1408,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 131072,
    "original_max_position_embeddings": 4096,
    "rope_scaling": {"type": "su", "short_factor": [1.0] * 32, "long_factor": [2.0] * 32},
    "embd_layer": dict(EMBEDDING),
    "img_processor": {"image_dim_out": 1024, "clip_config": {"num_hidden_layers": 6}},
}

Answers = list[tuple[str, str]]
"""Primary and secondary answer of each face."""


class WordPieces(ChatTokenizer):
    """A stand-in for the real tokenizer: pieces of words, numbered as they come; control tokens as in the real one."""

    NEWLINE = (29871, 13)

    def __init__(self) -> None:
        self._controls = dict(zip(Control, (1, 32010, 32001, 32007, 32000), strict=True))
        self._ids: dict[str, int] = {}

    def text(self, text: str) -> list[int]:
        return [self._ids.setdefault(piece, 1000 + len(self._ids)) for piece in re.findall(r"\w{1,4}|[^\w ]", text)]

    def decode(self, ids: Sequence[int]) -> str:
        pieces = {number: piece for piece, number in self._ids.items()}
        return "".join(pieces.get(i, "\n" if i == self.NEWLINE[1] else "") for i in ids)


def questions(primary: str | None) -> Question:
    if primary is None:
        listed = ", ".join(f"'{name}'" for name in BASIC[:-1])
        text = f"Select an emotion label from the following options: {listed} or '{BASIC[-1]}'."
        return Question(text, BASIC)
    rest = BASIC - primary
    return Question(
        f"The primary emotion conveyed by this image was {primary}. Please select the next most strongly felt emotion "
        f"from the following options: {', '.join(rest[:-1])}, or {rest[-1]}.",
        BASIC,  # the random model may repeat itself, and scoring must be able to say so
    )


def face(number: int) -> Image.Image:
    """Draw a face: skin, eyes, brows and a mouth, coloured and shaped by the number."""
    rng = np.random.default_rng(number)
    image = Image.fromarray(rng.integers(0, 60, (100, 100, 3), dtype=np.uint8))
    draw = ImageDraw.Draw(image)
    draw.ellipse((15, 8, 85, 95), fill=tuple(int(c) for c in rng.integers(90, 250, 3)))
    tilt, bow = (int(x) for x in rng.integers(-8, 9, 2))
    for x in (35, 65):
        draw.ellipse((x - 6, 38, x + 6, 38 + int(rng.integers(4, 14))), fill="white", outline="black")
        draw.line((x - 9, 30 + tilt, x + 9, 30 - tilt), fill="black", width=3)
    draw.arc((30, 65 - abs(bow), 70, 80 + abs(bow)), *((0, 180) if bow > 0 else (180, 360)), fill="darkred", width=4)
    return image


def random_model(tokenizer: WordPieces, pictures: Sequence[Picture]) -> Phi3VForCausalLM:
    """Build the model; its head answers with a label that the image decides, ``<|end|>``, a newline, the end."""
    torch.manual_seed(0)
    model = Phi3VForCausalLM(ModelConfig.from_mapping(CONFIG, Path("the benchmark's config")))
    for name, weight in model.named_parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=1.0 if "embed_tokens.weight" in name else 0.02)
    model.eval().requires_grad_(False)
    embedding, head = model.model.embed_tokens.weight, model.lm_head.weight.mul_(0.05)

    def follows(token: int, successor: int) -> None:
        head[successor] += 20 * embedding[token] / embedding[token].square().sum()

    end, stop = tokenizer.control(Control.END), tokenizer.control(Control.ENDOFTEXT)
    for label in BASIC:
        chain = [tokenizer.control(Control.ASSISTANT), *tokenizer.text(label), end]
        for token, successor in itertools.pairwise(chain):
            follows(token, successor)
    for token, successor in ((end, 29871), (29871, 13), (13, stop)):
        head[successor] += 20 * embedding[token] / embedding[token].square().sum()
    states = torch.stack([prompt_state(model, tokenizer, own) for own in pictures[: len(BASIC)]])
    for label, direction in zip(BASIC, states - states.mean(0), strict=True):
        head[tokenizer.text(label)[0]] += 6 * direction / direction.square().sum()
    return model


def causal(width: int) -> torch.Tensor:
    return torch.ones(width, width, dtype=torch.bool).tril()[None, None]


def prompt_state(model: Phi3VForCausalLM, tokenizer: WordPieces, own: Picture) -> torch.Tensor:
    ids = tokenizer.encode(chat(questions(None).messages), [own.tokens])
    with torch.inference_mode():
        embedded = model.embed([ids], [{0: model.model.vision_embed_tokens([own])[0]}])
        state: torch.Tensor = model.model(embedded, torch.arange(len(ids))[None], [False], causal(len(ids)))[0, -1]
    return state.clone()


# -- the two contestants ----------------------------------------------------------------------------------------------


def published(model: Phi3VForCausalLM, tokenizer: WordPieces, images: Sequence[Image.Image]) -> Answers:
    """Two independent passes per face, as the published scripts make them (*model* in eager attention)."""

    def answer(image: Image.Image, question: Question) -> str:
        own = picture(image, NUM_CROPS)
        ids = tokenizer.encode(chat(question.messages), [own.tokens])
        vision, written, cache = model.model.vision_embed_tokens, [], DynamicCache()
        crops = torch.zeros(NUM_CROPS + 1, *own.crops.shape[1:])
        crops[: len(own.crops)] = own.crops
        tower = vision.img_processor.vision_model(crops.to(model.lm_head.weight.dtype), output_hidden_states=True)
        patches = vision._merge(tower.hidden_states[-2][: len(own.crops), 1:])
        embedded = model.embed([ids], [{0: vision.img_projection(vision._arrange(patches, own))}])
        mask = causal(len(ids))
        while True:
            held = mask.shape[-1]
            positions = torch.arange(held - embedded.shape[1], held)[None]
            states = model.model(embedded, positions, [False], mask, cache)
            written.append(int(model.lm_head(states).float()[0, -1].argmax()))
            if written[-1] == tokenizer.control(Control.ENDOFTEXT) or len(written) == 1000:
                return tokenizer.decode(written).strip()
            embedded = model.embed([written[-1:]], [{}])
            mask = torch.ones(1, 1, 1, held + 1, dtype=torch.bool)

    answers = []
    with torch.inference_mode():
        for image in images:
            primary = answer(image, questions(None))
            answers.append((primary, answer(image, questions(primary))))
    return answers


def ported(
    model: Phi3VForCausalLM, tokenizer: WordPieces, images: Sequence[Image.Image], batch: int, decode: Any
) -> Answers:
    """The same two questions through one viewing per batch."""
    stop = frozenset({tokenizer.control(Control.END), tokenizer.control(Control.ENDOFTEXT)})
    answers: Answers = []
    for start in range(0, len(images), batch):
        samples = [(picture(image, NUM_CROPS),) for image in images[start : start + batch]]
        viewing = Phi35Viewing(model, tokenizer, samples, stop, 1000)
        first = [a.response for a in viewing.ask([questions(None)] * len(samples), decode) if a]
        second = [a.response for a in viewing.ask([questions(name) for name in first], decode) if a]
        answers += zip(first, second, strict=True)
    return answers


# -- measuring --------------------------------------------------------------------------------------------------------


Contestant = Callable[[Sequence[Image.Image]], Answers]


def race(contestants: Sequence[Contestant], images: Sequence[Image.Image], block: int) -> list[tuple[float, Answers]]:
    """Return seconds per image and the answers of each contestant.

    They take turns, block by block of images, so that a machine that slows down slows all of them. The first image
    warms up outside the clock.
    """
    seconds = [0.0] * len(contestants)
    answers: list[Answers] = [[] for _ in contestants]
    for run in contestants:
        run(images[:1])
    for start in range(0, len(images), block):
        for index, run in enumerate(contestants):
            begin = time.perf_counter()
            answers[index] += run(images[start : start + block])
            seconds[index] += time.perf_counter() - begin
    return list(zip([s / len(images) for s in seconds], answers, strict=True))


def cpu_name() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return "unknown CPU"
    names = re.findall(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    kinds = [flag for flag in ("amx_bf16", "avx512_bf16") if flag in cpu_flags()]
    return f"{names[0] if names else 'unknown CPU'} ({', '.join(kinds) or 'no bfloat16 arithmetic'})"


def same(answers: Answers, reference: Answers) -> str:
    """Count equal answers."""
    equal = [own == other for pair in zip(answers, reference, strict=True) for own, other in zip(*pair, strict=True)]
    return f"{sum(equal)}/{len(equal)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--dtype", default="auto", choices=["auto", "float32", "bfloat16"], help="measured beside float32"
    )
    parser.add_argument("--faces", type=int, default=12, help="how many (at least 7)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    tokenizer, images = WordPieces(), [face(number) for number in range(arguments.faces)]
    sdpa = random_model(tokenizer, [picture(image, NUM_CROPS) for image in images])
    eager = Phi3VForCausalLM(copy.deepcopy(sdpa.sizes), "eager")
    eager.fill(sdpa.state_dict())
    machine = {
        "cpu": cpu_name(),
        "threads": arguments.threads,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    print(", ".join(f"{key} {value}" for key, value in machine.items()) + "\n")
    print("| what | batch | dtype | s/image | times faster | same answers |\n|---|---|---|---|---|---|", flush=True)
    dtypes = list(dict.fromkeys([torch.float32, dtype_of(arguments.dtype, torch.device("cpu"))]))
    rows: list[dict[str, Any]] = []
    reference: Answers = []
    for dtype in dtypes:
        eager, sdpa = eager.to(dtype), sdpa.to(dtype)
        runs = [("published loop", 1, partial(published, eager, tokenizer))]
        for batch in dict.fromkeys([1, arguments.batch_size]):
            for decode in ("generate", "score"):
                runs.append((f"port, {decode}", batch, partial(ported, sdpa, tokenizer, batch=batch, decode=decode)))
        results = race([run for *_, run in runs], images, arguments.batch_size)
        for (name, batch, _), (seconds, answers) in zip(runs, results, strict=True):
            reference = reference or answers
            rows.append({
                "what": name, "batch": batch, "dtype": str(dtype).removeprefix("torch."), "seconds_per_image": seconds,
                "times_faster": rows[0]["seconds_per_image"] / seconds if rows else 1.0,
                "same_answers": same(answers, reference),
            })  # fmt: skip
            print(f"| {name} | {batch} | {rows[-1]['dtype']} | {seconds:.3f} | {rows[-1]['times_faster']:.2f} "
                  f"| {rows[-1]['same_answers']} |", flush=True)  # fmt: skip
    print(f"\n{len(images)} faces, num_crops {NUM_CROPS}, two questions each; {len(set(reference))} different pairs")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
