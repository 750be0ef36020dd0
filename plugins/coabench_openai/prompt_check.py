"""Does the server read a prompt as the model was trained on it? Where its tokenizer is at hand, tokens are counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coabench.dialogue import Message


def odd_prompt(model: str, chat: Sequence[Message], counted: int) -> str | None:
    """Return in words how the server's prompt differs from that of the tokenizer in a folder; None where it does not.

    None, too, where there is no such folder, or nothing there that transformers opens.

    Args:
        model: its name on the server, which is the folder where vLLM serves one under no other name.
        chat: was sent without images.
        counted: how many tokens the server counted for it; 0 where it counts none.
    """
    if not counted or not (Path(model) / "tokenizer_config.json").is_file():
        return None
    counts = _counts(Path(model), chat)
    if counts is None or counted == counts[0]:
        return None
    usual, without = counts
    if counted == without:
        return (
            "the server's prompts lack the token that begins a text (BOS), which the tokenizer adds: answers may be "
            "others than the model's own; for vLLM, --set body.add_special_tokens=true"
        )
    return f"the server counts {counted} tokens in a prompt without images, the tokenizer in {model} {usual}"


def _counts(folder: Path, chat: Sequence[Message]) -> tuple[int, int] | None:
    """Return how many tokens a prompt has as the model's processor writes it, and without what the tokenizer adds."""
    try:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        text = _written(tokenizer, chat)
        added = not (tokenizer.bos_token and text.startswith(tokenizer.bos_token))
        usual, bare = (tokenizer(text, add_special_tokens=special).input_ids for special in (added, False))
    except Exception:  # transformers is not here, or cannot open it: then there is nothing to compare with
        return None
    return len(usual), len(bare)


def _written(tokenizer: Any, chat: Sequence[Message]) -> str:
    """Return the prompt by the chat template; some take texts, others lists of parts."""
    parts = [{"role": m.role, "content": [{"type": "text", "text": m.text}]} for m in chat]
    text = str(tokenizer.apply_chat_template(parts, tokenize=False, add_generation_prompt=True))
    if chat[-1].text in text and "'type'" not in text:
        return text
    texts = [{"role": m.role, "content": m.text} for m in chat]
    return str(tokenizer.apply_chat_template(texts, tokenize=False, add_generation_prompt=True))
