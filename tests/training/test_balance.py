"""Rare answers count as much as common ones: by the weight of their loss, or by how often they are seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from coabench_tiny.checkpoint import write
from support.in_process import command

from coabench.backbone import BackboneRequest
from coabench.dataset import ImageFile, Sample
from coabench.dialogue import Task
from coabench.errors import UserError
from coabench.inference.engine import training_turns
from coabench.recipe import Recipe
from coabench.registry.catalog import find_dataset, open_strategy
from coabench.testing.pictures import draw_face
from coabench.training.balance import find_balance, find_shares
from coabench.training.data import Item, split_weight
from coabench.training.schedule import Schedule

SPACE = find_dataset("raf-db-basic").card.space
COUNTS = {"Happiness": 40, "Sadness": 20, "Fear": 4}


def items(counts: dict[str, int] = COUNTS) -> list[Item]:
    strategy, _ = open_strategy("direct")
    targets = [target for target, n in counts.items() for _ in range(n)]
    samples = [Sample(f"set/{i}", ImageFile(Path(), f"{i}.png"), target, "train") for i, target in enumerate(targets)]
    return [Item(sample, (), SPACE, strategy, False) for sample in samples]


def total_by_answer(**settings: Any) -> dict[str, float]:
    balance = find_balance(Recipe(**settings), items(), True)
    assert balance is not None
    total: Counter[str] = Counter()
    for item in items():
        total[item.sample.target] += balance.loss_weight(item, item.turns[0])
    return dict(total)


def test_by_the_loss_every_answer_has_the_same_part_of_the_whole() -> None:
    assert total_by_answer(balance="loss") == pytest.approx(dict.fromkeys(COUNTS, 64 / 3))


def test_the_effective_number_lies_between_none_and_the_inverse_of_the_count() -> None:
    """The ratios of Cui et al. 2019, equation 2; the mean over the examples is 1."""
    total = total_by_answer(balance="effective-number", balance_beta=0.9)
    assert sum(total.values()) == pytest.approx(64)
    weight = {answer: total[answer] / n for answer, n in COUNTS.items()}
    assert weight["Fear"] / weight["Happiness"] == pytest.approx((1 - 0.9**40) / (1 - 0.9**4))
    assert total_by_answer(balance="effective-number", balance_beta=0.0) == pytest.approx(COUNTS)
    nearly = total_by_answer(balance="effective-number", balance_beta=1 - 1e-9)
    assert nearly == pytest.approx(total_by_answer(balance="loss"), rel=1e-3)


def test_by_samples_every_answer_is_seen_as_often_in_as_many_questions() -> None:
    every = items()
    balance = find_balance(Recipe(balance="sample"), every, False)
    assert balance is not None
    shares = balance.shares(every)
    assert balance.loss_weight(every[0], every[0].turns[0]) == 1
    schedule = Schedule([1] * 64, [1] * 64, 0, 32, 4, 400, shares=shares)
    seen = Counter(
        every[sample].sample.target for batch in schedule.micro_batches() for sample, turns, _ in batch for _ in turns
    )
    assert sum(seen.values()) == 400 * 32
    assert {answer: n / 12800 for answer, n in seen.items()} == pytest.approx(dict.fromkeys(COUNTS, 1 / 3), abs=0.01)


def test_the_model_weighs_the_loss_of_each_answer(tmp_path: Path) -> None:
    from coabench_tiny.backbone import Tiny

    write(tmp_path, seed=5)
    backbone = Tiny(BackboneRequest(str(tmp_path), None, "cpu", "float32", Tiny.Options()))
    trainee = backbone.trainee(Tiny.TrainingOptions())
    backbone.load()
    turns = training_turns(open_strategy("chain-of-affect")[0], Task(find_dataset("raf-db-compound").card.space),
                           "Sadly Angry")  # fmt: skip
    prepared = backbone.prepare([draw_face("Fear", size=64)])

    def loss(*weights: float) -> float:
        weighted = [replace(turn, weight=weight) for turn, weight in zip(turns, weights, strict=True)]
        batch = trainee.collate([trainee.encode(prepared, weighted)])
        return float(trainee.module(**batch, num_items_in_batch=1)["loss"])

    first, second = loss(1, 0), loss(0, 1)
    assert loss(1, 1) == pytest.approx(first + second)
    assert loss(0.5, 3) == pytest.approx(0.5 * first + 3 * second)


def test_what_cannot_be_balanced_is_refused() -> None:
    assert find_balance(Recipe(), items(), False) is None
    with pytest.raises(UserError, match="cannot weigh the loss"):
        find_balance(Recipe(balance="loss"), items(), False)
    with pytest.raises(UserError, match="nothing to balance"):
        find_balance(Recipe(balance="loss"), items({"Fear": 3}), True)
    with pytest.raises(UserError, match="is for --balance effective-number"):
        Recipe(balance="loss", balance_beta=0.9)
    with pytest.raises(UserError, match=r"--balance-beta 1\.0 makes no sense"):
        Recipe(balance="effective-number", balance_beta=1.0)


def test_the_identity_has_it_and_without_it_stays_what_it_was() -> None:
    plain = Recipe().identity(4)
    assert not any("balance" in name for name in plain)
    assert {*Recipe(balance="sample").identity(4).items()} - {*plain.items()} == {("balance", "sample")}
    assert Recipe(balance="effective-number").identity(4)["balance_beta"] == 0.999


def test_the_plan_shows_counts_and_weights(tmp_path: Path) -> None:
    planned = command(tmp_path, ["train", "--strategy", "direct", "--dataset", "synthface-basic", "--balance", "loss",
                                 "--dry-run"], {})  # fmt: skip
    assert planned.returncode == 0, planned.stderr
    assert "Anger 162 × 1.00" in planned.stdout


def test_data_sets_are_mixed_with_weights() -> None:
    every = [replace(item, dataset="a" if number < 16 else "b") for number, item in enumerate(items())]
    assert find_shares(every, None, {"a": 2, "b": 2}) is None
    shares = find_shares(every, None, {"a": 3, "b": 1})
    assert shares is not None
    assert shares[0] == pytest.approx(3 * shares[-1])
    assert sum(shares) == pytest.approx(len(every))
    balance = find_balance(Recipe(balance="sample"), every, False)
    both = find_shares(every, balance, {"a": 3, "b": 1})
    assert both is not None
    assert both[0] == pytest.approx(3 * both[16])  # both are happy


def test_a_weight_stands_behind_the_name() -> None:
    assert split_weight("raf-db-basic") == ("raf-db-basic", 1)
    assert split_weight("raf-db-basic:2.5") == ("raf-db-basic", 2.5)
    assert split_weight("C:/faces/card.yaml") == ("C:/faces/card.yaml", 1)
    for text in ("0", "-1", "inf", "nan", "1.2.3"):
        with pytest.raises(UserError, match="makes no sense"):
            split_weight(f"raf-db-basic:{text}")
