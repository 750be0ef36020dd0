"""What ``--limit`` takes of a split: a sample of it, stratified by label."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from coabench.base.names import to_hash
from coabench.dataset import Sample

STRATIFIED = "stratified"
"""What an identity says of a sample drawn here; it says nothing of the first samples, which a limit took in 0.1.0."""


def stratified(samples: Sequence[Sample], limit: int, seed: int) -> list[Sample]:
    """Return *limit* of the samples, in their order, of each label its share; all where there are no more.

    Which ones of a label depends on the seed and their ids alone.
    """
    positions: dict[str, list[int]] = defaultdict(list)
    for position, sample in enumerate(samples):
        positions[sample.target].append(position)

    def drawn(position: int) -> bytes:
        return hashlib.sha256(to_hash(f"{seed}:{samples[position].id}")).digest()

    shares = allocate({label: len(own) for label, own in positions.items()}, limit)
    chosen = [position for label, n in shares.items() for position in heapq.nsmallest(n, positions[label], key=drawn)]
    return [samples[position] for position in sorted(chosen)]


def allocate(sizes: Mapping[str, int], limit: int) -> Counter[str]:
    """Return how many of each label to take: one, as long as there are any to give, the rest in proportion.

    The largest labels come first where there are fewer samples than labels. The rest is dealt out by the method of
    Webster (Sainte-Laguë): the next one goes to the label with the largest size / (taken + 1/2).

    Args:
        sizes: how many there are of each label.
    """
    taken: Counter[str] = Counter()
    queue = [(False, -float(size), label) for label, size in sizes.items()]
    heapq.heapify(queue)
    while queue and taken.total() < limit:
        *_, label = heapq.heappop(queue)
        taken[label] += 1
        if taken[label] < sizes[label]:
            heapq.heappush(queue, (True, -sizes[label] / (taken[label] + 0.5), label))
    return taken
