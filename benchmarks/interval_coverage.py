"""How often intervals hold the truth and tests are wrong, over simulated test sets: the tables of
docs/explanation/coverage.md.

    python benchmarks/interval_coverage.py [--trials 2000] [--json FILE]

Every interval is computed as a run's is, by the functions that coabench uses. A trial draws a test set from known
recalls; the share of trials in which the 95 % interval holds the known truth is its coverage, and should be 95 %.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from command_line import add_json, parser_of, run_benchmark, whole_number
from scale import machine

from coabench.metrics.agreement import krippendorff, others_agreeing
from coabench.metrics.groups import by_attribute
from coabench.metrics.headline import KAPPA, MACRO_F1, UAR, WAR, Headline
from coabench.metrics.predictions import Predicted
from coabench.metrics.statistics import paired_difference, share_mean_interval, student_interval

RAFDB = (135, 47, 22, 33, 18, 141, 33, 116, 38, 174, 35)
"""The classes of RAF-DB compound's test set."""
SCENARIOS: Sequence[tuple[str, Sequence[int], float]] = (
    *(("RAF-DB compound", RAFDB, recall) for recall in (0.5, 0.9, 0.98, 0.995, 0.02)),
    *(("seven classes of 5", (5,) * 7, recall) for recall in (0.5, 0.9, 0.98)),
    ("six classes of 100, one of 2", (100,) * 6 + (2,), 0.8),
    ("two classes, 10 and 90", (10, 90), 0.9),
    ("60 classes of 2", (2,) * 60, 0.6),
)
"""Name, samples per class, recall of every class."""
PAIRS: Sequence[tuple[str, Sequence[int], float, float]] = (
    ("RAF-DB compound", RAFDB, 0.1, 0.1),
    ("RAF-DB compound", RAFDB, 0.2, 0.1),
    ("RAF-DB compound", RAFDB, 0.05, 0.03),
    ("RAF-DB compound, almost the same model", RAFDB, 0.01, 0.01),
    ("RAF-DB compound, almost the same model", RAFDB, 0.005, 0.002),
    ("RAF-DB compound, another model", RAFDB, 0.25, 0.25),
    ("seven classes of 5", (5,) * 7, 0.1, 0.1),
    ("seven classes of 5", (5,) * 7, 0.3, 0.1),
    ("seven classes of 30", (30,) * 7, 0.1, 0.05),
    ("six classes of 100, one of 2", (100,) * 6 + (2,), 0.1, 0.1),
    ("six classes of 100, one of 2", (100,) * 6 + (2,), 0.2, 0.05),
    ("two classes, 10 and 90", (10, 90), 0.1, 0.1),
    ("60 classes of 2", (2,) * 60, 0.1, 0.1),
)
"""Name, samples per class, and how often only the one and only the other run is right."""

Trial = tuple[float | None, float | None, float]
"""The bounds, None where there is no interval, and the truth."""


def predictions(rng: np.random.Generator, sizes: Sequence[int], recall: float) -> Predicted:
    """Draw what a run predicts: right with probability *recall*, else any other class or none."""
    k = len(sizes)
    targets = np.repeat(np.arange(k), sizes)
    wrong = (targets + rng.integers(1, k + 1, targets.size)) % (k + 1)
    return Predicted(tuple(map(str, range(k))), targets, np.where(rng.random(targets.size) < recall, targets, wrong))


def truth_of(figure: Headline, sizes: Sequence[int], recall: float) -> float:
    """Return the figure of a very large test set with these proportions of classes."""
    n, k = np.asarray(sizes, dtype=np.float64), len(sizes)
    confusion = np.zeros((k, k + 1))
    for c in range(k):
        confusion[c] = n[c] * (1 - recall) / k
        confusion[c, c] = n[c] * recall
    assert figure.formula is not None
    return float(figure.formula(confusion))  # type: ignore[arg-type]


def of_runs(figure: Headline, sizes: Sequence[int], recall: float) -> Callable[[np.random.Generator], Trial]:
    truth = truth_of(figure, sizes, recall)

    def trial(rng: np.random.Generator) -> Trial:
        (_, low, high), _ = figure.measure(predictions(rng, sizes, recall))
        return low, high, truth

    return trial


def of_subjects(subjects: int, recall: float, spread: float) -> Callable[[np.random.Generator], Trial]:
    """Persons with three images of each of seven classes; how easy a person is to read varies (beta distribution)."""
    targets = np.tile(np.repeat(np.arange(7), 3), subjects)
    clusters = np.repeat(np.arange(subjects), 21)

    def trial(rng: np.random.Generator) -> Trial:
        easy = rng.beta(recall * spread, (1 - recall) * spread, subjects)
        right = rng.random(targets.size) < easy[clusters]
        run = Predicted(tuple("abcdefg"), targets, np.where(right, targets, 7), clusters)
        (_, low, high), _ = UAR.measure(run)
        return low, high, recall

    return trial


