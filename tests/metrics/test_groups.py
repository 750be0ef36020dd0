"""Results by group."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from coabench.metrics.attribute_columns import AttributeColumns
from coabench.metrics.groups import Attribute, by_attribute
from coabench.metrics.headline import Estimate
from coabench.metrics.statistics import wilson_interval

NAMES = ["a", "b"]


def samples(n: int, right: int, target: str = "a", **attributes: Any) -> list[dict[str, Any]]:
    wrong = NAMES[1 - NAMES.index(target)]
    return [
        {"id": i, "target": target, "prediction": target if i < right else wrong, "status": "ok", "reason": None,
         "turns": [], "attributes": attributes}
        for i in range(n)
    ]  # fmt: skip


def only(records: list[dict[str, Any]], **options: Any) -> Attribute:
    (found,), others = by_attribute(records, NAMES, **options)
    assert others == {}
    return found


def test_figures_of_each_group() -> None:
    found = only(
        samples(30, 24, "a", g="x")
        + samples(10, 4, "b", g="x")
        + samples(20, 5, "a", g="y")
        + samples(20, 15, "b", g="y")
    )
    x, y = found.groups
    assert (x.value, x.n, x.classes) == ("x", 40, 2)
    assert x.uar is not None
    assert y.uar is not None
    assert y.war is not None
    assert (x.uar.value, y.uar.value, y.war.value) == (pytest.approx(0.6), pytest.approx(0.5), 0.5)
    assert x.war == (28 / 40, *wilson_interval(28, 40))
    assert (x.uar.low or 1) < 0.6 < (x.uar.high or 0)
    assert found.gap is not None
    assert (found.gap.higher, found.gap.lower, found.gap.classes) == ("x", "y", 2)
    assert found.gap.difference == pytest.approx(0.1)
    assert found.gap.interval[0] < 0 < found.gap.interval[1]


def test_a_clear_gap_has_an_interval_without_zero() -> None:
    found = only(samples(100, 90, g="x") + samples(100, 50, g="y") + samples(100, 70, g="z"))
    assert found.gap is not None
    assert (found.gap.higher, found.gap.lower, found.gap.difference) == ("x", "y", pytest.approx(0.4))
    # The difference of two proportions: standard error sqrt(.9·.1/100 + .5·.5/100) = 0.0583; the quantile of 1 − .05/3.
    assert found.gap.interval == pytest.approx((0.4 - 2.394 * 0.0583, 0.4 + 2.394 * 0.0583), abs=0.015)


def test_gaps_are_over_shared_classes() -> None:
    """A group without the hard class must not look better for it."""
    found = only(samples(40, 36, "a", g="x") + samples(40, 36, "a", g="y") + samples(40, 0, "b", g="y"))
    x, y = found.groups
    assert (x.uar and x.uar.value, y.uar and y.uar.value) == (pytest.approx(0.9), pytest.approx(0.45))
    assert found.gap is not None
    assert (found.gap.difference, found.gap.classes) == (0, 1)
    apart = only(samples(40, 36, "a", g="x") + samples(40, 10, "b", g="y"))
    assert apart.gap is None


def test_small_groups_are_suppressed() -> None:
    records = samples(40, 36, g="x") + samples(40, 20, g="y") + samples(19, 0, g="z")
    found = only(records)
    assert [(g.value, g.n, g.uar) for g in found.groups][2] == ("z", 19, None)
    assert found.gap is not None
    assert (found.gap.higher, found.gap.lower) == ("x", "y")
    found = only(records, min_group=19)
    assert found.gap is not None
    assert found.gap.lower == "z"


@pytest.mark.parametrize(
    "records",
    [
        samples(40, 20, g="x"),
        samples(40, 20, g="x") + samples(1, 1, g="y"),
        samples(3, 1, g="x") + samples(3, 1, g="y"),
    ],
    ids=["one value", "one usable", "none usable"],
)
def test_nothing_to_compare(records: list[dict[str, Any]]) -> None:
    found = only(records)
    assert found.gap is None
    assert found.groups[0].n == 40 or found.groups[0].uar is None


def test_missing_values_are_no_group() -> None:
    records = samples(40, 20, g="x") + samples(25, 20, g=None) + samples(25, 20)
    found = only(records)
    assert [(g.value, g.n) for g in found.groups] == [("x", 40)]
    assert found.without == 50


def test_what_is_no_group() -> None:
    records = [
        r | {"attributes": {"subject": f"s{i}", "yaw": i / 3, "units": {"1": 0.5}, "none": None, "glasses": i % 2 == 0}}
        for i, r in enumerate(samples(60, 30))
    ]
    found, others = by_attribute(records, NAMES)
    assert [(a.name, [g.value for g in a.groups]) for a in found] == [("glasses", ["false", "true"])]
    assert others == {
        "subject": "who is shown",
        "yaw": "60 different values",
        "units": "not a single value",
        "none": "no values",
    }


def test_groups_stand_in_their_natural_order() -> None:
    ages = ("70+", "4–19", "20–39", "0–3", "40–69")
    found = only([r for age in ages for r in samples(20, 10, age=age)])
    assert [g.value for g in found.groups] == ["0–3", "4–19", "20–39", "40–69", "70+"]


def width(estimate: Estimate | None) -> float:
    assert estimate is not None
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.high - estimate.low


def test_several_images_of_a_person_widen_the_interval() -> None:
    alone = samples(40, 20, g="x") + samples(40, 20, g="y")
    together = [r | {"attributes": {"g": r["attributes"]["g"], "subject": f"{r['id'] // 10}"}} for r in alone]
    (first, *_), (second, *_) = (by_attribute(records, NAMES)[0][0].groups for records in (alone, together))
    assert width(second.war) > 1.5 * width(first.war)


def test_no_attributes() -> None:
    assert by_attribute([{"id": 1, "target": "a", "prediction": "a", "status": "ok"}], NAMES) == ([], {})


def test_the_same_records_give_the_same_figures() -> None:
    records = samples(40, 36, g="x") + samples(40, 20, g="y")
    assert by_attribute(records, NAMES) == by_attribute(records, NAMES)


def columns_of(samples: Sequence[dict[str, Any]]) -> AttributeColumns:
    columns = AttributeColumns()
    for attributes in samples:
        columns.add(attributes)
    return columns


@pytest.mark.parametrize("seed", range(6))
def test_attributes_of_two_runs_are_those_of_each_sample_put_together(seed: int) -> None:
    """Of the first run where it has one, None too; else of the second, whose samples have another order."""
    rng = random.Random(seed)

    def attributes(values: int) -> dict[str, Any]:
        known = {name: rng.choice([None, *range(values)]) for name in ("age", "sex", "pose") if rng.random() < 0.7}
        return dict(rng.sample([*known.items()], len(known)))

    first, second = ([attributes(values) for _ in range(90)] for values in (20, rng.choice([3, 25])))
    order = np.array(rng.sample(range(90), 90))
    there: list[dict[str, Any]] = [{}] * 90
    for i, place in enumerate(order):
        there[place] = second[i]
    found = columns_of(first).with_those_of(columns_of(there), order).members()
    expected = columns_of([b | a for a, b in zip(first, second, strict=True)]).members()
    assert [*found] == [*expected]
    for name, values in expected.items():
        assert {value: at.tolist() for value, at in found[name].items()} == {v: at.tolist() for v, at in values.items()}
