"""Tiny vision-language models of several architectures, written to a folder as their authors would publish them.

Config, random weights, a byte-pair tokenizer trained on a few words, image processor, chat template: what stands in
the folder is complete, so that ``AutoModelForImageTextToText``, ``AutoProcessor`` and ``transformers serve`` open it.
The last layer is fitted (ridge regression on the random features), so that greedy decoding answers a question about a
drawn face (`coabench.testing.pictures.draw_face`) with one of the seven labels, and ends there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from coabench.testing.pictures import draw_face
from support.last_layer import fit_last_layer

LABELS = ("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral")
PROMPTS = (
    "Which emotion does this face show?",
    "Select an emotion label: 'Surprise', 'Fear', 'Disgust', 'Happiness', 'Sadness', 'Anger', or 'Neutral'.",
    "What do you see?",
)
WORDS = (*PROMPTS, *(f"{before}{label}" for label in LABELS for before in ("", " ", "'")))

# The templates that are published with these families, as far as they matter here.
LLAVA_CHAT = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<image>\n' }}{% endif %}{% endfor %}"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] + ' ' }}{% endif %}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
IDEFICS_CHAT = (
    "<|begin_of_text|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% elif part['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
GEMMA_CHAT = (
    "{{ bos_token }}{% for message in messages %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' }}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<start_of_image>' }}"
    "{% elif part['type'] == 'text' %}{{ part['text'] | trim }}{% endif %}{% endfor %}{{ '<end_of_turn>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)

QWEN_CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

TILES = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
TEXT = {
    "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 2048, "initializer_range": 0.05,
}  # fmt: skip
VISION = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "patch_size": 14,
    "initializer_range": 0.3,
}  # fmt: skip


def build_llava(folder: Path) -> Path:
    """Write a tiny LLaVA-1.5: a vision tower of CLIP, a Llama whose tokens carry the space before them.

    Its heads are as wide as vLLM's kernels want them (32 or more), and its weights have the names that it reads.
    """
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = _tokenizer(_sentencepiece(["<unk>", "<s>", "</s>", "<pad>", "<image>"]), bos="<s>", eos="</s>")
    size = {"height": 56, "width": 56}
    processor = LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size=size),
        tokenizer, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=LLAVA_CHAT,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**{**VISION, "num_attention_heads": 1}, image_size=56),
        text_config=LlamaConfig(**{**TEXT, "num_attention_heads": 2}, **_ids(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-2, tie_word_embeddings=False,
    )  # fmt: skip
    _write(folder, LlavaForConditionalGeneration, config, processor, lead=" ", end="</s>")
    _rename(folder / "model.safetensors", "vision_tower.", "vision_tower.vision_model.")
    return folder


def build_idefics3(folder: Path) -> Path:
    """Write a tiny Idefics3, the architecture of SmolVLM: tiles, byte-level tokens, a token that ends turns."""
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration, Idefics3Processor
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    special = ["<|begin_of_text|>", "<|end_of_text|>", "<pad>", "<image>", "<fake_token_around_image>",
               "<global-img>", "<end_of_utterance>", *TILES]  # fmt: skip
    tokenizer = _tokenizer(_byte_level(special), bos="<|begin_of_text|>", eos="<|end_of_text|>")
    processor = Idefics3Processor(
        Idefics3ImageProcessorPil(size={"longest_edge": 56}, max_image_size={"longest_edge": 28}),
        tokenizer, image_seq_len=1, chat_template=IDEFICS_CHAT,
    )  # fmt: skip
    config = Idefics3Config(
        vision_config={**VISION, "image_size": 28, "model_type": "idefics3_vision"},
        text_config={**TEXT, **_ids(tokenizer), "model_type": "llama"},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"), scale_factor=2,
        pad_token_id=tokenizer.pad_token_id, tie_word_embeddings=False,
    )  # fmt: skip
    return _write(folder, Idefics3ForConditionalGeneration, config, processor, lead=" ", end="<end_of_utterance>")


def build_gemma3(folder: Path) -> Path:
    """Write a tiny Gemma 3: tokens of an image see one another, sliding windows, the template writes ``<bos>``."""
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3Processor
    from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>",
               "<end_of_image>", "<image_soft_token>"]  # fmt: skip
    tokenizer = _tokenizer(
        _byte_level(special), bos="<bos>", eos="<eos>",
        extra_special_tokens={"image_token": "<image_soft_token>", "boi_token": "<start_of_image>",
                              "eoi_token": "<end_of_image>"},
    )  # fmt: skip
    size = {"height": 56, "width": 56}
    processor = Gemma3Processor(
        Gemma3ImageProcessorPil(size=size), tokenizer, chat_template=GEMMA_CHAT, image_seq_length=4
    )
    config = Gemma3Config(
        text_config={**TEXT, **_ids(tokenizer), "head_dim": 8, "sliding_window": 16, "query_pre_attn_scalar": 8,
                     "layer_types": ["sliding_attention", "full_attention"]},
        vision_config={**VISION, "image_size": 56, "vision_use_head": False},
        mm_tokens_per_image=4, image_token_index=tokenizer.convert_tokens_to_ids("<image_soft_token>"),
        boi_token_index=tokenizer.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<end_of_image>"),
        eos_token_id=[tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<end_of_turn>")],
        tie_word_embeddings=False,
    )  # fmt: skip
    return _write(folder, Gemma3ForConditionalGeneration, config, processor, lead="", end="<end_of_turn>")


def build_qwen2_5_vl(folder: Path) -> Path:
    """Write a tiny Qwen2.5-VL; its processor, written by hand, cannot be opened without torchvision."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<pad>", "<|vision_start|>", "<|vision_end|>",
               "<|image_pad|>", "<|video_pad|>"]  # fmt: skip
    tokenizer = _tokenizer(_byte_level(special), bos=None, eos="<|im_end|>")
    numbers = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>")
               for name in ("image_pad", "video_pad", "vision_start", "vision_end")}  # fmt: skip
    config = Qwen2_5_VLConfig(
        text_config={**TEXT, **_ids(tokenizer), "bos_token_id": None,
                     "rope_parameters": {"rope_type": "default", "mrope_section": [2, 2, 4], "rope_theta": 10000.0}},
        vision_config={"hidden_size": 32, "intermediate_size": 48, "depth": 2, "num_heads": 4, "patch_size": 14,
                       "out_hidden_size": TEXT["hidden_size"], "fullatt_block_indexes": [1], "window_size": 56},
        image_token_id=numbers["image_pad"], video_token_id=numbers["video_pad"],
        vision_start_token_id=numbers["vision_start"], vision_end_token_id=numbers["vision_end"],
        tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(7)
    Qwen2_5_VLForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _by_hand(folder, "Qwen2_5_VLProcessor", "Qwen2VLImageProcessor", QWEN_CHAT)
    return folder


def build_smolvlm(folder: Path) -> Path:
    """Write a tiny SmolVLM; its processor, written by hand, cannot be opened without torchvision and num2words."""
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration

    special = ["<|im_start|>", "<|im_end|>", "<pad>", "<image>", "<fake_token_around_image>", "<global-img>",
               "<end_of_utterance>", *TILES]  # fmt: skip
    tokenizer = _tokenizer(_byte_level(special), bos="<|im_start|>", eos="<|im_end|>")
    config = SmolVLMConfig(
        vision_config={**VISION, "image_size": 28, "model_type": "smolvlm_vision"},
        text_config={**TEXT, **_ids(tokenizer), "model_type": "llama"},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"), scale_factor=2,
        pad_token_id=tokenizer.pad_token_id, tie_word_embeddings=False,
    )  # fmt: skip
    torch.manual_seed(7)
    SmolVLMForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    chat = IDEFICS_CHAT.replace("<|begin_of_text|>", "<|im_start|>")
    sizes = {"size": {"longest_edge": 56}, "max_image_size": {"longest_edge": 28}}
    _by_hand(folder, "SmolVLMProcessor", "SmolVLMImageProcessor", chat, sizes, image_seq_len=1)
    return folder


def _by_hand(folder: Path, processor: str, images: str, chat: str, sizes: Any = None, **more: Any) -> None:
    named = {"processor_class": processor}
    (folder / "preprocessor_config.json").write_text(
        json.dumps({**named, "image_processor_type": images, **(sizes or {})})
    )
    (folder / "processor_config.json").write_text(json.dumps({**named, **more}))
    (folder / "chat_template.jinja").write_text(chat)


# -- tokenizers --------------------------------------------------------------------------------------------------------


def _sentencepiece(special: Sequence[str]) -> Tokenizer:
    """Like Llama's: a space becomes ``▁`` and belongs to the word after it; a text begins with one."""
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    trained = [*special, *(f"<0x{byte:02X}>" for byte in range(256))]
    letters = sorted({letter for word in WORDS for letter in word.replace(" ", "▁")} - {"\n"})
    made.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")  # for training alone: Llama's has none
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=trained, initial_alphabet=letters, show_progress=False)
    made.train_from_iterator(WORDS * 4, trainer)
    state = json.loads(made.to_str())
    state["pre_tokenizer"] = None
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] in special]
    return Tokenizer.from_str(json.dumps(state))


