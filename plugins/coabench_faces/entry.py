"""A labelled face of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coabench.dataset import ImageSource


@dataclass(frozen=True)
class Entry:
    """A labelled face; its image may be missing. *id* is without the data set's name."""

    id: str
    image: ImageSource
    label: str
    split: str
    where: str
    attributes: Mapping[str, Any]
    votes: Mapping[str, float]
