"""Sampled answers: how tokens are drawn, and where the random numbers come from.

Every answer has a seed of its own, derived from the run's seed and from what is asked. So an answer depends neither on
what else is in the batch, nor on the order of samples, nor on where a run was resumed.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from coabench.base.names import to_hash
from coabench.errors import UserError

MOST = 64
"""So many samples of a dialogue at most: the record holds them all."""


@dataclass(frozen=True)
class Draw:
    """How an answer is drawn.

    Attributes:
        temperature: logits are divided by it; above 0.
        top_p: a token is drawn among the most probable ones whose probabilities together reach this, within 0…1 and
            above 0 (nucleus sampling: Holtzman et al., "The curious case of neural text degeneration", ICLR 2020).
        seed: all that is random about the answer, within 0…2⁶³ − 1.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0

    def uniform(self, step: int) -> float:
        """Return the random number, within 0…1 and below 1, that draws the answer's token at *step* (from 0)."""
        digest = hashlib.sha256(f"{self.seed}:{step}".encode()).digest()
        return (int.from_bytes(digest[:8], "big") >> 12) / 2**52


PLAIN = Draw()
"""From the model's own distribution."""


@dataclass(frozen=True)
class Sampling:
    """What the user asked for: so many samples of a strategy's dialogue, each token drawn so.

    By default 0.7 without truncation, one of the settings of self-consistency (Wang et al., "Self-consistency improves
    chain of thought reasoning in language models", ICLR 2023, arXiv 2203.11171), and 8 samples where it takes 40.

    Raises:
        UserError: values that nothing can be drawn with.
    """

    temperature: float = 0.7
    top_p: float = 1.0
    samples: int = 8

    def __post_init__(self) -> None:
        fits = {
            "temperature": (math.isfinite(self.temperature) and self.temperature > 0, "a number above 0"),
            "top_p": (0 < self.top_p <= 1, "a number above 0, 1 at most"),
            "samples": (1 <= self.samples <= MOST, f"a whole number from 1 to {MOST}"),
        }
        for name, (fit, expected) in fits.items():
            if not fit:
                option = f"--{name.replace('_', '-')}"
                raise UserError(
                    f"{option} {getattr(self, name)} makes no sense", expected=expected, remedy=f"correct {option}"
                )

    def draw(self, seed: int, sample: str, path: int, turn: int) -> Draw:
        """Return how one answer is drawn.

        Args:
            seed: of the run.
            sample: its id.
            path: the number of the dialogue about it, from 0.
            turn: how many questions of this dialogue were answered before.
        """
        digest = hashlib.sha256(to_hash(f"{seed}:{path}:{turn}:{sample}")).digest()
        return Draw(self.temperature, self.top_p, int.from_bytes(digest[:8], "big") >> 1)