def of_pairs(sizes: Sequence[int], only_a: float, only_b: float) -> Callable[[np.random.Generator], Trial]:
    targets, k = np.repeat(np.arange(len(sizes)), sizes), len(sizes)
    names = tuple(map(str, range(k)))

    def trial(rng: np.random.Generator) -> Trial:
        draw = rng.random(targets.size)
        a, b = (
            Predicted(names, targets, np.where(hit, targets, k))
            for hit in (draw < only_a, (draw >= only_a) & (draw < only_a + only_b))
        )
        found = paired_difference(a.shares, b.shares, a.sizes)
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0), "interval and p-value contradict each other"
        return found.low, found.high, only_a - only_b

    return trial


def of_gaps(groups: Sequence[float]) -> Callable[[np.random.Generator], Trial]:
    """RAF-DB compound's test set, its samples spread over groups with these shares; none is better than another."""

    def trial(rng: np.random.Generator) -> Trial:
        run = predictions(rng, RAFDB, 0.6)
        group = rng.choice(len(groups), size=len(run), p=groups)
        records = (
            {"id": i, "target": str(t), "prediction": str(p) if p < 11 else None,
             "status": "ok" if p < 11 else "invalid", "attributes": {"group": str(g)}}
            for i, (t, p, g) in enumerate(zip(run.targets, run.predictions, group, strict=True))
        )  # fmt: skip
        (found,), _ = by_attribute(records, run.names)
        return (*found.gap.interval, 0.0) if found.gap else (None, None, 0.0)

    return trial


def of_annotators(samples: int, spread: float, alpha: bool) -> Callable[[np.random.Generator], Trial]:
    """Ten votes a sample for eight labels, of unequal frequency; how far annotators agree varies (Dirichlet)."""
    often = np.array([0.35, 0.27, 0.12, 0.12, 0.08, 0.03, 0.02, 0.01])
    agreement = float((often * (often * spread + 1) / (spread + 1)).sum())
    truth = 1 - (1 - agreement) / (1 - float((often**2).sum())) if alpha else agreement

    def trial(rng: np.random.Generator) -> Trial:
        votes = rng.multinomial(10, rng.dirichlet(often * spread, samples)).astype(np.float64)
        bounds = student_interval(*krippendorff(votes)) if alpha else share_mean_interval(others_agreeing(votes))
        return (*bounds, truth) if bounds else (None, None, truth)

    return trial


def work() -> Iterator[tuple[str, str, Callable[[np.random.Generator], Trial]]]:
    for figure in (UAR, WAR, MACRO_F1, KAPPA):
        for name, sizes, recall in SCENARIOS:
            yield figure.title, f"{name}, recall {recall:g}", of_runs(figure, sizes, recall)
    for subjects in (5, 10, 20, 40):
        for recall in (0.6, 0.95):
            yield "UAR over persons", f"{subjects} persons, recall {recall:g}", of_subjects(subjects, recall, 8)
    for name, sizes, only_a, only_b in PAIRS:
        yield "paired difference of UAR", f"{name}, {only_a:g} and {only_b:g}", of_pairs(sizes, only_a, only_b)
    for name, shares in (("two groups", (0.5, 0.5)), ("a large and a small group", (0.85, 0.15)),
                         ("three groups", (0.75, 0.15, 0.1)), ("five ages", (0.1, 0.2, 0.5, 0.15, 0.05))):  # fmt: skip
        yield "gap between groups", name, of_gaps(shares)
    for title, alpha in (("agreement of an annotator", False), ("Krippendorff's alpha", True)):
        for samples in (20, 100, 1000):
            yield title, f"{samples} samples of 10 votes", of_annotators(samples, 0.4, alpha)


def measure(trial: Callable[[np.random.Generator], Trial], trials: int) -> dict[str, Any]:
    """Return coverage and mean width of the intervals, in %, and in how many trials there was none."""
    held, widths = 0, []
    for number in range(trials):
        low, high, truth = trial(np.random.default_rng(number))
        if low is not None and high is not None:
            held += low - 1e-12 <= truth <= high + 1e-12
            widths.append(high - low)
    if not widths:
        return {"coverage": None, "width": None, "without": trials}
    return {"coverage": round(100 * held / len(widths), 2), "width": round(100 * float(np.mean(widths)), 2),
            "without": trials - len(widths)}  # fmt: skip


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--trials", type=whole_number(), default=2000)
    parser.add_argument("--only", action="append", default=[], help="only figures whose name holds this; repeatable")
    add_json(parser)
    arguments = parser.parse_args()
    rows = []
    print("| figure | test set | coverage | mean width | without |\n|---|---|---|---|---|")
    for figure, name, trial in work():
        if not arguments.only or any(part in figure for part in arguments.only):
            rows.append({"figure": figure, "scenario": name, **measure(trial, arguments.trials)})
            row = rows[-1]
            print(f"| {figure} | {name} | {row['coverage']} | {row['width']} | {row['without']} |", flush=True)
    if arguments.json:
        made = {"machine": machine(), "trials": arguments.trials, "level": 95, "rows": rows}
        arguments.json.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
