"""``coabench power``."""

from __future__ import annotations

import json

import pytest
from support.process import Run


def test_it_says_what_a_test_set_can_show(coabench: Run) -> None:
    shown = coabench("power", "--classes", "135,47,22,33,18,141,33,116,38,174,35", "--difference", "0.05")
    assert shown.returncode == 0, shown.stderr
    assert "792 samples in 11 classes, the smallest of 18" in shown.stdout
    rows = json.loads(
        coabench("power", "--dataset", "raf-db-compound", "--difference", "0.05", "--format", "json").stdout
    )
    assert rows == json.loads(
        coabench("power", "--classes", "135,47,22,33,18,141,33,116,38,174,35", "--difference", "0.05", "--format",
                 "json").stdout
    )  # fmt: skip
    powers = [row["power"] for row in rows]
    assert powers == sorted(powers, reverse=True)
    assert all((row["detectable"] < 0.05) == (row["power"] > 0.8) for row in rows if row["detectable"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "pass --classes"),
        (["--classes", "1,x"], "no list of whole numbers"),
        (["--classes", "10,0"], "no list of whole numbers"),
        (["--dataset", "jaffe"], "no counts for the split"),
        (["--classes", "10", "--difference", "0"], "0"),
        (["--classes", "10", "--uar", "2"], "2"),
    ],
)
def test_what_makes_no_sense_is_refused(coabench: Run, options: list[str], said: str) -> None:
    result = coabench("power", *options)
    assert result.returncode == 2
    assert said in result.stderr
