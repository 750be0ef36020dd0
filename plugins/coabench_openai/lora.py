"""An adapter for the server that a run starts: vLLM serves a LoRA beside its base, under a name of its own."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from coabench.errors import UserError
from coabench.support.hub import folder_of

NAME = "adapter"
"""What the server calls it."""
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What ``--max-lora-rank`` may be, of vLLM 0.32."""
OWN_ARGUMENTS = ("--enable-lora", "--lora-modules", "--max-lora-rank", "--max-loras", "--lora-target-modules")
_OF_A_LAYER = re.compile(r".+\.lora_[AB](?:\.default)?\.weight")
_NOT_OF_THE_DECODER = re.compile(r"vision|visual|image|audio|projector|connector|aligner|merger|embed|lm_head")


@dataclass(frozen=True)
class ServedLora:
    """A LoRA that vLLM adds to its base as PEFT does.

    Attributes:
        folder: with its config and weights.
        rank: the largest of its layers.
        layers: the last part of their names, each once.
        fingerprint: a SHA-256 over both, in hex; the same that local backbones record.
    """

    folder: Path
    rank: int
    layers: tuple[str, ...]
    fingerprint: str

    @classmethod
    def read(cls, name: str) -> Self:
        """Read an adapter.

        Args:
            name: a folder, or a hub id.

        Raises:
            UserError: it is none, it is damaged, or vLLM would leave a part of it out.
        """
        from coabench.support.adapter_config import LORA, lora_ranks, method_of, peft_config
        from coabench.support.adapter_folder import CONFIG, AdapterFolder

        found = AdapterFolder.read(folder_of(name, "adapter"))
        raw = found.config or {}
        method = method_of(peft_config(found.path / CONFIG, raw))
        if method != LORA:
            raise _unserved(found.path, "a LoRA", method)
        for field, expected in (
            ("use_dora", "a LoRA without DoRA's magnitudes"),
            ("modules_to_save", "no modules that were trained whole"),
            ("trainable_token_indices", "no tokens that were trained"),
            ("rank_pattern", "one rank for all layers"),
            ("alpha_pattern", "one alpha for all layers"),
        ):
            if raw.get(field):
                raise _unserved(found.path, expected, f"{field} = {raw[field]!r}")
        for tensor in found.tensors.entries:
            if not _OF_A_LAYER.fullmatch(tensor) or _NOT_OF_THE_DECODER.search(tensor):
                raise _unserved(found.path, "tensors of the decoder's linear layers alone", tensor)
        ranks = lora_ranks(found.tensors.entries)
        rank, layers = max(ranks.values()), tuple(sorted({name.rpartition(".")[2] for name in ranks}))
        if rank > RANKS[-1]:
            raise _unserved(found.path, f"a rank of at most {RANKS[-1]}", str(rank))
        return cls(found.path.absolute(), rank, layers, found.fingerprint())

    @property
    def arguments(self) -> list[str]:
        """Those of ``vllm serve``; the folder in JSON, in which it may have any name.

        The layers are said, for else vLLM 0.32 on a CPU prepares the one that predicts tokens, too, and ends
        with an error where the probabilities of several prompts are asked for at once.
        """
        served = json.dumps({"name": NAME, "path": str(self.folder)}, ensure_ascii=False)
        largest = next(rank for rank in RANKS if rank >= self.rank)
        layers = ["--lora-target-modules", *self.layers]
        return ["--enable-lora", "--max-lora-rank", str(largest), *layers, "--lora-modules", served]


def _unserved(folder: Path, expected: str, found: str) -> UserError:
    return UserError(
        f"the adapter in {folder} cannot be served beside its base",
        expected=expected,
        found=found,
        remedy="merge it (`coabench adapters export --as merged`) and serve the result: --backbone openai:FOLDER",
    )
