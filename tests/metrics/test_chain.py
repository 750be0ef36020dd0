"""Where a chain of two questions goes wrong."""

from __future__ import annotations

from typing import Any

import pytest

from coabench.metrics.chain import chain_diagnostics

PAIRS = {"Happily Surprised": ["Happiness", "Surprise"], "Sadly Angry": ["Sadness", "Anger"]}
BASIC = ["Surprise", "Fear", "Happiness", "Sadness", "Anger", "Neutral"]
LABELS = {"names": list(PAIRS), "pairs": PAIRS, "basic": BASIC}


def record(target: str, prediction: str | None, reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {"target": target, "prediction": prediction, "reason": reason, "turns": []} | more


def turns(*answers: str | None) -> list[dict[str, Any]]:
    return [{"name": name, "label": label} for name, label in zip(("primary", "secondary"), answers, strict=False)]


def test_chain_tells_where_it_breaks() -> None:
    target = "Happily Surprised"
    records = [
        record(target, target, turns=turns("Surprise", "Happiness")),
        record(target, None, "repeated", turns=turns("Happiness", "Happiness")),
        record(target, None, "no-class", turns=turns("Happiness", "Fear")),
        record(target, "Sadly Angry", turns=turns("Anger", "Sadness")),
        record(target, None, "neutral-first", turns=turns("Neutral", "Anger")),
        record(target, None, "neutral-second", turns=turns("Surprise", "Neutral")),
        record(target, None, "unparsed-primary", turns=turns(None)),
        record(target, None, "unparsed-secondary", turns=turns("Happiness", None)),
        record(target, None, "unreadable"),  # never asked
    ]
    chain = chain_diagnostics(records, LABELS)
    assert chain is not None
    assert chain["samples"] == 8
    assert chain["primary_in_pair"] == pytest.approx(5 / 8)
    assert chain["secondary_given_right_primary"] == pytest.approx(1 / 5)
    counts = {key: chain[key] for key in ("repeated", "neutral_first", "neutral_second", "no_class", "unparsed")}
    assert counts == {"repeated": 1, "neutral_first": 1, "neutral_second": 1, "no_class": 1, "unparsed": 2}


def test_chain_without_a_right_primary() -> None:
    chain = chain_diagnostics([record("Sadly Angry", None, "no-class", turns=turns("Fear", "Anger"))], LABELS)
    assert chain is not None
    assert chain["oracle_primary"] is None
    assert chain["primary_in_pair"] == 0
    assert chain["secondary_given_right_primary"] is None


def test_oracle_primary_weighs_classes_alike() -> None:
    """Of four happy samples with a right primary answer one is completed, of one sad sample one."""
    records = [
        *(record("Happily Surprised", None, "no-class", turns=turns("Happiness", "Fear")) for _ in range(3)),
        record("Happily Surprised", "Happily Surprised", turns=turns("Happiness", "Surprise")),
        record("Sadly Angry", "Sadly Angry", turns=turns("Anger", "Sadness")),
        record("Sadly Angry", None, "no-class", turns=turns("Fear", "Anger")),
    ]
    chain = chain_diagnostics(records, LABELS)
    assert chain is not None
    assert chain["oracle_primary"] == {"war": pytest.approx(2 / 5), "uar": pytest.approx((1 / 4 + 1) / 2)}


def test_primary_by_secondary_answers() -> None:
    records = [
        record("Happily Surprised", "Happily Surprised", turns=turns("Happiness", "Surprise")),
        record("Happily Surprised", None, "unparsed-secondary", turns=turns("Happiness", None)),
        record("Sadly Angry", None, "unparsed-primary", turns=turns(None)),
    ]
    chain = chain_diagnostics(records, LABELS)
    assert chain is not None
    table = chain["primary_secondary"]
    assert table["labels"] == [*BASIC, "INVALID"]
    happy, surprise, invalid = BASIC.index("Happiness"), BASIC.index("Surprise"), len(BASIC)
    assert table["rows"][happy][surprise] == table["rows"][happy][invalid] == table["rows"][invalid][invalid] == 1
    assert sum(map(sum, table["rows"])) == 3


def test_no_chain_no_diagnostics() -> None:
    asked = [{"name": "answer", "label": "Sadly Angry"}]
    assert chain_diagnostics([record("Sadly Angry", "Sadly Angry", turns=asked)], LABELS) is None
