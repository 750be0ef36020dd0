"""The Parser interface: from a model's response to a label, or to none; never by guessing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Parsed(NamedTuple):
    """The label understood and the rule that matched; both None for INVALID."""

    label: str | None
    match: str | None


@dataclass(frozen=True)
class Response:
    """A response, and what it may mean.

    Attributes:
        text: as the model wrote it.
        options: what was offered, in that order.
        spellings: what stands for a label, spelt as `coabench.labels.fold` returns it -> the label: names, synonyms, a
            card's aliases. Labels that are recognised beside the options are among them.
    """

    text: str
    options: tuple[str, ...]
    spellings: Mapping[str, str]


Parser = Callable[[Response], Parsed]
"""Returns one of the labels that `Response.spellings` names, with the name of its rule; or none. The same response
always means the same."""
