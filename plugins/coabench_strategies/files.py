"""The strategies that are prompt files and nothing more."""

from __future__ import annotations

from collections.abc import Callable

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


def _whole(name: str) -> Callable[[StrategyRequest], PromptStrategy]:
    """Return the factory of a strategy that is one prompt file."""
    return lambda request: read(name)


direct = _whole("direct")
one_shot = _whole("one-shot")
action_units = _whole("action-units")
think_answer = _whole("think-answer")
