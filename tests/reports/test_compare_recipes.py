"""``coabench compare A… -- B…``: recipes, each of several runs that differ in a seed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.process import Run

from coabench.metrics.statistics import mean_interval, paired_difference, recipe_difference, recipe_spread

from .test_compare import NAMES, SIZES, write_run

RAFDB = np.array([135, 47, 22, 33, 18, 141, 33, 116, 38, 174, 35])
TARGETS = np.repeat(np.arange(len(RAFDB)), RAFDB)


def recipe(folder: Path, name: str, accuracies: list[float], seed: int = 0) -> list[Path]:
    """Write a run for each accuracy, whose hits are drawn."""
    rng = np.random.default_rng(seed)
    return [
        write_run(
            folder / f"{name}{i}",
            {label: {int(j) for j in np.flatnonzero(rng.random(SIZES[label]) < accuracy)} for label in NAMES},
        )
        for i, accuracy in enumerate(accuracies)
    ]


def test_recipes_are_compared_over_seeds(tmp_path: Path, coabench: Run) -> None:
    a, b = recipe(tmp_path, "coa-s", [0.8, 0.82, 0.78]), recipe(tmp_path, "direct-s", [0.4, 0.41], seed=9)
    result = coabench("compare", "--format", "json", *a, "--", *b)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["verdict"].startswith("The recipe coa-s* is better than direct-s* by ")
    assert "over 3 and 2 runs" in found["verdict"]
    uar = found["figures"][0]
    assert uar["a"] == pytest.approx(np.mean(list(found["runs_a"].values())))
    assert uar["a_sd"] == pytest.approx(np.std(list(found["runs_a"].values()), ddof=1))
    assert [figure["label"] for figure in found["figures"]] == [None, None, *NAMES]
    mirrored = json.loads(coabench("compare", "--format", "json", *b, "--", *a).stdout)["figures"][0]
    assert (mirrored["difference"], mirrored["p"]) == (-uar["difference"], uar["p"])
    shown = coabench("compare", *a, "--", *b).stdout
    assert " ± " in shown
    assert "cover other seeds and other samples" in shown


def test_what_are_no_recipes_is_refused(tmp_path: Path, coabench: Run) -> None:
    a, b = recipe(tmp_path, "a", [0.8, 0.82]), recipe(tmp_path, "b", [0.4, 0.41], seed=9)
    for arguments, said in (
        ([*a, "--", b[0]], "the second recipe has 1 run"),
        ([a[0], a[0], "--", *b], "the first recipe has 1 run"),
        ([*a, "--", a[0], b[0]], "a run is in both recipes"),
        ([*a, *b], "4 runs cannot be compared"),
        ([a[0]], "1 run cannot be compared"),
    ):
        result = coabench("compare", *arguments)
        assert result.returncode == 2
        assert said in result.stderr
    assert coabench("compare", a[0], "--", b[0]).returncode == 0


def test_a_recipe_that_is_none_is_named(tmp_path: Path, coabench: Run) -> None:
    a, b = recipe(tmp_path, "a", [0.8, 0.82]), recipe(tmp_path, "b", [0.4, 0.41], seed=9)
    manifest = json.loads((a[1] / "run.json").read_text())
    manifest["identity"]["decode"] = "score"
    (a[1] / "run.json").write_text(json.dumps(manifest))
    assert "The runs of A differ in more than a seed: decode." in coabench("compare", *a, "--", *b).stdout


def simulated(rng: np.random.Generator, runs: int, spread: float, noise: float = 0.5) -> np.ndarray:
    """The shares of the runs of a recipe whose UAR is .6: what each run gets right depends on sample, seed and chance.

    Args:
        spread: the standard deviation of accuracy over seeds.
        noise: how much of what decides about a sample is different in each run.
    """
    latent = np.sqrt(0.7) * rng.standard_normal(TARGETS.size) + np.sqrt(0.3) * rng.standard_normal(TARGETS.size)
    shares = []
    for _ in range(runs):
        own = np.sqrt(1 - noise) * latent + np.sqrt(noise) * rng.standard_normal(TARGETS.size)
        threshold = 0.2533 + rng.normal(0, spread) / 0.3863  # the quantile of .6, and the density there
        shares.append((own < threshold) / (len(RAFDB) * RAFDB[TARGETS]))
    return np.stack(shares)


@pytest.mark.parametrize("spread", [0.0, 0.02])
def test_equal_recipes_are_told_apart_in_5_percent(spread: float) -> None:
    """Five seeds each, of two points' spread; one run each errs more than twice as often."""
    false = single = covered = 0
    for trial in range(1000):
        rng = np.random.default_rng(trial)
        a, b = simulated(rng, 5, spread), simulated(rng, 5, spread)
        false += recipe_difference(a, b, RAFDB).p < 0.05
        single += paired_difference(a[0], b[0], RAFDB).p < 0.05
        low, high = mean_interval(float(a.sum(axis=1).mean()), recipe_spread(a, TARGETS, len(RAFDB)))
        covered += low <= 0.6 <= high
    assert 30 <= false <= 70
    assert covered >= 925
    assert single > 100 if spread else single < 70
