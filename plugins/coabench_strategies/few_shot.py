"""``few-shot``: examples before the question."""

from __future__ import annotations

from dataclasses import dataclass

from coabench.errors import UserError
from coabench.strategy import StrategyRequest
from coabench_strategies.prompted import Prompted


class FewShot(Prompted):
    """The direct question after *k* exemplars, each an image of another label with its true answer."""

    name = "few-shot"
    file = "few-shot"
    like = "one-shot"

    @dataclass(frozen=True)
    class Options:
        """What ``--set`` may change.

        Attributes:
            k: how many exemplars are shown before each question; no more than the data set has labels.
        """

        k: int = 3

        def __post_init__(self) -> None:
            if self.k < 1:
                raise UserError(
                    f"k={self.k} makes no sense", expected="1 or more exemplars", remedy="or take --strategy direct"
                )

    def __init__(self, request: StrategyRequest) -> None:
        super().__init__(request)
        self.exemplars = (request.options or self.Options()).k
