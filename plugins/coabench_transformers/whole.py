"""Questions computed as whole prompts, the way that fits every model; what else computes them is compared with it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor

from coabench.dialogue import Answer, Question
from coabench.support.numerics import not_a_number
from coabench.support.sampling import draw_tokens
from coabench_transformers.chat import Chat, Inputs


class Whole:
    """Answers of whole prompts: every question, and every option of it, is computed from its first token on."""

    def __init__(self, model: Any, chat: Chat) -> None:
        self._model, self._chat = model, chat

    def generate(self, inputs: Inputs, questions: Sequence[Question], drawn: bool = False) -> list[Answer]:
        """Decode inputs that are padded on the left, greedily or as the questions' draws say."""
        width = inputs["input_ids"].shape[1]
        numbers = _Numbers()
        processors = [numbers, _Drawn(questions)] if drawn else [numbers]
        written = self._model.generate(**inputs, logits_processor=processors)
        if bool(numbers.lost):
            raise not_a_number()
        ends = set(self._model.generation_config.eos_token_id)
        lengths = inputs["attention_mask"].sum(dim=1).tolist()
        answers = []
        for ids, length in zip(written[:, width:].tolist(), lengths, strict=True):
            new = next((i + 1 for i, token in enumerate(ids) if token in ends), len(ids))
            text = self._chat.tokenizer.decode(ids[:new], skip_special_tokens=True)
            answers.append(Answer(text, prompt_tokens=length, new_tokens=new))
        return answers

    def score(self, inputs: Inputs, questions: Sequence[Question]) -> list[Answer]:
        """Score option after option of inputs that are padded on the right, where nothing sees it."""
        scores: list[dict[str, float]] = [{} for _ in questions]
        for number in range(max(len(question.options) for question in questions)):
            # Where a question has fewer options, its first is computed again: the batch keeps its rows.
            options = [q.options[number] if number < len(q.options) else q.options[0] for q in questions]
            texts = [self._chat.answer(option) for option in options]
            for row, (option, value) in enumerate(zip(options, self.log_probabilities(inputs, texts), strict=True)):
                scores[row].setdefault(option, value)
        lengths = inputs["attention_mask"].sum(dim=1).tolist()
        return [
            Answer(max(own, key=own.__getitem__), own, prompt_tokens=length)
            for own, length in zip(scores, lengths, strict=True)
        ]

    def log_probabilities(self, inputs: Inputs, texts: Sequence[Sequence[int]]) -> list[float]:
        """Return the natural-log probability of a text after each row."""
        longer, begins = self._chat.continued(inputs, texts)
        first = min(begins) - 1  # before it no logits are read; those of a long prompt take gigabytes
        keep = {"logits_to_keep": longer["input_ids"].shape[1] - first} if _keeps(self._model) else {}
        logits = self._model(**longer, use_cache=False, **keep).logits
        offset = first if keep else 0
        sums = []
        for row, (begin, text) in enumerate(zip(begins, texts, strict=True)):
            start = begin - 1 - offset
            steps = logits[row, start : start + len(text)].float().log_softmax(dim=-1)
            values = steps.gather(-1, torch.tensor(text, device=steps.device)[:, None])[:, 0].tolist()
            sums.append(math.fsum(values))
        if any(math.isnan(value) for value in sums):
            raise not_a_number()
        return sums


class _Numbers(LogitsProcessor):
    """Notes whether logits were lost to NaN or infinity; a device is not waited for."""

    lost: Tensor | bool = False

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.lost = self.lost | ~scores.max(dim=-1).values.isfinite().all()
        return scores


class _Drawn(LogitsProcessor):
    """Draws the next token of each row itself and leaves it alone possible, so that greedy decoding takes it.

    ``do_sample`` would draw from one generator for all rows: answers would depend on the batch.
    """

    def __init__(self, questions: Sequence[Question]) -> None:
        self._draws, self._step = [question.draw for question in questions], 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        tokens = draw_tokens(scores, self._draws, self._step)
        self._step += 1
        return torch.full_like(scores, -math.inf).scatter(-1, tokens[:, None], 0.0)


def _keeps(model: Any) -> bool:
    return "logits_to_keep" in inspect.signature(model.forward).parameters
