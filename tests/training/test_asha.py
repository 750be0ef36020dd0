"""Asynchronous successive halving: which trainings continue at a rung."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from coabench.training.asha import Asha


def test_rungs_lie_before_the_last_evaluation() -> None:
    assert Asha().rungs(5) == (1, 3)
    assert Asha(grace_period=2, reduction_factor=2).rungs(9) == (2, 4, 8)
    assert Asha(grace_period=5).rungs(5) == ()


def test_one_in_so_many_continues() -> None:
    rule = Asha(reduction_factor=4)
    assert rule.needed([]) == 0.0  # the first always does
    assert rule.needed([0.6]) == 0.6
    assert rule.needed([0.1, 0.2, 0.3, 0.4, 0.5]) == pytest.approx(0.4)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_it_decides_as_ray_tune_does() -> None:
    """The stopping variant of ``ASHAScheduler``, fed with the same dev UARs in the same order."""
    tune = pytest.importorskip("ray.tune.schedulers", reason="Ray Tune is not installed", exc_type=ImportError)
    from types import SimpleNamespace

    drawn, evaluations = np.random.default_rng(0), 9
    for rule in (Asha(), Asha(2, 2), Asha(1, 4)):
        scheduler = tune.ASHAScheduler(
            metric="uar", mode="max", max_t=evaluations, grace_period=rule.grace_period,
            reduction_factor=rule.reduction_factor,
        )  # fmt: skip
        rungs: dict[int, list[float]] = {rung: [] for rung in rule.rungs(evaluations)}
        for number in range(60):
            trial = SimpleNamespace(trial_id=str(number), config={})
            scheduler.on_trial_add(None, trial)
            for evaluation in range(1, evaluations):
                uar = float(drawn.integers(0, 20)) / 20
                result = {"training_iteration": evaluation, "uar": uar}
                theirs = scheduler.on_trial_result(None, trial, result) == scheduler.STOP
                ours = evaluation in rungs and uar < rule.needed(rungs[evaluation])
                if evaluation in rungs:
                    rungs[evaluation].append(uar)
                assert ours == theirs, (rule, number, evaluation)
                if ours:
                    break
