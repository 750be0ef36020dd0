"""What the benchmarks measure on: a Phi-3.5-vision with random weights, drawn faces, and the machine's rates."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from coabench_phi35v.config import ModelConfig
from coabench_phi35v.images import Picture
from coabench_phi35v.model import Phi3VForCausalLM
from coabench_phi35v.prompt import ChatTokenizer, Control, chat
from PIL import Image, ImageDraw

from coabench.base.environment import cpu_fields
from coabench.dialogue import Question
from coabench.labels import Choices
from coabench.support.linear import fast_linear

EMBEDDING = {"hd_transform_order": "sub_glb", "projection_cls": "mlp", "use_hd_transform": True,
             "with_learnable_separator": True}  # fmt: skip
BASIC = Choices(("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral"))
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
             "img_processor": {"image_dim_out": 64, "clip_config": {
                 "hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "num_hidden_layers": 3}}},
    "mid": {"hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 8, "num_attention_heads": 8,
            "img_processor": {"image_dim_out": 1024, "clip_config": {"num_hidden_layers": 6}}},
    "full": {"hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 32, "num_attention_heads": 32,
             "img_processor": {"image_dim_out": 1024}},
}  # fmt: skip
"""What differs between the sizes: ``full`` has the 4.15 B parameters of the real model, ``tiny`` shows that it runs."""
INSTRUCTION_SETS = ("avx2", "fma", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_int8",
                    "amx_bf16", "asimd", "sve", "i8mm", "bf16")  # fmt: skip


def config_of(size: str) -> ModelConfig:
    """Return the sizes of a model."""
    own = SIZES[size]
    half = own["hidden_size"] // own["num_attention_heads"] // 2
    return ModelConfig.from_mapping(
        {
            **{"model_type": "phi3_v", "vocab_size": 32064, "rms_norm_eps": 1e-5, "embd_layer": EMBEDDING},
            **{"max_position_embeddings": 131072, "original_max_position_embeddings": 4096},
            "num_key_value_heads": own["num_attention_heads"],
            "rope_scaling": {"type": "su", "short_factor": [1.0] * half, "long_factor": [2.0] * half},
            **own,
        },
        Path("the benchmark's config"),
    )


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


def first_question() -> Question:
    """Return stage 1 of Chain-of-Affect."""
    listed = ", ".join(f"'{name}'" for name in BASIC[:-1])
    return Question(f"Select an emotion label from the following options: {listed} or '{BASIC[-1]}'.", BASIC)


def second_question(primary: str) -> Question:
    """Return stage 2."""
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


def random_model(
    tokenizer: WordPieces,
    pictures: Sequence[Picture],
    size: str = "mid",
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Phi3VForCausalLM:
    """Build the model; its head answers with a label that the image decides, ``<|end|>``, a newline, the end.

    Args:
        pictures: at least seven, by which the labels are told apart.
    """
    torch.manual_seed(0)
    model = Phi3VForCausalLM.blueprint(config_of(size))
    std = 0.02 * min(1.0, 8 / len(model.model.layers))  # the token at hand has to be told at the end of a deep model
    std = 0.1 if size == "tiny" else std  # and the image by a narrow one
    weights = {}
    for name, blueprint in model.state_dict().items():
        weight = torch.empty(blueprint.shape, device=device, dtype=dtype)
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=1.0 if "embed_tokens.weight" in name else std)
        elif name.endswith("bias"):
            weight.zero_()
        else:
            torch.nn.init.normal_(weight, std=0.02) if "class_embedding" in name else weight.fill_(1.0)
        weights[name] = weight
    model.fill(weights)
    embedding, head = model.model.embed_tokens.weight, model.lm_head.weight.mul_(0.05)

    def follows(token: int, successor: int) -> None:
        own = embedding[token].float()
        head[successor] += (20 * own / own.square().sum()).to(dtype)

    end, stop = tokenizer.control(Control.END), tokenizer.control(Control.ENDOFTEXT)
    for label in BASIC:
        chain = [tokenizer.control(Control.ASSISTANT), *tokenizer.text(label), end]
        for token, successor in itertools.pairwise(chain):
            follows(token, successor)
    for token, successor in ((end, 29871), (29871, 13), (13, stop)):
        follows(token, successor)
    states = torch.stack([_prompt_state(model, tokenizer, own) for own in pictures[: len(BASIC)]]).float()
    for label, direction in zip(BASIC, states - states.mean(0), strict=True):
        head[tokenizer.text(label)[0]] += (6 * direction / direction.square().sum()).to(dtype)
    return model


def whole_tower(model: Phi3VForCausalLM, crops: torch.Tensor) -> torch.Tensor:
    """Return the patches of crops as the published loop computes them: the last layer and the norm run, unused."""
    tower: Any = model.model.vision_embed_tokens.img_processor.vision_model
    states = [tower.pre_layrnorm(tower.embeddings(crops))]
    for layer in tower.encoder.layers:
        states.append(layer(states[-1]))
    tower.post_layernorm(states[-1][:, 0])
    patches: torch.Tensor = states[-2][:, 1:]
    return patches


def causal(width: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return the mask of one row in which every token sees itself and those before it."""
    return torch.ones(width, width, dtype=torch.bool, device=device).tril()[None, None]


