"""Axes."""

import math

import pytest

from coabench.render.svg import log_axis


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.01, 1.0], [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]),
        ([0.08], [0.06, 0.07, 0.08, 0.09, 0.1, 0.11]),
        ([1.1, 1.3], [0.8, 1, 1.2, 1.4, 1.6, 1.8]),
        ([0.001, 1000], [0.001, 0.01, 0.1, 1, 10, 100, 1000]),
    ],
)
def test_a_logarithmic_axis_always_has_ticks_to_read_it_by(values: list[float], ticks: list[float]) -> None:
    axis = log_axis(values)
    assert axis.ticks == pytest.approx(ticks)
    assert all(0 <= axis.at(value) <= 1 for value in [*values, *axis.ticks, *axis.minor])
    assert not {*axis.minor} & {*axis.ticks}


def test_minor_ticks_show_that_it_is_logarithmic() -> None:
    axis = log_axis([0.01, 1.0])
    gaps = [math.log10(tick) for tick in sorted([*axis.minor, *axis.ticks]) if 0.0099 < tick < 1.001]
    assert len(gaps) == 19
    assert list(log_axis([0.001, 1000]).minor) == []
