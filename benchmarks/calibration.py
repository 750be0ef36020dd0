"""How often the intervals of the figures of confidence hold the truth: the last tables of
docs/explanation/calibration.md.

    python benchmarks/calibration.py [--trials 400] [--json FILE]

A trial draws the confidences of a test set, and what is right from known chances, and computes the interval as a run's
is. The truth is that of a very large test set drawn in the same way. *By chance* is the mean of what is printed as
that, beside the mean error of calibrated models: the two should agree.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from command_line import add_json, parser_of, run_benchmark, whole_number
from interval_coverage import Trial, measure
from scale import machine

from coabench.metrics.calibration import calibrate
from coabench.metrics.distributions import mean_value_interval

Values = npt.NDArray[np.float64]

CONFIDENCES: dict[str, Callable[[np.random.Generator, int], Values]] = {
    "confidences anywhere in 0.2…1": lambda rng, n: rng.uniform(0.2, 1, n),
    "confidences near 1": lambda rng, n: 1 - rng.beta(0.5, 6, n),
}
CHANCES: dict[str, Callable[[Values], Values]] = {
    "calibrated": lambda c: c,
    "3 % too sure": lambda c: 0.97 * c,
    "10 points too sure": lambda c: np.maximum(c - 0.1, 0),
    "not sure enough": np.sqrt,
    "too sure above 0.5, not below": lambda c: 0.5 + 0.6 * (c - 0.5),
}
SIZES = (100, 792)
LARGE = 2_000_000
IMAGES = 20
"""Of each person."""


def error(c: Values, chance: Values) -> float:
    """Return the calibration error of a test set whose chances are known."""
    place = np.maximum(np.ceil(c * 10).astype(int) - 1, 0)
    return float(np.abs(np.bincount(place, weights=chance - c)).sum() / len(c))


@cache
def true_error(confidences: str, chances: str, spread: float = 0.0) -> float:
    rng = np.random.default_rng(2**32)
    c = CONFIDENCES[confidences](rng, LARGE)
    return error(c, shifted(CHANCES[chances](c), spread * rng.standard_normal(LARGE)))


def shifted(chance: Values, by: Values) -> Values:
    """Return chances with their log-odds shifted."""
    kept = np.clip(chance, 1e-9, 1 - 1e-9)
    return 1 / (1 + (1 / kept - 1) * np.exp(-by))


def of_errors(confidences: str, chances: str, n: int, spread: float = 0.0) -> Callable[[np.random.Generator], Trial]:
    """Independent samples, or with a *spread* n persons, some easier to read than others."""

    def trial(rng: np.random.Generator) -> Trial:
        images = n * IMAGES if spread else n
        c = CONFIDENCES[confidences](rng, images)
        clusters = np.repeat(np.arange(n), IMAGES) if spread else None
        by = np.repeat(spread * rng.standard_normal(n), IMAGES) if spread else np.zeros(n)
        right = rng.random(images) < shifted(CHANCES[chances](c), by)
        low, high = calibrate(c, right, clusters=clusters).interval or (None, None)
        return low, high, true_error(confidences, chances, spread)

    return trial


def draw_scores(rng: np.random.Generator, n: int, temperature: float, labels: int = 7) -> tuple[Values, Values]:
    """Return Brier score and log loss of n samples whose log-probabilities are those of the truth, times a number."""
    logits = 3 * rng.standard_normal((n, labels))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    sharp = np.exp(logits / temperature)
    stated = sharp / sharp.sum(axis=1, keepdims=True)
    target = (true.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=labels - 1)
    of_target = stated[np.arange(n), target]
    return (stated**2).sum(axis=1) - 2 * of_target + 1, -np.log(of_target)


@cache
def true_scores(temperature: float) -> tuple[float, float]:
    brier, nll = draw_scores(np.random.default_rng(2**32), LARGE // 4, temperature)
    return float(brier.mean()), float(nll.mean())


def of_scores(which: int, n: int, temperature: float) -> Callable[[np.random.Generator], Trial]:
    def trial(rng: np.random.Generator) -> Trial:
        values = draw_scores(rng, n, temperature)[which]
        low, high = mean_value_interval(values, None) or (None, None)
        return low, high, true_scores(temperature)[which]

    return trial


def work() -> Iterator[tuple[str, str, Callable[[np.random.Generator], Trial]]]:
    for confidences in CONFIDENCES:
        for chances in CHANCES:
            for n in SIZES:
                yield "calibration error", f"{n} samples, {confidences}, {chances}", of_errors(confidences, chances, n)
    for persons in (5, 10, 40):
        for chances in ("calibrated", "10 points too sure", "not sure enough"):
            name = f"{persons} persons, {next(iter(CONFIDENCES))}, {chances}"
            yield "calibration error over persons", name, of_errors(next(iter(CONFIDENCES)), chances, persons, 0.8)
    for which, figure in enumerate(("Brier score", "negative log-likelihood")):
        for temperature, name in ((1.0, "calibrated"), (0.5, "too sure")):
            for n in (30, 100, 792):
                yield figure, f"{n} samples, {name}", of_scores(which, n, temperature)


def by_chance(trials: int) -> Iterator[dict[str, Any]]:
    """Yield what calibrated models show on average, and what is printed as that."""
    for confidences, draw in CONFIDENCES.items():
        for n in SIZES:
            found = []
            for number in range(trials):
                rng = np.random.default_rng(number)
                c = draw(rng, n)
                found.append(calibrate(c, rng.random(n) < c))
            yield {
                "scenario": f"{n} samples, {confidences}",
                "error": round(100 * float(np.mean([it.ece for it in found])), 2),
                "by_chance": round(100 * float(np.mean([it.chance for it in found])), 2),
                "above": round(100 * float(np.mean([it.ece > it.chance_high for it in found])), 2),
            }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--trials", type=whole_number(), default=400)
    add_json(parser)
    arguments = parser.parse_args()
    rows, chance = [], []
    print("| calibrated model | mean error | by chance | above the bound |\n|---|---|---|---|")
    for row in by_chance(arguments.trials):
        chance.append(row)
        print(f"| {row['scenario']} | {row['error']} | {row['by_chance']} | {row['above']} |", flush=True)
    print("\n| figure | test set | coverage | mean width | without |\n|---|---|---|---|---|")
    for figure, name, trial in work():
        rows.append({"figure": figure, "scenario": name, **measure(trial, arguments.trials)})
        row = rows[-1]
        print(f"| {figure} | {name} | {row['coverage']} | {row['width']} | {row['without']} |", flush=True)
    if arguments.json:
        made = {"machine": machine(), "trials": arguments.trials, "level": 95, "chance": chance, "rows": rows}
        arguments.json.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
