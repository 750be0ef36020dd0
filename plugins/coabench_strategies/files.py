"""The strategies that are prompt files and nothing more."""

from __future__ import annotations

from coabench.base.shipped import path
from coabench.inference.promptfile import PromptStrategy
from coabench.inference.promptfile_reader import read_prompt_file
from coabench.strategy import StrategyRequest


def read(name: str) -> PromptStrategy:
    """Return the strategy of a prompt file that ships, by the file's name without ``.yaml``."""
    return read_prompt_file(path("prompts", f"{name}.yaml"))


def chain_of_affect(request: StrategyRequest) -> PromptStrategy:
    """Chain-of-Affect, corrected (the default) or as published."""
    return read(f"chain-of-affect.{request.variant or 'corrected'}")


def direct(request: StrategyRequest) -> PromptStrategy:
    """One question over the label space at hand."""
    return read("direct")


def one_shot(request: StrategyRequest) -> PromptStrategy:
    """The direct question after one exemplar."""
    return read("one-shot")


def action_units(request: StrategyRequest) -> PromptStrategy:
    """Observe action units, interpret them, conclude."""
    return read("action-units")


def think_answer(request: StrategyRequest) -> PromptStrategy:
    """Think aloud, then answer in a sentence of its own."""
    return read("think-answer")
