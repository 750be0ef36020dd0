"""The conditions that a stress holds: what is changed in the images or the questions of a run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final

from coabench.base.schema import between, must

CLEAN: Final = "clean"
"""The name of the condition, and of the folder of its run, in which nothing is changed."""
Name = Annotated[str, must(re.compile(r"\w[\w.+-]*").fullmatch, "a word that can name a folder")]


@dataclass(frozen=True)
class Condition:
    """A condition.

    Attributes:
        name: of the condition, and of the folder of its run.
        family: what belongs together: ``blur``, ``order``, ``language``.
        severity: 1 to 5 of its family; None where it has none.
        transform: what every image is changed by, in this order, as ``--transform`` takes it.
        rewrite: what every question is rewritten by, in this order, as ``--rewrite`` takes it.
    """

    name: Name
    family: Name
    severity: Annotated[int, between(1, 5)] | None = None
    transform: tuple[str, ...] = ()
    rewrite: tuple[str, ...] = ()
