"""config.json of a Phi-3.5-vision checkpoint -> the typed sizes that the modules are built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from coabench.base.json import FOREIGN, parse_json
from coabench.base.reading import JSON, read_bytes, why
from coabench.base.schema import At, at_least, read_fields
from coabench.errors import UserError
from coabench_phi35v.images import CropSize

REMEDY = "use a complete, unquantised checkpoint of the Phi-3.5-vision architecture"

Size = Annotated[int, at_least(1)]
Epsilon = Annotated[float, at_least(0)]


@dataclass(frozen=True)
class TextConfig:
    """Sizes of the decoder, as config.json names them; what is fixed has one value that is accepted."""

    vocab_size: Size
    hidden_size: Size
    intermediate_size: Size
    num_hidden_layers: Size
    num_attention_heads: Size
    rms_norm_eps: Epsilon
    num_key_value_heads: Size | None = None
    hidden_act: Literal["silu"] = "silu"
    tie_word_embeddings: Literal[False] = False
    quantization_config: None = None

    @property
    def head_size(self) -> int:
        """Channels of a head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def key_heads(self) -> int:
        """Heads of keys and values."""
        return self.num_key_value_heads or self.num_attention_heads


@dataclass(frozen=True)
class VisionConfig:
    """Sizes of the CLIP tower.

    The defaults are those of openai/clip-vit-large-patch14-336, which the published config implies without spelling
    them out.
    """

    hidden_size: Size = 1024
    intermediate_size: Size = 4096
    num_hidden_layers: Size = 24
    num_attention_heads: Size = 16
    num_channels: Size = 3
    image_size: Size = 336
    patch_size: Size = 14
    hidden_act: Literal["quick_gelu"] = "quick_gelu"
    layer_norm_eps: Epsilon = 1e-5

    @property
    def positions(self) -> int:
        """Tokens of a crop: its patches, and the class token."""
        return (self.image_size // self.patch_size) ** 2 + 1


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
class _Scaling:
    short_factor: tuple[float, ...]
    long_factor: tuple[float, ...]
    type: Literal["su", "longrope"]


@dataclass(frozen=True)
class _ImageProcessor:
    image_dim_out: Size
    clip_config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Embedding:
    hd_transform_order: Literal["sub_glb"]
    projection_cls: Literal["mlp"]
    use_hd_transform: Literal[True]
    with_learnable_separator: Literal[True]


@dataclass(frozen=True)
class _Rest:
    """The fields of config.json that are no size of the decoder."""

    rope_scaling: Mapping[str, Any]
    img_processor: Mapping[str, Any]
    embd_layer: Mapping[str, Any]
    max_position_embeddings: Size
    original_max_position_embeddings: Size
    rope_theta: float = 10000.0
    sliding_window: int | None = None


@dataclass(frozen=True)
class ModelConfig:
    """The sizes of a checkpoint. *image_dim* is the width of the vision tower's patches."""

    text: TextConfig
    vision: VisionConfig
    rope: Rope
    image_dim: int

    @property
    def crop(self) -> CropSize:
        """How large the crops are that the vision tower takes."""
        return CropSize(self.vision.image_size, self.vision.image_size // self.vision.patch_size // 2)

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
        at = At(path, REMEDY)
        text, rest = read_fields(TextConfig, data, at, others=True), read_fields(_Rest, data, at, others=True)
        scaling = read_fields(_Scaling, rest.rope_scaling, at.field("rope_scaling"), others=True)
        at_images = at.field("img_processor")
        images = read_fields(_ImageProcessor, rest.img_processor, at_images, others=True)
        vision = read_fields(VisionConfig, images.clip_config, at_images.field("clip_config"), others=True)
        read_fields(_Embedding, rest.embd_layer, at.field("embd_layer"), others=True)
        longest, original = rest.max_position_embeddings, rest.original_max_position_embeddings
        rope = Rope(rest.rope_theta, scaling.short_factor, scaling.long_factor, original, longest)
        config = cls(text, vision, rope, images.image_dim_out)
        config._check(at, rest.sliding_window or longest)
        return config

    def _check(self, at: At, window: int) -> None:
        """Refuse sizes that do not go together."""
        text, vision, rope = self.text, self.vision, self.rope
        if text.hidden_size % (2 * text.num_attention_heads) or text.num_attention_heads % text.key_heads:
            raise at.wrong(
                "the heads of the decoder do not share its width evenly",
                "a hidden_size that is a multiple of twice num_attention_heads, itself one of num_key_value_heads",
                found=f"{text.hidden_size}, {text.num_attention_heads} and {text.key_heads}",
            )
        if vision.hidden_size % vision.num_attention_heads or vision.hidden_size != self.image_dim:
            raise at.wrong(
                "the vision tower's width does not fit its heads or image_dim_out",
                "a hidden_size that is a multiple of num_attention_heads, and image_dim_out the same",
                found=f"{vision.hidden_size}, {vision.num_attention_heads} and {self.image_dim}",
            )
        if vision.image_size % (2 * vision.patch_size):
            raise at.wrong(
                "the patches of a crop cannot be merged two by two",
                "an image_size that is a multiple of twice the patch_size",
                found=f"image_size {vision.image_size}, patch_size {vision.patch_size}",
            )
        if (half := text.head_size // 2) != len(rope.short) or half != len(rope.long):
            raise at.wrong(
                "the number of rope factors does not fit the decoder",
                f"{half} each, one for every pair of channels of a head",
                found=f"{len(rope.short)} in rope_scaling.short_factor, {len(rope.long)} in long_factor",
            )
        if window < rope.longest:
            raise at.wrong(
                "attention is limited to a window, which this port does not compute",
                "no sliding_window, or one not below max_position_embeddings",
                found=f"{window}, below {rope.longest}",
            )

    def differences(self, other: ModelConfig) -> list[str]:
        """Return the fields in which two configs are not the same architecture, as ``"field: mine / theirs"``."""
        pairs = [(f.name, getattr(self.text, f.name), getattr(other.text, f.name)) for f in fields(TextConfig)]
        pairs += [
            (f"vision {f.name}", getattr(self.vision, f.name), getattr(other.vision, f.name))
            for f in fields(VisionConfig)
        ]
        pairs += [("rope", self.rope, other.rope)]
        return [f"{name}: {mine} / {theirs}" for name, mine, theirs in pairs if mine != theirs]


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; `UserError` where the file is missing or holds something else."""
    try:
        data = parse_json(read_bytes(path, JSON), FOREIGN)
    except FileNotFoundError as e:
        raise UserError(
            f"{path} does not exist",
            expected=f"a folder with {path.name} in it",
            remedy="point to the folder of a complete checkpoint or adapter",
        ) from e
    except (OSError, ValueError) as e:
        raise UserError(f"{path} cannot be read", found=why(e), remedy="fetch the file again") from e
    if not isinstance(data, dict):
        raise UserError(f"{path} cannot be read", expected="a JSON object", found=type(data).__name__)
    return data
