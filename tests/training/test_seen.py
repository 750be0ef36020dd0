"""The examples of each answer that a training has seen."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from coabench.dataset import ImageFile, Sample
from coabench.metrics.headline import Estimate
from coabench.registry.catalog import find_dataset, open_strategy
from coabench.training.data import Item
from coabench.training.development import _mean
from coabench.training.schedule import Schedule
from coabench.training.seen import Seen

COUNTS = {"Happiness": 9, "Sadness": 5, "Fear": 2}


def items() -> list[Item]:
    strategy, _ = open_strategy("direct")
    targets = [target for target, n in COUNTS.items() for _ in range(n)]
    samples = [Sample(f"set/{i}", ImageFile(Path(), f"{i}.png"), target, "train") for i, target in enumerate(targets)]
    return [Item(sample, (), find_dataset("raf-db-basic").card.space, strategy, False) for sample in samples]


def test_an_epoch_has_every_example_once_and_a_resumed_training_counts_from_its_beginning() -> None:
    schedule = Schedule([1] * 16, [1] * 16, 0, 4, 2, 10)
    seen = Seen(items(), schedule)
    after = [{answer: n for own in seen.until(step).values() for answer, n in own.items()} for step in range(11)]
    assert after[4] == COUNTS
    assert after[8] == {answer: 2 * n for answer, n in COUNTS.items()}
    assert [sum(own.values()) for own in after] == [4 * step for step in range(11)]
    assert list(Seen(items(), schedule).until(7).values()) == [after[7]]
    assert Counter(after[7]) - Counter(after[6])


def test_the_interval_of_a_mean_is_narrower_over_data_sets_and_not_over_strategies() -> None:
    one, other = Estimate(0.6, 0.5, 0.8), Estimate(0.4, 0.3, 0.6)
    over_data = _mean([[one], [other]])
    assert over_data == pytest.approx((0.5, 0.5 - 0.02**0.5 / 2, 0.5 + 0.08**0.5 / 2))
    assert _mean([[one, other]]) == pytest.approx((0.5, 0.4, 0.7))
    assert _mean([[one], [Estimate(0.2)]]) == Estimate(0.4)
