"""Draws: numbers that are refused, and seeds that are each answer's own."""

from __future__ import annotations

import itertools
import math

import pytest
from scipy import stats

from coabench.errors import UserError
from coabench.sampling import Draw, Sampling


@pytest.mark.parametrize(
    ("values", "option"),
    [
        ({"temperature": 0.0}, "--temperature 0.0"),
        ({"temperature": -1.0}, "--temperature -1.0"),
        ({"temperature": math.nan}, "--temperature nan"),
        ({"temperature": math.inf}, "--temperature inf"),
        ({"top_p": 0.0}, "--top-p 0.0"),
        ({"top_p": 1.01}, "--top-p 1.01"),
        ({"top_p": math.nan}, "--top-p nan"),
        ({"samples": 0}, "--samples 0"),
        ({"samples": 65}, "--samples 65"),
    ],
)
def test_what_nothing_can_be_drawn_with_is_refused(values: dict[str, float], option: str) -> None:
    with pytest.raises(UserError, match=rf"^{option} makes no sense\n  expected: a "):
        Sampling(**values)  # type: ignore[arg-type]


def test_every_answer_has_a_seed_of_its_own() -> None:
    sampling = Sampling(0.5, 0.9, 4)
    asked = list(itertools.product((0, 1, 11), ("a", "b", "1:a", "a\udce9"), range(12), range(12)))
    draws = [sampling.draw(*each) for each in asked]
    assert len({draw.seed for draw in draws}) == len(asked)
    assert all(0 <= draw.seed < 2**63 for draw in draws)
    assert {(draw.temperature, draw.top_p) for draw in draws} == {(0.5, 0.9)}


def test_seeds_and_numbers_are_the_same_on_every_machine_and_from_version_to_version() -> None:
    """A run that is resumed elsewhere draws on."""
    draw = Sampling().draw(0, "synthface-basic/1", 2, 1)
    assert draw == Draw(0.7, 1.0, 7150144587382078785)
    assert [draw.uniform(step) for step in range(3)] == [0.780852152826685, 0.14568346999238102, 0.9892198137568653]


def test_numbers_are_uniform_over_steps_and_over_seeds() -> None:
    by_step = [Draw(seed=3).uniform(step) for step in range(4000)]
    by_seed = [Draw(seed=seed).uniform(0) for seed in range(4000)]
    for numbers in (by_step, by_seed):
        assert min(numbers) >= 0
        assert max(numbers) < 1
        assert stats.kstest(numbers, "uniform").pvalue > 0.01
    assert abs(stats.spearmanr(by_step[1:], by_step[:-1]).statistic) < 0.05
