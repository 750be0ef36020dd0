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

Piece = tuple[int, tuple[int, ...], bool]
"""A sample, by position; some of its turns, by position; whether it is mirrored: what is encoded together."""

_Turn = tuple[int, int, bool]
"""A sample, one of its turns, whether it is mirrored."""


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
            yield from self._samples(rng) if self.share else self._records(rng)
            epoch += 1

    def _samples(self, rng: random.Random) -> Iterator[_Turn]:
        order = self._once(rng)
        rng.shuffle(order)
        for sample in order:
            mirrored = self.mirror and rng.random() < 0.5
            yield from ((sample, turn, mirrored) for turn in range(self.turns[sample]))

    def _once(self, rng: random.Random) -> list[int]:
        """Return the samples of an epoch, in order."""
        if self.shares is None:
            return list(range(len(self.turns)))
        return [
            sample for sample, share in enumerate(self.shares) for _ in range(int(share) + (rng.random() < share % 1))
        ]

    def _records(self, rng: random.Random) -> Iterator[_Turn]:
        records = [(sample, turn) for sample in self._once(rng) for turn in range(self.turns[sample])]
        rng.shuffle(records)
        whole = len(records) - len(records) % self.batch_size
        yield from ((*record, self.mirror and rng.random() < 0.5) for record in records[:whole])

    def _grouped(self, batch: Sequence[_Turn]) -> list[_Turn]:
        """Put turns of the same sample together, samples with many turns first, then by length."""
        count = Counter(sample for sample, *_ in batch)
        return sorted(batch, key=lambda item: (-count[item[0]], self.lengths[item[0]], item[0], item[2], item[1]))


def _cut(batch: Sequence[_Turn], size: int) -> list[Sequence[_Turn]]:
    return [batch[start : start + size] for start in range(0, len(batch), size)]


def _apart(turns: Sequence[_Turn]) -> list[Piece]:
    return [(sample, (turn,), mirrored) for sample, turn, mirrored in turns]


def _fold(turns: Sequence[_Turn]) -> list[Piece]:
    folded: dict[tuple[int, bool], list[int]] = {}
    for sample, turn, mirrored in turns:
        folded.setdefault((sample, mirrored), []).append(turn)
    return [(sample, tuple(own), mirrored) for (sample, mirrored), own in folded.items()]
