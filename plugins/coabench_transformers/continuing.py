"""Answers of prompts whose beginnings went through the model before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from coabench.dialogue import Answer, Question
from coabench.support.numerics import not_a_number
from coabench.support.option_tree import OptionTree
from coabench.support.sampling import draw_tokens
from coabench_transformers.chat import Chat
from coabench_transformers.shared import Continued


@dataclass(frozen=True)
class Evidence:
    """A part of what was computed about a row, by which it can be compared with the whole prompt's.

    Attributes:
        tokens: an answer, or its first token.
        log_probability: its natural-log probability after the prompt.
    """

    tokens: tuple[int, ...]
    log_probability: float


Found = list[tuple[Answer, Evidence]]


def generated(
    model: Any,
    chat: Chat,
    prompts: Continued,
    chunks: Sequence[Sequence[int]],
    questions: Sequence[Question],
    drawn: bool,
) -> Found:
    """Decode token by token, greedily or as the questions' draws say.

    Rows that have ended stay as padding until half of them have: fewer rows cost a copy of their keys.

    Args:
        chunks: what of each prompt has not gone through the model; a token at least.
    """
    ends = set(model.generation_config.eos_token_id)
    written: list[list[int]] = [[] for _ in chunks]
    evidence: list[Evidence] = []
    rows = list(range(len(chunks)))
    for step in range(model.generation_config.max_new_tokens):
        logits = prompts.advance(chunks)[:, -1]
        if not bool(logits.amax(dim=-1).isfinite().all()):
            raise not_a_number()
        tokens = draw_tokens(logits, [questions[row].draw for row in rows], step) if drawn else logits.argmax(dim=-1)
        chosen = [[token] if chunk else [] for token, chunk in zip(tokens.tolist(), chunks, strict=True)]
        if not evidence:
            values = _log_probabilities(logits, tokens).tolist()
            evidence = [Evidence(tuple(own), value) for own, value in zip(chosen, values, strict=True)]
        for row, new in zip(rows, chosen, strict=True):
            written[row] += new
        chunks = [[] if ends.intersection(new) else new for new in chosen]
        live = [place for place, chunk in enumerate(chunks) if chunk]
        if not live:
            break
        if 2 * len(live) <= len(rows):
            prompts.keep(live)
            rows, chunks = [rows[place] for place in live], [chunks[place] for place in live]
    texts = [chat.tokenizer.decode(ids, skip_special_tokens=True) for ids in written]
    answers = [Answer(text, new_tokens=len(ids)) for text, ids in zip(texts, written, strict=True)]
    return list(zip(answers, evidence, strict=True))


def scored(chat: Chat, prompts: Continued, chunks: Sequence[Sequence[int]], questions: Sequence[Question]) -> Found:
    """Score all options of all questions in one pass."""
    spelt = [{option: chat.answer(option) for option in question.options} for question in questions]
    trees = [OptionTree.of([ids[:-1] for ids in own.values()], chat.end) for own in spelt]
    logits = prompts.advance(chunks, trees)
    found: Found = []
    for row, (own, tree) in enumerate(zip(spelt, trees, strict=True)):
        states = logits[row, -1 - len(tree.tokens) :]
        at, wanted = torch.tensor([step for path in tree.paths for step in path], device=logits.device).T
        values = iter(_log_probabilities(states[at], wanted).tolist())
        scores = {option: math.fsum(next(values) for _ in path) for option, path in zip(own, tree.paths, strict=True)}
        if any(math.isnan(value) for value in scores.values()):
            raise not_a_number()
        best, last = max(scores, key=scores.__getitem__), list(own)[-1]
        found.append((Answer(best, scores), Evidence(own[last], scores[last])))
    return found


def _log_probabilities(logits: Tensor, tokens: Tensor) -> Tensor:
    return logits.gather(-1, tokens[:, None])[:, 0] - logits.logsumexp(dim=-1)
