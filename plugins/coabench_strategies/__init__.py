"""The built-in strategies, each a prompt file in ``prompts/``."""

from __future__ import annotations

from coabench import hookimpl
from coabench.errors import UserError, did_you_mean
from coabench.hookspecs import Register
from coabench.promptfile import PromptStrategy, read_prompt_file
from coabench.resources import path

VARIANTS = {"chain-of-affect": ("corrected", "published")}
"""Strategy -> its variants, the default first."""


@hookimpl
def coabench_register_strategies(register: Register) -> None:
    register(
        "chain-of-affect",
        "coabench_strategies:chain_of_affect",
        description="primary emotion, then the next strongest; the two make the compound",
        variants=VARIANTS["chain-of-affect"],
    )
    register("direct", "coabench_strategies:direct", description="one question over all labels of the data set")
    register("one-shot", "coabench_strategies:one_shot", description="the direct question after one exemplar image")


def chain_of_affect(variant: str | None) -> PromptStrategy:
    """Chain-of-Affect in one of its `VARIANTS`; None is the default."""
    return _read("chain-of-affect", variant)


def direct(variant: str | None) -> PromptStrategy:
    """One question over the label space at hand."""
    return _read("direct", variant)


def one_shot(variant: str | None) -> PromptStrategy:
    """The direct question after one exemplar."""
    return _read("one-shot", variant)


def _read(name: str, variant: str | None) -> PromptStrategy:
    variants = VARIANTS.get(name, ())
    if variant is not None and variant not in variants:
        raise UserError(
            f"strategy {name!r} has no variant {variant!r}",
            expected=", ".join(variants) or "no variant",
            remedy=f"{did_you_mean(variant, variants)}correct --strategy",
        )
    chosen = variant or (variants[0] if variants else None)
    return read_prompt_file(path("prompts", f"{name}.{chosen}.yaml" if chosen else f"{name}.yaml"))
