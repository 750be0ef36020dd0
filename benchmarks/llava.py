"""A LLaVA of about 40 M random parameters at 224 pixels, its last layer fitted to answer with a label and to stop."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing

from coabench.dialogue import Question
from coabench.testing.pictures import draw_face

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.last_layer import fit_last_layer

SIDE, PATCH = 224, 14
FACES = ("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral")
SPECIAL = ("<pad>", "<s>", "</s>", "<image>")
CHAT = (
    "{{ bos_token }}{% for message in messages %}{{ message['role'] | upper }}:"
    "{{ '\n' if message['role'] == 'assistant' else ' ' }}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>\n{% endif %}{% endfor %}"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% if message['role'] == 'assistant' %}</s>{% endif %}\n"
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT:\n{% endif %}"
)
TEXT = {"hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 8, "num_attention_heads": 8,
        "num_key_value_heads": 8, "max_position_embeddings": 2048, "initializer_range": 0.05}  # fmt: skip
VISION = {"hidden_size": 384, "intermediate_size": 1536, "num_hidden_layers": 8, "num_attention_heads": 6,
          "patch_size": PATCH, "image_size": SIDE, "initializer_range": 0.1}  # fmt: skip


def build(folder: Path, questions: Sequence[Question], persons: int = 1) -> Path:
    """Write the checkpoint.

    Args:
        questions: what it learns to answer, each with one of its options, decided by the face.
        persons: how many faces of each emotion it learns from.
    """
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer = _tokenizer([question.prompt for question in questions])
    numbers = {"vocab_size": len(tokenizer), "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    torch.manual_seed(7)
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=CLIPVisionConfig(**VISION), text_config=LlamaConfig(**TEXT, **numbers), image_token_index=3,
            vision_feature_layer=-2, tie_word_embeddings=False, pad_token_id=0, image_seq_length=(SIDE // PATCH) ** 2,
        )
    ).eval()  # fmt: skip
    processor = LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}), tokenizer,
        patch_size=PATCH, vision_feature_select_strategy="default", num_additional_image_tokens=1, chat_template=CHAT,
    )  # fmt: skip
    lessons = (
        (question.prompt, draw_face(FACES[n % 7], n // 7, size=SIDE), options[n % len(options)])
        for question in questions
        for options in [list(question.options)]
        for n in range(7 * persons)
    )
    fit_last_layer(model, processor, lessons, "</s>")
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    _as_published(folder / "model.safetensors")
    return folder


def _as_published(path: Path) -> None:
    """Name the weights of the vision tower as published checkpoints do, which vLLM insists on."""
    from safetensors.torch import load_file, save_file

    tower, own = "vision_tower.", "vision_tower.vision_model."
    weights = load_file(path)
    named = {n.replace(tower, own) if n.startswith(tower) and own not in n else n: w for n, w in weights.items()}
    save_file(named, path, metadata={"format": "pt"})


def parameters(folder: Path) -> int:
    """Return how many numbers the weights are."""
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as file:
        return sum(int(torch.Size(file.get_slice(name).get_shape()).numel()) for name in file.keys())  # noqa: SIM118


def _tokenizer(texts: Sequence[str]) -> Any:
    """Return byte-level pieces of the words of some texts; a token of its own for nearly every word."""
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4096, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(token, normalized=False, special=True) for token in SPECIAL],
    )  # fmt: skip
    made.train_from_iterator([*texts, "USER: ", "ASSISTANT:\n"], trainer)
    made.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
        extra_special_tokens={"image_token": "<image>"},
    )  # fmt: skip


def about(folder: Path) -> dict[str, Any]:
    """Return what a figure needs beside it."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return {"model": f"{config['model_type']}, random", "parameters": parameters(folder), "pixels": SIDE}
