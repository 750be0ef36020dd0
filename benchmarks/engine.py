"""What the engine adds to a sample when the backbone answers at once: asking, parsing, the record, the log.

    python benchmarks/engine.py [--samples 20000] [--rounds 3] [--json FILE]

The stages take turns, round by round; the fastest round counts. No pictures are read or decoded: that is measured by
``benchmarks/scale.py``.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from command_line import add_json, parser_of, run_benchmark, whole_number
from scale import BATCH, AtOnce, Numbered, machine, many

from coabench.backbone import BackboneRequest
from coabench.dialogue import Task
from coabench.inference.engine import converse
from coabench.inference.loading import Loaded
from coabench.registry.catalog import find_dataset, open_strategy
from coabench.runs.record import make_record
from coabench.runs.run import Run


class Stages:
    """The work of an evaluation without pictures, up to one stage after another."""

    def __init__(self, samples: int, strategy: str, folder: Path) -> None:
        card = find_dataset("many").card
        self.samples, self.task = Numbered(range(samples), card), Task(card.space)
        self.backbone, self.folder = AtOnce(BackboneRequest()), folder
        self.strategy, _ = open_strategy(strategy)

    def asked(self) -> Iterator[Any]:
        for start in range(0, len(self.samples), BATCH):
            batch = self.samples[start : start + BATCH]
            prepared = [(self.backbone.prepare((), sample.id), self.task) for sample in batch]
            yield batch, converse(self.backbone, self.strategy, prepared)

    def records(self) -> Iterator[list[dict[str, Any]]]:
        loaded = Loaded(None, "0" * 64)
        for batch, outcomes in self.asked():
            yield [
                make_record(sample, loaded, self.task, outcome, None)
                for sample, outcome in zip(batch, outcomes, strict=True)
            ]

    def logged(self) -> Iterator[None]:
        """Every batch is written and synced to disk, as in a run."""
        labels = self.task.space.describe()
        with (
            tempfile.TemporaryDirectory(dir=self.folder) as folder,
            Run(Path(folder) / "run", {"identity": {}, "labels": labels}, [s.id for s in self.samples]) as run,
        ):
            run.start({})
            for records in self.records():
                yield run.append(records)


def seconds(stage: Callable[[], Iterator[Any]]) -> float:
    started = time.perf_counter()
    for _ in stage():
        pass
    return time.perf_counter() - started


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--samples", type=whole_number(), default=20_000)
    parser.add_argument("--rounds", type=whole_number(), default=3)
    parser.add_argument("--strategies", nargs="+", default=["chain-of-affect", "direct"])
    add_json(parser)
    arguments = parser.parse_args()
    told, rows = machine(), []
    with tempfile.TemporaryDirectory() as name, many(Path(name)):
        for strategy in arguments.strategies:
            work = Stages(arguments.samples, strategy, Path(name))
            stages = {"asked and parsed": work.asked, "and as records": work.records, "and in the log": work.logged}
            taken: dict[str, list[float]] = {what: [] for what in stages}
            for _ in range(arguments.rounds):
                for what, stage in stages.items():
                    taken[what].append(seconds(stage))
            first = min(taken["asked and parsed"])
            for what, times in taken.items():
                each = 1e3 * min(times) / arguments.samples
                rows.append({"strategy": strategy, "what": what, "ms a sample": round(each, 4),
                             "ratio": round(min(times) / first, 2)})  # fmt: skip
                print(f"{strategy:20}{what:20}{each:8.4f} ms a sample{min(times) / first:7.2f}", flush=True)
    if arguments.json:
        settings = {"samples": arguments.samples, "batch": BATCH, "rounds": arguments.rounds}
        arguments.json.write_text(json.dumps({"machine": told, **settings, "stages": rows}, indent=2) + "\n")


if __name__ == "__main__":
    run_benchmark(main)
