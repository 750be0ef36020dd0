"""How many examples of each answer a training has seen."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice

from coabench.training.data import Item, kind_of
from coabench.training.schedule import Schedule


class Seen:
    """Counts the examples of each answer, step by step."""

    def __init__(self, items: Sequence[Item], schedule: Schedule) -> None:
        """Begin with the first step of the schedule; its samples are the *items*."""
        self._items = items
        self._micro_batches = schedule.micro_batches()
        self._each = schedule.per_process(1)
        self._step = 0
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def until(self, step: int) -> Mapping[str, Mapping[str, int]]:
        """Return question, as in `kind_of` -> answer -> examples in the steps up to this one, which never goes back."""
        for pieces in islice(self._micro_batches, self._each * (step - self._step)):
            for position, turns, _ in pieces:
                item = self._items[position]
                for turn in (item.turns[each] for each in turns):
                    self._counts[kind_of(item, turn)][turn.answer.response] += 1
        self._step = max(self._step, step)
        return {kind: dict(sorted(answers.items())) for kind, answers in sorted(self._counts.items())}
