"""Label spaces for checks and tests, of both kinds, and tasks on them."""

from __future__ import annotations

from pathlib import Path

from coabench.dataset import Card
from coabench.dialogue import Exemplar, Task
from coabench.labels import LabelSpace

CARDS = {name: Path(__file__).parent / "cards" / f"{name.removeprefix('testing-')}.yaml"
         for name in ("testing-basic", "testing-compound")}  # fmt: skip
"""Data set -> its card; `coabench.testing.pictures.Pictures` draws their images."""

BASIC: LabelSpace = Card.read(CARDS["testing-basic"]).space
"""The seven basic emotions."""

COMPOUND: LabelSpace = Card.read(CARDS["testing-compound"]).space
"""Four mixtures of two basic emotions each."""


def task(space: LabelSpace = COMPOUND, exemplars: int = 0) -> Task:
    """Return a task on a label space, with so many exemplars."""
    names = space.names
    return Task(space, tuple(Exemplar(f"train/{i}", names[i % len(names)]) for i in range(exemplars)))