def _byte_level(special: Sequence[str]) -> Tokenizer:
    """Like GPT-2's: bytes, a space is the first letter of the word after it."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(
        WORDS * 4,
        trainers.BpeTrainer(
            vocab_size=700, special_tokens=list(special), show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )  # fmt: skip
    return made


def _tokenizer(made: Tokenizer, bos: str | None, eos: str, **more: Any) -> Any:
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    if bos:
        made.post_processor = TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A $B", special_tokens=[(bos, made.token_to_id(bos))]
        )
    unknown = {"unk_token": "<unk>"} if made.token_to_id("<unk>") is not None else {}
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token=bos, eos_token=eos, pad_token="<pad>", padding_side="left", **unknown, **more
    )


def _ids(tokenizer: Any) -> dict[str, int]:
    return {
        "vocab_size": len(tokenizer), "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip


# -- weights -----------------------------------------------------------------------------------------------------------


def _write(folder: Path, kind: Callable[[Any], Any], config: Any, processor: Any, lead: str, end: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(7)
    model = kind(config).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("mm_input_projection_weight"):  # of Gemma 3, which begins at zero: blind
            torch.nn.init.normal_(parameter, std=0.3)
    lessons = ((prompt, draw_face(label, n), label) for prompt in PROMPTS for n in range(8) for label in LABELS)
    fit_last_layer(model, processor, lessons, end, lead)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _rename(file: Path, old: str, new: str) -> None:
    """Rename the weights that begin with *old*, as the published checkpoints of LLaVA have them."""
    from safetensors.torch import load_file, save_file

    weights = {name.replace(old, new, 1) if name.startswith(old) else name: w for name, w in load_file(file).items()}
    save_file(weights, file, metadata={"format": "pt"})
