"""Random vision-language models that answer: ridge regression on their random features fits their last layer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from PIL.Image import Image

Lesson = tuple[str, Image, str]
"""A question about an image, and what is to be said."""


def fit_last_layer(model: Any, processor: Any, lessons: Iterable[Lesson], end: str, lead: str = "") -> None:
    """Teach a model what is to be said after each question, and to end there.

    Args:
        end: the token after an answer.
        lead: what the chat template writes between its prompt and an answer.
    """
    tokenizer = processor.tokenizer
    states, wanted = [], []
    for prompt, image, answer in lessons:
        turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}
        asked = processor.apply_chat_template([turn], add_generation_prompt=True)
        own = {"add_special_tokens": not asked.startswith(tokenizer.bos_token)}
        length = len(tokenizer(asked, **own).input_ids)
        said = tokenizer(asked + lead + answer, **own).input_ids[length:]
        inputs = processor(text=[asked + lead + answer], images=[[image]], return_tensors="pt", **own)
        with torch.inference_mode():
            hidden = model.model(**inputs).last_hidden_state[0]
        states += list(hidden[-len(said) - 1 :])
        wanted += [*said, tokenizer.convert_tokens_to_ids(end)]
    seen, learnt = torch.stack(states).double(), sorted(set(wanted))
    target = torch.full((len(wanted), len(tokenizer)), -4.0, dtype=torch.float64)
    target[range(len(wanted)), wanted] = 4.0
    gram = seen.T @ seen + 0.3 * torch.eye(seen.shape[1], dtype=torch.float64)
    weight = model.get_output_embeddings().weight
    with torch.no_grad():
        weight.mul_(0.005)
        weight[learnt] = torch.linalg.solve(gram, seen.T @ target)[:, learnt].T.float()
