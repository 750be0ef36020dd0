"""Which training turns make which optimizer step: a pure function of seed and sizes, on any number of processes.

The epochs, each shuffled, follow one another in one endless stream that is cut into batches of exactly ``batch_size``
turns, so no turn is left out at the end of an epoch. A batch is cut into micro-batches, which the processes take in
turn. Where turns do not share, an epoch shuffles turns instead of samples and ends with its last whole batch.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple


class Look(NamedTuple):
    """How a sample is shown.

    Attributes:
        mirrored: with left and right exchanged.
        epoch, copy: in which epoch, and which time in it, where its image differs from one to the next.
    """

    mirrored: bool = False
    epoch: int = 0
    copy: int = 0


AS_IT_IS = Look()

Piece = tuple[int, tuple[int, ...], Look]
"""A sample, by position; some of its turns, by position; how it is shown: what is encoded together."""

_Turn = tuple[int, int, Look]
"""A sample, one of its turns, how it is shown."""


@dataclass(frozen=True)
class Schedule:
    """The batches of a training run.

    Attributes:
        turns: how many turns each sample has.
        lengths: how long each sample's turns are, in any unit; those of like length share a micro-batch.
        seed: of the shuffling.
        batch_size: turns per optimizer step.
        micro_batch: turns per micro-batch; divides *batch_size*.
        steps: optimizer steps.
        mirror: whether every sample is mirrored in about half of the epochs.
        share: whether the turns of a sample come together.
        shares: how often each sample comes in an epoch, on average: so many times as the whole part says, and once more
            with the chance that the rest says. None for once each.
        augments: whether a sample's image differs from epoch to epoch.
    """

    turns: Sequence[int]
    lengths: Sequence[int]
    seed: int
    batch_size: int
    micro_batch: int
    steps: int
    mirror: bool = False
    share: bool = True
    shares: Sequence[float] | None = None
    augments: bool = False

    def micro_batches(self, rank: int = 0, world: int = 1) -> Iterator[list[Piece]]:
        """Yield the micro-batches of one process, step after step; each has the turns of some samples."""
        stream = self._stream()
        for _ in range(self.steps):
            batch = list(islice(stream, self.batch_size))
            pieces = self._grouped(batch) if self.share else batch
            fold = _fold if self.share else _apart
            yield from [fold(part) for part in _cut(pieces, self.micro_batch)][rank::world]

    def per_process(self, world: int) -> int:
        """Return how many micro-batches each process gets in a step."""
        return self.batch_size // self.micro_batch // world

    def _stream(self) -> Iterator[_Turn]:
        """Yield turns for ever, those of a sample one after the other."""
        epoch = 0
        while True:
            rng = random.Random(f"{self.seed}:{epoch}")
            yield from self._samples(rng, epoch) if self.share else self._records(rng, epoch)
            epoch += 1

    def _samples(self, rng: random.Random, epoch: int) -> Iterator[_Turn]:
        order = self._once(rng)
        rng.shuffle(order)
        for sample, copy in order:
            look = self._look(rng, epoch, copy)
            yield from ((sample, turn, look) for turn in range(self.turns[sample]))

    def _records(self, rng: random.Random, epoch: int) -> Iterator[_Turn]:
        records = [(sample, turn, copy) for sample, copy in self._once(rng) for turn in range(self.turns[sample])]
        rng.shuffle(records)
        whole = len(records) - len(records) % self.batch_size
        yield from ((sample, turn, self._look(rng, epoch, copy)) for sample, turn, copy in records[:whole])

    def _once(self, rng: random.Random) -> list[tuple[int, int]]:
        """Return the samples of an epoch, in order, each with the number of the time that it comes."""
        if self.shares is None:
            return [(sample, 0) for sample in range(len(self.turns))]
        times = [int(share) + (rng.random() < share % 1) for share in self.shares]
        return [(sample, copy) for sample, many in enumerate(times) for copy in range(many)]

    def _look(self, rng: random.Random, epoch: int, copy: int) -> Look:
        mirrored = self.mirror and rng.random() < 0.5
        return Look(mirrored, epoch, copy) if self.augments else Look(mirrored)

    def _grouped(self, batch: Sequence[_Turn]) -> list[_Turn]:
        """Put turns of the same sample together, samples with many turns first, then by length."""
        count = Counter(sample for sample, *_ in batch)
        return sorted(batch, key=lambda item: (-count[item[0]], self.lengths[item[0]], item[0], item[2], item[1]))


def _cut(batch: Sequence[_Turn], size: int) -> list[Sequence[_Turn]]:
    return [batch[start : start + size] for start in range(0, len(batch), size)]


def _apart(turns: Sequence[_Turn]) -> list[Piece]:
    return [(sample, (turn,), look) for sample, turn, look in turns]


def _fold(turns: Sequence[_Turn]) -> list[Piece]:
    folded: dict[tuple[int, Look], list[int]] = {}
    for sample, turn, look in turns:
        folded.setdefault((sample, look), []).append(turn)
    return [(sample, tuple(own), look) for (sample, look), own in folded.items()]
