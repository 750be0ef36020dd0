"""``permute-vote``: the same question with its options in several orders."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from coabench.dialogue import Prediction, Task
from coabench.errors import UserError
from coabench.labels import Choices
from coabench.strategy import Conversation, StrategyRequest
from coabench_strategies.prompted import Prompted


class PermuteVote(Prompted):
    """The direct question in several orders of its options; the answer given most often is the prediction.

    An answer that is no label is a vote for none. Where two are given equally often, there is no prediction (`tied`):
    any rule that preferred one would bring back the order of the options.
    """

    name = "permute-vote"
    file = "direct"
    like = "direct"

    @dataclass(frozen=True)
    class Options:
        """What ``--set`` may change.

        Attributes:
            orders: how many orders are asked: odd, 3 or more, and no more than there are labels.
        """

        orders: int = 5

        def __post_init__(self) -> None:
            if self.orders < 3 or self.orders % 2 == 0:
                raise UserError(
                    f"orders={self.orders} cannot vote",
                    expected="an odd number, 3 or more, so that two labels never share all votes equally",
                    remedy="set orders=3, 5, 7 …",
                )

    def __init__(self, request: StrategyRequest) -> None:
        super().__init__(request)
        self.orders = (request.options or self.Options()).orders

    def converse(self, task: Task) -> Conversation:
        votes: Counter[str | None] = Counter()
        for number, order in enumerate(rotations(task.labels, self.orders), start=1):
            answer = yield replace(self.prompts.question("answer", task, options=order), name=f"order-{number}")
            votes[answer.label] += 1
        (label, most), *others = votes.most_common()
        details = {
            "agreement": round(most / self.orders, 6),
            "votes": {name: n for name, n in votes.most_common() if name is not None},
        }
        if others and others[0][1] == most:
            return Prediction.invalid("tied", details)
        return Prediction.invalid("unparsed-answer", details) if label is None else Prediction(label, details=details)


def rotations(options: Choices, number: int) -> list[Choices]:
    """Return *number* orders of the options: the given one, and rotations of it by nearly equal steps.

    They are rows of a cyclic Latin square, so no option stands at the same position twice. Asking all rotations puts
    each option at each position once.

    Raises:
        UserError: there are fewer options than orders.
    """
    size = len(options)
    if number > size:
        raise UserError(
            f"{size} labels have no {number} orders in which none of them stands at the same place twice",
            expected=f"orders={size} or less",
            remedy="lower --set orders=…",
        )
    starts = (row * size // number for row in range(number))
    return [Choices((*options[start:], *options[:start])) for start in starts]
