"""config.json of a Phi-3.5-vision checkpoint -> the typed sizes that the modules are built from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import CLIPVisionConfig, Phi3Config

from coabench.errors import UserError
from coabench_phi35v.images import CropSize

CLIP_L_14_336: Mapping[str, Any] = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "num_channels": 3,
    "image_size": 336,
    "patch_size": 14,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
"""The vision tower that the published config implies without spelling it out (openai/clip-vit-large-patch14-336)."""

EMBEDDING = {
    "hd_transform_order": "sub_glb",
    "projection_cls": "mlp",
    "use_hd_transform": True,
    "with_learnable_separator": True,
}
"""The one image embedding that is ported, as config.json names it."""


@dataclass(frozen=True)
class Rope:
    """Rotary position embedding with two sets of factors ("su", LongRoPE: arXiv 2402.13753).

    Attributes:
        theta: the base of the frequencies.
        short, long: one factor per pair of channels, up to and beyond *original* tokens.
        original: the longest sequence, in tokens, for which the short factors hold.
        longest: the longest sequence the model was extended to.
    """

    theta: float
    short: tuple[float, ...]
    long: tuple[float, ...]
    original: int
    longest: int


@dataclass(frozen=True)
class ModelConfig:
    """The sizes of a checkpoint. *image_dim* is the width of the vision tower's patches."""

    text: Phi3Config
    vision: CLIPVisionConfig
    rope: Rope
    image_dim: int

    @property
    def crop(self) -> CropSize:
        """How large the crops are that the vision tower takes."""
        vision: Any = self.vision  # transformers types both sizes more widely than they are here
        return CropSize(vision.image_size, vision.image_size // vision.patch_size // 2)

    @classmethod
    def read(cls, folder: Path) -> ModelConfig:
        """Read ``config.json`` in *folder*.

        Raises:
            UserError: where it is missing, is no JSON, or describes another architecture.
        """
        path = folder / "config.json"
        return cls.from_mapping(read_json(path), path)

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], path: Path) -> ModelConfig:
        """Build the sizes from the content of a config file; *path* is named in errors."""
        if data.get("model_type") != "phi3_v":
            raise UserError(
                f"{path} describes another architecture",
                expected="model_type phi3_v (Phi-3.5-vision, Phi-3-vision)",
                found=f"model_type {data.get('model_type')}",
                remedy="give the folder or hub id of a Phi-3.5-vision checkpoint, e.g. "
                "microsoft/Phi-3.5-vision-instruct",
            )
        try:
            rope = _rope(data)
            _supported(data, path)
            return cls(_text(data, rope), _vision(data, path), rope, int(data["img_processor"]["image_dim_out"]))
        except KeyError as e:
            raise UserError(
                f"{path} lacks {e.args[0]!r}",
                expected="the config.json of a Phi-3.5-vision checkpoint, unabridged",
                remedy="fetch the checkpoint's config.json again",
            ) from e

    def differences(self, other: ModelConfig) -> list[str]:
        """Return the fields in which two configs are not the same architecture, as ``"field: mine / theirs"``."""
        text = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                "num_key_value_heads", "rms_norm_eps")  # fmt: skip
        pairs = [(f, getattr(self.text, f), getattr(other.text, f)) for f in text]
        pairs += [(f"vision {f}", getattr(self.vision, f), getattr(other.vision, f)) for f in CLIP_L_14_336]
        pairs += [("rope", self.rope, other.rope)]
        return [f"{name}: {mine} / {theirs}" for name, mine, theirs in pairs if mine != theirs]


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; `UserError` where the file is missing or holds something else."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        raise UserError(
            f"{path} does not exist",
            expected=f"a folder with {path.name} in it",
            remedy="point to the folder of a complete checkpoint or adapter",
        ) from e
    except (OSError, ValueError) as e:
        raise UserError(f"{path} cannot be read", found=str(e), remedy="fetch the file again") from e
    if not isinstance(data, dict):
        raise UserError(f"{path} cannot be read", expected="a JSON object", found=type(data).__name__)
    return data


def _rope(data: Mapping[str, Any]) -> Rope:
    scaling = data["rope_scaling"]
    return Rope(
        theta=float(data.get("rope_theta", 10000.0)),
        short=tuple(map(float, scaling["short_factor"])),
        long=tuple(map(float, scaling["long_factor"])),
        original=int(data["original_max_position_embeddings"]),
        longest=int(data["max_position_embeddings"]),
    )


def _supported(data: Mapping[str, Any], path: Path) -> None:
    scaling, embedding = data["rope_scaling"], data["embd_layer"]
    half = int(data["hidden_size"]) // int(data["num_attention_heads"]) // 2
    facts: list[tuple[str, Any, Any]] = [(f"embd_layer.{k}", embedding.get(k), v) for k, v in EMBEDDING.items()]
    facts += [
        ("hidden_act", data.get("hidden_act", "silu"), "silu"),
        ("tie_word_embeddings", data.get("tie_word_embeddings", False), False),
        ("rope_scaling.type", "su" if scaling.get("type") == "longrope" else scaling.get("type"), "su"),
        ("length of rope_scaling.short_factor", len(scaling["short_factor"]), half),
        ("length of rope_scaling.long_factor", len(scaling["long_factor"]), half),
        ("quantization_config", data.get("quantization_config"), None),
    ]
    for name, value, expected in facts:
        if value != expected:
            raise UserError(
                f"{path}: {name} is not what this port knows",
                expected=repr(expected),
                found=repr(value),
                remedy="use a checkpoint of the Phi-3.5-vision architecture, unquantised",
            )


def _text(data: Mapping[str, Any], rope: Rope) -> Phi3Config:
    return Phi3Config(
        vocab_size=data["vocab_size"],
        hidden_size=data["hidden_size"],
        intermediate_size=data["intermediate_size"],
        num_hidden_layers=data["num_hidden_layers"],
        num_attention_heads=data["num_attention_heads"],
        num_key_value_heads=data.get("num_key_value_heads"),
        rms_norm_eps=data["rms_norm_eps"],
        max_position_embeddings=rope.longest,
        original_max_position_embeddings=rope.original,
        # "su" is how the checkpoint spells what transformers 5 calls longrope.
        rope_parameters={
            "rope_type": "longrope",
            "rope_theta": rope.theta,
            "factor": rope.longest / rope.original,
            "short_factor": list(rope.short),
            "long_factor": list(rope.long),
            "original_max_position_embeddings": rope.original,
        },
        sliding_window=None,
        bos_token_id=None,  # chats are written by prompt.py, not by transformers
        eos_token_id=None,
        pad_token_id=None,
    )


def _vision(data: Mapping[str, Any], path: Path) -> CLIPVisionConfig:
    sizes: dict[str, Any] = {**CLIP_L_14_336, **data["img_processor"].get("clip_config", {})}
    if sizes["image_size"] % (2 * sizes["patch_size"]):
        raise UserError(
            f"{path}: the patches of a crop cannot be merged two by two",
            expected="an image_size that is a multiple of twice the patch_size",
            found=f"image_size {sizes['image_size']}, patch_size {sizes['patch_size']}",
        )
    return CLIPVisionConfig(**{name: sizes[name] for name in CLIP_L_14_336})
