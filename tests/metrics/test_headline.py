"""Headline figures: how they are read, and how they are printed."""

from __future__ import annotations

from typing import Any

import pytest

from coabench.metrics.headline import HEADLINES, UAR, Estimate, Headline, read_estimate


@pytest.mark.parametrize(
    ("result", "estimate"),
    [
        (0.25, Estimate(0.25)),
        (-3, Estimate(-3)),
        ({"value": 2.5, "interval": [1, 4], "n": 7}, Estimate(2.5, 1, 4)),
        ({"value": 2.5}, Estimate(2.5)),
        ({"value": 2.5, "interval": [1]}, Estimate(2.5)),
        ({"value": 2.5, "interval": [None, 4]}, Estimate(2.5)),
        ({"value": None}, Estimate()),
        ({"share": 0.5}, Estimate()),
        (True, Estimate()),
        ("0.5", Estimate()),
        ([0.5], Estimate()),
        (float("nan"), Estimate()),
        (10**400, Estimate()),
        (None, Estimate()),
    ],
)
def test_a_metric_of_a_plugin_is_a_figure_where_it_is_a_number(result: Any, estimate: Estimate) -> None:
    assert read_estimate(result) == estimate


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan"), float("inf"), "high", None])
def test_a_figure_of_ours_that_is_no_proportion_is_an_error(value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        UAR.read({"uar": value, "uar_interval": [0, 1]})


def test_a_figure_that_is_missing_is_an_error() -> None:
    with pytest.raises(LookupError):
        UAR.read({"uar": 0.5})


def test_what_people_see() -> None:
    percent = Headline("share", "share", format="percent")
    number = Headline("kappa", "kappa", format="number")
    assert percent.cell(Estimate(0.6087, 0.565, 0.653)) == "60.87 [56.5,\N{NO-BREAK SPACE}65.3]"
    assert (percent.with_unit(0.5), number.with_unit(0.123456), number.with_unit(1234567)) == (
        "50.00%", "0.1235", "1234567",
    )  # fmt: skip
    assert (percent.cell(Estimate()), number.with_unit(None)) == ("–", "–")
    assert [figure.heading for figure in HEADLINES] == ["UAR", "WAR", "Macro-F1"]
    assert percent.key == "plugins.share"
