"""The tiny checkpoint before anything is learnt: sizes, tokenizer, and weights that start well.

The architecture is Phi-3.5-vision's and so is the code; only the sizes differ. `write` makes a folder that
`coabench_phi35v` reads like any other checkpoint.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import yaml
from coabench_phi35v.config import ModelConfig
from coabench_phi35v.model import Phi3VForCausalLM
from coabench_phi35v.prompt import Control
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn

from coabench.base import shipped

SIDE, PATCH = 96, 12
"""Pixels: 8 x 8 patches, merged to 4 x 4 tokens."""
VOCABULARY = 632
VISION = {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 7, "num_attention_heads": 4}
"""The last layer of a CLIP tower is not run, so six of these seven see."""
TEXT = {"hidden_size": 192, "intermediate_size": 384, "num_hidden_layers": 4, "num_attention_heads": 4}
CONTEXT = 2048

CONFIG: dict[str, Any] = {
    "model_type": "phi3_v",
    "architectures": ["Phi3VForCausalLM"],
    "vocab_size": VOCABULARY,
    **TEXT,
    "num_key_value_heads": TEXT["num_attention_heads"],
    "hidden_act": "silu",
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
    "rope_theta": 10000.0,
    "rope_scaling": {"type": "su", "short_factor": [1.0] * 24, "long_factor": [1.0] * 24},
    "original_max_position_embeddings": CONTEXT,
    "max_position_embeddings": CONTEXT,
    "img_processor": {
        "name": "clip_vision_model",
        "image_dim_out": VISION["hidden_size"],
        "clip_config": {**VISION, "image_size": SIDE, "patch_size": PATCH},
    },
    "embd_layer": {
        "embedding_cls": "image",
        "hd_transform_order": "sub_glb",
        "projection_cls": "mlp",
        "use_hd_transform": True,
        "with_learnable_separator": True,
    },
}


def write(folder: Path, seed: int) -> Phi3VForCausalLM:
    """Write ``config.json``, ``tokenizer.json`` and ``model.safetensors``, random but for what `weights` says.

    Returns:
        The model with these weights, in float32.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n", encoding="utf-8")
    tokenizer().save(str(folder / "tokenizer.json"))
    model = Phi3VForCausalLM.blueprint(ModelConfig.read(folder))
    model.fill(weights(model, seed))
    save(model, folder)
    return model


def save(model: nn.Module, folder: Path) -> None:
    """Write the weights of *model* as float16."""
    state = {name: value.detach().to(torch.float16).contiguous() for name, value in model.state_dict().items()}
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def halve(path: Path) -> None:
    """Round the weights in a file of safetensors to float16, in place, as those of the base are."""
    save_file(
        {name: value.to(torch.float16) for name, value in load_file(path).items()}, path, metadata={"format": "pt"}
    )


# -- tokenizer --------------------------------------------------------------------------------------------------------


def tokenizer() -> Tokenizer:
    """Train a byte-level BPE on the texts of the built-in prompts and the labels of the cards.

    Their words become one token or two; any other text is spelt in bytes.
    """
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    # Id 0 for what pads, 1 for what begins, as in the published vocabulary.
    controls = [Control.ENDOFTEXT, Control.BEGIN, Control.USER, Control.ASSISTANT, Control.END]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=2,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=[AddedToken(c.value, special=True, rstrip=c is Control.ASSISTANT) for c in controls],
    )
    trained.train_from_iterator(_texts(), trainer)
    return trained


def _texts() -> Iterator[str]:
    cards = [
        yaml.safe_load(path.read_text("utf-8")) for path in sorted(shipped.path("datasets_registry").glob("*.yaml"))
    ]
    for card in cards:
        yield card["description"]
        for name in (str(entry["name"]) for entry in card["labels"]["classes"]):
            yield from [f"{name} '{name}', {name}, or {name}. {name.lower()}"] * 4
    for path in sorted(shipped.path("prompts").glob("*.yaml")):
        for question in yaml.safe_load(path.read_text("utf-8"))["questions"]:
            yield from [re.sub(r"{{.*?}}", "", question["prompt"])] * 2


# -- weights ----------------------------------------------------------------------------------------------------------


def weights(model: nn.Module, seed: int) -> dict[str, Tensor]:
    """Draw the parameters of *model*: normal, of a width that keeps the size of what passes through.

    Two things that a small model learns slowly it gets: patches come as low frequencies, and positions as waves.
    """
    rng = torch.Generator().manual_seed(seed)
    depth = {"vision": VISION["num_hidden_layers"] - 1, "text": TEXT["num_hidden_layers"]}

    def draw(name: str, shape: torch.Size) -> Tensor:
        if name.endswith("patch_embedding.weight"):
            return frequencies(shape[0])
        if name.endswith("position_embedding.weight"):
            return position_waves(shape[1])
        if name.endswith("bias"):
            return torch.zeros(shape)
        if len(shape) == 1:  # norms; the class token
            return torch.zeros(shape) if "class_embedding" in name else torch.ones(shape)
        if name.endswith(("_GN", "embed_tokens.weight")):
            return 0.5 * torch.randn(shape, generator=rng)
        width = 1 / math.sqrt(shape[1])
        if name.endswith(("out_proj.weight", "fc2.weight", "o_proj.weight", "down_proj.weight")):  # into the residual
            width /= math.sqrt(2 * depth["vision" if "vision" in name else "text"])
        return 0.7 * width * torch.randn(shape, generator=rng)

    drawn = {name: draw(name, value.shape) for name, value in model.state_dict().items()}
    unused = f"encoder.layers.{VISION['num_hidden_layers'] - 1}."
    # What no image passes through is zero, and packs to nothing.
    return {name: value * 0 if unused in name or "post_layernorm" in name else value for name, value in drawn.items()}


def frequencies(count: int) -> Tensor:
    """Return (count, 3, PATCH, PATCH): cosine waves, the longest first; three fifths of brightness, the rest of colour.

    Shorter waves are weaker in pictures and get more weight, so that all of them come out about equally strong.
    """
    colours = torch.tensor([[1, 1, 1], [1, 0, -1], [1, -2, 1]], dtype=torch.float32)
    colours /= colours.norm(dim=1, keepdim=True)
    shares = (count - 2 * (count // 5), count // 5, count // 5)
    at = (torch.arange(PATCH) + 0.5) * math.pi / PATCH
    pairs = sorted(((u, v) for u in range(PATCH) for v in range(PATCH)), key=lambda uv: (uv[0] ** 2 + uv[1] ** 2, uv))
    filters = []
    for colour, share, strength in zip(colours, shares, (1.5, 4.0, 8.0), strict=True):
        for u, v in pairs[:share]:
            wave = torch.outer(torch.cos(v * at), torch.cos(u * at))
            weight = strength * (0.7 + u * u + v * v) / PATCH
            filters.append(weight * colour[:, None, None] * wave / wave.norm())
    return torch.stack(filters)


def position_waves(width: int) -> Tensor:
    """Return (1 + patches, width): sine waves of row and column, zero for the class token."""
    side = SIDE // PATCH
    rate = 0.8 * (1 / 16) ** (torch.arange(width // 4) / (width // 4))
    angles = torch.arange(side)[:, None] * rate
    waves = torch.cat([angles.sin(), angles.cos()], dim=1)
    grid = torch.cat([waves[:, None].expand(side, side, -1), waves[None].expand(side, side, -1)], dim=2)
    return torch.cat([torch.zeros(1, width), grid.reshape(side * side, width)])
