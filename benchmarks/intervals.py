"""How long intervals take: of a run, drawing multinomial counts against resampling rows; of a paired difference.

    python benchmarks/intervals.py [--replicates 10000] [--json FILE]

Both bootstrap UAR and macro-F1 of one run with the size of RAF-DB's compound test set (792 images, 11 classes). The
naive way is timed on a tenth of the replicates and scaled up.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import numpy as np
from command_line import add_json, parser_of, run_benchmark, whole_number
from scale import machine

from coabench.metrics.figures import confusion_matrix, macro_f1, paired_table, uar, uar_difference
from coabench.metrics.statistics import Counts, bootstrap, percentile_interval

SIZES = [135, 47, 22, 33, 18, 141, 33, 116, 38, 174, 35]
K = len(SIZES)


def example() -> tuple[Counts, Counts]:
    """A run with 65 % hits, its errors spread over all classes and INVALID."""
    rng = np.random.default_rng(0)
    targets = np.repeat(np.arange(K), SIZES)
    return targets, np.where(rng.random(targets.size) < 0.65, targets, rng.integers(0, K + 1, targets.size))


def ours(targets: Counts, predictions: Counts, replicates: int) -> None:
    drawn = bootstrap(confusion_matrix(targets, predictions, K), replicates)
    percentile_interval(uar(drawn))
    percentile_interval(macro_f1(drawn))


def difference(targets: Counts, a: Counts, b: Counts, replicates: int) -> None:
    percentile_interval(uar_difference(bootstrap(paired_table(targets, a, b, K), replicates)))


def naive(targets: Counts, predictions: Counts, replicates: int) -> None:
    rng = np.random.default_rng(0)
    classes = [np.flatnonzero(targets == c) for c in range(K)]
    figures = []
    for _ in range(replicates):
        rows = np.concatenate([rng.choice(members, members.size) for members in classes])
        confusion = confusion_matrix(targets[rows], predictions[rows], K)
        figures.append((uar(confusion), macro_f1(confusion)))
    for column in np.array(figures).T:
        percentile_interval(column)


def best_of(times: int, work: Callable[[], None]) -> float:
    """Return the fastest of several timings, in seconds."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--replicates", type=whole_number(10), default=10_000)
    add_json(parser)
    arguments = parser.parse_args()
    told, replicates = machine(), arguments.replicates
    targets, predictions = example()
    taken = {
        "resampling rows": 10 * best_of(2, lambda: naive(targets, predictions, replicates // 10)),
        "multinomial counts": best_of(5, lambda: ours(targets, predictions, replicates)),
        "paired difference": best_of(5, lambda: difference(targets, predictions, np.roll(predictions, 1), replicates)),
    }
    print(", ".join(f"{key} {value}" for key, value in told.items()) + "\n")
    print(f"{replicates} replicates, {targets.size} samples, {K} classes\n\n| what | s | times faster |\n|---|---|---|")
    rows = [
        {"what": what, "seconds": seconds, "times_faster": taken["resampling rows"] / seconds}
        for what, seconds in taken.items()
    ]
    for row in rows:
        print(f"| {row['what']} | {row['seconds']:.3f} | {row['times_faster']:.1f} |")
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": told, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