def _prompt_state(model: Phi3VForCausalLM, tokenizer: WordPieces, own: Picture) -> torch.Tensor:
    ids = tokenizer.encode(chat(first_question().messages), [own.tokens])
    with torch.inference_mode():
        embedded = model.embed([ids], [{0: model.model.vision_embed_tokens([own])[0]}])
        positions = torch.arange(len(ids), device=model.device)[None]
        state: torch.Tensor = model.model(embedded, positions, [False], causal(len(ids), model.device))[0, -1]
    return state.clone()


# -- the machine ------------------------------------------------------------------------------------------------------


def machine(device: str, threads: int) -> dict[str, Any]:
    """Return what a figure needs beside it."""
    name = cpu_name() if device == "cpu" else torch.cuda.get_device_name(device)
    return {
        "device": name,
        **({"threads": threads, "instruction sets": instruction_sets()} if device == "cpu" else {}),
        "torch": torch.__version__,
    }


def cpu_name() -> str:
    """Return the processor as it calls itself."""
    return next(iter(cpu_fields("model name")), "unknown CPU")


def instruction_sets() -> str:
    """Return those of the CPU that matrix products can use, and the one that torch's own kernels are compiled for."""
    flags = {flag for name in ("flags", "Features") for line in cpu_fields(name) for flag in line.split()}
    there = [name for name in INSTRUCTION_SETS if name in flags]
    return f"{' '.join(there) or 'unknown'} (torch {torch.backends.cpu.get_cpu_capability()})"


def clock(device: str) -> float:
    """Return the time in seconds at which all work so far is done."""
    if device != "cpu":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def rate(device: str, dtype: torch.dtype, times: int = 7) -> float:
    """Measure the operations a second of a large linear layer, in the way that is fastest here.

    On a CPU 2,885 × 1,024 × 4,096, as five crops make it; on a GPU 8,192 × 8,192 × 8,192.
    """
    own = (5 * 577, 1024, 4096) if device == "cpu" else (8192, 8192, 8192)
    rows, inner, columns = own
    left = torch.randn(rows, inner, device=device, dtype=dtype)
    right = torch.randn(columns, inner, device=device, dtype=dtype)
    with fast_linear(torch.device(device), dtype):
        return 2 * rows * inner * columns / _best(lambda: torch.nn.functional.linear(left, right), device, times)


def _best(what: Callable[[], Any], device: str, times: int) -> float:
    seconds = []
    with torch.inference_mode():
        for _ in range(times):
            begin = clock(device)
            what()
            seconds.append(clock(device) - begin)
    return min(seconds[1:])


# -- the floor --------------------------------------------------------------------------------------------------------


def vision_operations(config: ModelConfig, crops: int) -> float:
    """Return the operations of the vision tower on some crops: two per weight and token, and those of attention."""
    own, tokens = config.vision, config.vision.positions
    weights = 4 * own.hidden_size**2 + 2 * own.hidden_size * own.intermediate_size
    depth = own.num_hidden_layers - 1  # nothing depends on the last
    return float(crops * depth * (2 * tokens * weights + 4 * tokens**2 * own.hidden_size))


def projector_operations(config: ModelConfig, tokens: int) -> float:
    """Return the operations of the projector on the tokens of images."""
    merged, hidden = 4 * config.image_dim, config.text.hidden_size
    return float(2 * tokens * (merged * hidden + hidden**2))


def decoder_operations(config: ModelConfig, new: int, held: int = 0) -> float:
    """Return the operations of the decoder layers on new tokens after *held* others; each sees those before it."""
    own = config.text
    weights = 4 * own.hidden_size**2 + 3 * own.hidden_size * own.intermediate_size
    seen = new * held + new * (new + 1) / 2
    return float(own.num_hidden_layers * (2 * new * weights + 4 * seen * own.hidden_size))


def attention_operations(config: ModelConfig, crops: int, passes: Sequence[tuple[int, int]]) -> float:
    """Return those of `vision_operations` and `decoder_operations` that are attention's.

    Args:
        passes: for each, how many new tokens the decoder takes, and how many were there before.
    """
    tower, text = config.vision, config.text
    seen = sum(new * held + new * (new + 1) / 2 for new, held in passes)
    vision = crops * (tower.num_hidden_layers - 1) * tower.positions**2 * tower.hidden_size
    return float(4 * (vision + text.num_hidden_layers * seen * text.hidden_size))


def head_operations(config: ModelConfig, states: int) -> float:
    """Return the operations of the prediction of tokens after some states."""
    return float(2 * states * config.text.hidden_size * config.text.vocab_size)
