"""Cochran's Q."""

import numpy as np
import pytest

from coabench.metrics.predictions import Predicted
from coabench.robustness.measures.cochran import cochran


def predicted(right: list[int], subjects: list[str] | None = None) -> Predicted:
    records = [
        {"id": f"d/{i}", "target": "a", "prediction": "a" if each else "b", "status": "ok",
         "attributes": {"subject": subjects[i]} if subjects else {}}
        for i, each in enumerate(right)
    ]  # fmt: skip
    return Predicted.of(records, ["a", "b"])


def test_it_is_what_the_definition_says() -> None:
    """As the sum of squares of the columns about their mean."""
    rng = np.random.default_rng(0)
    table = (rng.random((40, 4)) < [0.9, 0.7, 0.6, 0.3]).astype(int)
    found = cochran("blur", [predicted(list(column)) for column in table.T])
    columns, rows = table.sum(axis=0), table.sum(axis=1)
    expected = 4 * 3 * ((columns - columns.mean()) ** 2).sum() / (rows * (4 - rows)).sum()
    assert found.q == pytest.approx(expected)
    assert found.runs == 4
    assert found.p is not None
    assert found.p < 1e-3


def test_with_two_runs_it_is_mcnemars() -> None:
    found = cochran("mirror", [predicted([1] * 10 + [0] * 4 + [1] * 6), predicted([0] * 10 + [1] * 4 + [1] * 6)])
    assert found.q == pytest.approx((10 - 4) ** 2 / 14)
    assert found.p == pytest.approx(0.1088, abs=1e-4)


def test_what_cannot_be_tested_has_no_p() -> None:
    assert cochran("grey", [predicted([1, 0, 1])] * 3).q is None
    persons = cochran(
        "grey", [predicted([1, 0, 1, 1], ["x", "x", "y", "y"]), predicted([0, 0, 1, 0], ["x", "x", "y", "y"])]
    )
    assert persons.q is not None
    assert persons.p is None
