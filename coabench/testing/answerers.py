"""Scripted answers to a strategy's questions: sensible ones, random ones, labels no longer offered, gibberish."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from coabench.decode import Decode
from coabench.dialogue import Answer, Question, Task
from coabench.inference.engine import understand
from coabench.registry.parsers import find_parser
from coabench.testing.scripted import scored

Answerer = Callable[[Question, int], str]
"""Returns the response to the n-th question."""


def _first(question: Question, n: int) -> str:
    return question.options[0] if question.options else "I see a face."


def _by_chance(seed: int, question: Question, n: int) -> str:
    digest = hashlib.sha256(f"{seed} {n} {question.prompt}".encode()).digest()
    return question.options[digest[0] % len(question.options)] if question.options else f"I see {digest.hex()}."


def _same(question: Question, n: int) -> str:
    """Repeat one label, even where it is not offered any more."""
    return (question.recognised or ("It is a face.",))[0]


def _gibberish(text: str, question: Question, n: int) -> str:
    return text


def _lapse(at: int, question: Question, n: int) -> str:
    return "\x1b[31m{{ nothing }} %s" if n == at else _by_chance(at, question, n)


SENSIBLE: list[Answerer] = [_first, _same, *(partial(_by_chance, seed) for seed in range(12))]
SENSELESS: list[Answerer] = [
    partial(_gibberish, text) for text in ("", "hmm, {{ options }} {0} %s \\ \x00 ärgerlich", "no idea " * 500)
]
LAPSES: list[Answerer] = [partial(_lapse, at) for at in range(4)]


def understood_as(question: Question, response: str, made: Task, parser: str, decode: Decode) -> Answer:
    """Return a response as the engine hands it to the strategy."""
    answer = Answer(response)
    if question.mode(decode).scored:
        answer = replace(answer, scores=scored(question, response))
    return understand(question, answer, made.space, find_parser(parser), decode)
