"""A run of many samples from end to end: seconds, samples a second and peak memory of every job that touches it.

    python benchmarks/scale.py --samples 10000 100000 1000000 [--json FILE]
    python benchmarks/scale.py --samples 1000000 --written --jobs compare load_records

Chain-of-Affect over a data set whose samples exist only as numbers (one 8×8 picture behind all of them), answered at
once by a script, then by ``replay:`` of that run. Each job runs in a process of its own, so that its peak memory is its
own. The logs (1.1 KB a record) lie in a temporary folder: two runs of a million take 2.2 GB. With ``--written`` they
are copies of the records of a small run, written in seconds, for the jobs that only read them.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, overload

from command_line import add_json, existing_folder, parser_of, run_benchmark, whole_number

from coabench.backbone import Backbone, BackboneRequest, Viewing
from coabench.base.version import __version__
from coabench.cli.output import write_json
from coabench.dataset import Card, Check, Dataset, Sample
from coabench.decode import Decode
from coabench.dialogue import Answer, Question
from coabench.evaluation.job import evaluate
from coabench.evaluation.plan import Evaluation
from coabench.inference.loading import load_ahead
from coabench.metrics.summary import summarise
from coabench.registry.catalog import find_dataset
from coabench.reports.compare import compare
from coabench.reports.compare_page import ComparisonPage, comparison_page
from coabench.reports.leaderboard import leaderboard
from coabench.reports.pandas_tables import load_records
from coabench.reports.report import Report, report
from coabench.runs.run import read_manifest, read_records
from coabench.scoring.job import score
from coabench.scoring.request import Scoring
from coabench.testing import registered

CARD = """
schema: 1
name: many
loader: many
labels:
  space: many
  classes:
    - {name: Happily Surprised, code: 1, pair: [Happiness, Surprise]}
    - {name: Happily Disgusted, code: 2, pair: [Happiness, Disgust]}
    - {name: Sadly Fearful, code: 3, pair: [Sadness, Fear]}
    - {name: Sadly Angry, code: 4, pair: [Sadness, Anger]}
    - {name: Sadly Surprised, code: 5, pair: [Sadness, Surprise]}
    - {name: Sadly Disgusted, code: 6, pair: [Sadness, Disgust]}
    - {name: Fearfully Angry, code: 7, pair: [Fear, Anger]}
    - {name: Fearfully Surprised, code: 8, pair: [Fear, Surprise]}
    - {name: Angrily Surprised, code: 9, pair: [Anger, Surprise]}
    - {name: Angrily Disgusted, code: 10, pair: [Anger, Disgust]}
    - {name: Disgustedly Surprised, code: 11, pair: [Disgust, Surprise]}
  basic: [Surprise, Fear, Disgust, Happiness, Sadness, Anger, Neutral]
  neutral: Neutral
splits: [test]
"""

BATCH = 32
ALIKE, SMALL = 66, 66 * 20
"""Samples so far apart have the same label and attributes; the samples of a run whose records are copied."""


@cache
def picture() -> bytes:
    """A picture as small as they come."""
    from PIL import Image

    data = io.BytesIO()
    Image.new("RGB", (8, 8), (120, 90, 60)).save(data, "PNG")
    return data.getvalue()


@dataclass(frozen=True)
class OnePicture:
    """An image source that needs no file."""

    name: str

    def read(self) -> bytes:
        return picture()

    def size(self) -> int:
        return len(picture())


class Numbered(Sequence[Sample]):
    """Samples made when they are asked for: a data set as large as one likes that takes no room."""

    def __init__(self, numbers: range, card: Card) -> None:
        self.numbers, self.card = numbers, card

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, which: int) -> Sample: ...
    @overload
    def __getitem__(self, which: slice) -> Numbered: ...
    def __getitem__(self, which: int | slice) -> Sample | Numbered:
        if isinstance(which, slice):
            return Numbered(self.numbers[which], self.card)
        number = self.numbers[which]
        names = self.card.space.names
        told = {"gender": ("female", "male")[number // 11 % 2], "age": ("0–3", "4–19", "20–39")[number // 22 % 3]}
        return Sample(f"many/test_{number:07}", OnePicture(f"test_{number:07}.png"), names[number % 11], "test", told)


class Many(Dataset):
    """``--set samples=N`` samples."""

    needs_root = False

    @dataclass(frozen=True)
    class Options(Dataset.Options):
        samples: int = 1000

    def __init__(self, card: Card, root: Path | None, options: Many.Options) -> None:
        self.card, self.options = card, options

    def samples(self, split: str) -> Sequence[Sample]:
        return Numbered(range(self.options.samples), self.card)

    def identity(self) -> Mapping[str, Any]:
        return {"samples": self.options.samples}

    def verify(self) -> list[Check]:
        return []


class AtOnce(Backbone[int]):
    """Answers without looking: of ten samples seven right, one another label, one repeated, one unparsed."""

    def __init__(self, request: BackboneRequest) -> None:
        self.pairs = [tuple(pair) for pair in find_dataset("many").card.space.describe()["pairs"].values()]

    def identity(self) -> Mapping[str, Any]:
        return {}

    def prepare(self, images: Sequence[Any], sample: str | None = None) -> int:
        return int((sample or "0")[-7:])

    def look(self, batch: Sequence[int]) -> Viewing:
        return _AtOnce(batch, self.pairs)


class _AtOnce(Viewing):
    def __init__(self, batch: Sequence[int], pairs: Sequence[Sequence[str]]) -> None:
        self.answers = [self._answers(number, pairs) for number in batch]
        self.asked = 0

    @staticmethod
    def _answers(number: int, pairs: Sequence[Sequence[str]]) -> Sequence[str]:
        first, second = pairs[number % 11]
        other = pairs[(number + 1) % 11]
        kind = number * 2654435761 % 4294967296 * 10 // 4294967296
        return {7: other, 8: (first, first), 9: ("I cannot tell.", "")}.get(kind, (first, second))

    def ask(self, questions: Sequence[Question | None], decode: Decode = "generate") -> Sequence[Answer | None]:
        turn, self.asked = self.asked, self.asked + 1
        return [
            q and Answer(answers[turn], prompt_tokens=104, new_tokens=3)
            for q, answers in zip(questions, self.answers, strict=True)
        ]


@contextmanager
def many(folder: Path) -> Iterator[None]:
    """Register the data set and the backbone of this benchmark."""
    card = folder / "many.yaml"
    card.write_text(CARD, encoding="utf-8")
    with registered("datasets", "many", Many, card=card), registered("backbones", "at-once", AtOnce):
        yield


# ---- the jobs, each called in a process of its own with (folder, samples) ----


def _evaluation(folder: Path, samples: int, backbone: str, output: str) -> Evaluation:
    return Evaluation(
        backbone, "chain-of-affect", "many", options={"samples": str(samples)}, output=folder / output, batch_size=BATCH
    )


def evaluate_at_once(folder: Path, samples: int) -> None:
    evaluate(_evaluation(folder, samples, "at-once", "asked"))


def evaluate_replay(folder: Path, samples: int) -> None:
    evaluate(_evaluation(folder, samples, f"replay:{folder / 'asked'}", "replayed"))


def resume(folder: Path, samples: int) -> None:
    """Go on with a run of which the last record is missing: the log is read twice, then once for the metrics."""
    run = folder / "asked"
    with (run / "predictions.jsonl").open("rb+") as file:
        file.seek(-6000, os.SEEK_END)
        last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
        file.truncate((run / "predictions.jsonl").stat().st_size - len(last) - 1)
    manifest = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(manifest | {"status": "running"}))
    evaluate(_evaluation(folder, samples, "at-once", "asked"))


def metrics(folder: Path, samples: int) -> None:
    directory = folder / "asked"
    summarise(read_records(directory), read_manifest(directory)["labels"])


def make_report(folder: Path, samples: int) -> None:
    (folder / "page.html").write_text(report(Report(folder / "asked")), encoding="utf-8")


def board(folder: Path, samples: int) -> None:
    """The leaderboard of both runs; the second time nothing has changed."""
    os.environ["COABENCH_CACHE"] = str(folder / "cache")
    leaderboard(folder)


def compare_runs(folder: Path, samples: int) -> None:
    compare(folder / "asked", folder / "replayed")


def compare_as_json(folder: Path, samples: int) -> None:
    write_json(compare(folder / "asked", folder / "replayed").as_json(), folder / "compared.json")


def compare_as_page(folder: Path, samples: int) -> None:
    page = comparison_page(ComparisonPage(folder / "asked", folder / "replayed"))
    (folder / "compared.html").write_text(page, encoding="utf-8")


def frame(folder: Path, samples: int) -> None:
    """The run as a pandas table, which stays in memory."""
    assert len(load_records(folder / "asked")) == samples


def score_file(folder: Path, samples: int) -> None:
    """A table of ids, targets and predictions becomes a run."""
    score(Scoring(folder / "table.csv", labels=str(folder / "many.yaml"), output=folder / "scored"))


def write_table(folder: Path, samples: int) -> None:
    """Write the table that is scored: every seventh prediction is another label."""
    names = find_dataset("many").card.space.names
    with (folder / "table.csv").open("w", encoding="utf-8") as file:
        file.write("id,target,prediction\n")
        for i in range(samples):
            file.write(f"many/test_{i:07},{names[i % 11]},{names[(i + (i % 7 == 0)) % 11]}\n")


def write_runs(folder: Path, samples: int) -> None:
    """Write two runs whose records are those of a small one, under their own ids; they differ in some answers."""
    evaluate(_evaluation(folder, SMALL, "at-once", "asked"))
    shutil.copytree(folder / "asked", folder / "replayed")
    lines = (folder / "asked" / "predictions.jsonl").read_bytes().splitlines(keepends=True)
    manifest = json.loads((folder / "asked" / "run.json").read_text())
    manifest["identity"]["dataset"]["samples"] = samples
    for run, shift in (("asked", 0), ("replayed", ALIKE)):
        with (folder / run / "predictions.jsonl").open("wb") as file:
            for i in range(samples):
                copied = (i + shift) % SMALL
                file.write(lines[copied].replace(b"test_%07d" % copied, b"test_%07d" % i))
        (folder / run / "metrics.json").unlink()
        (folder / run / "run.json").write_text(json.dumps(manifest))


def images(folder: Path, samples: int) -> None:
    """What every evaluation does before it asks: read and decode the pictures, in threads."""
    sources = (sample.image for sample in Numbered(range(samples), find_dataset("many").card))
    for _ in load_ahead(sources, lambda position, image: None, ahead=2 * BATCH):
        pass


PREPARATIONS: dict[str, Callable[[Path, int], None]] = {"written": write_runs, "table": write_table}
JOBS: dict[str, Callable[[Path, int], None]] = {
    "evaluate, answered at once": evaluate_at_once,
    "evaluate, replay": evaluate_replay,
    "go on after the last but one": resume,
    "metrics": metrics,
    "report": make_report,
    "leaderboard, first": board,
    "leaderboard, second": board,
    "compare": compare_runs,
    "compare, json": compare_as_json,
    "compare, page": compare_as_page,
    "load_records": frame,
    "score": score_file,
    "images alone": images,
}


def child(job: str, folder: Path, samples: int) -> None:
    with many(folder):
        started, processor = time.perf_counter(), time.process_time()
        (JOBS | PREPARATIONS)[job](folder, samples)
        seconds, processor = time.perf_counter() - started, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": round(seconds, 2), "processor seconds": round(processor, 2), "peak MiB": round(peak)}))


def measure(folder: Path, samples: int, jobs: Sequence[str]) -> list[dict[str, Any]]:
    """Run every job in a process of its own."""
    rows = []
    for job in jobs:
        command = [sys.executable, __file__, "--job", job, "--folder", str(folder), "--samples", str(samples)]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        if job in PREPARATIONS:
            continue
        rate = samples / max(found["seconds"], 1e-9)
        each = {"samples/s": round(rate), "ms a sample": round(1e3 / rate, 4)}
        rows.append({"job": job, "samples": samples, **found, **each})
        seconds, peak = found["seconds"], found["peak MiB"]
        processor = found["processor seconds"]
        print(
            f"{job:32}{samples:>10,}{seconds:>9.1f} s{processor:>9.1f} s cpu{rate:>9,.0f}/s{peak:>7,} MiB", flush=True
        )
    return rows


def machine() -> dict[str, Any]:
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    return {
        "processor": model.partition(":")[2].strip() or platform.processor(),
        "cores": os.cpu_count(),
        "load before": round(os.getloadavg()[0], 2),
        "Python": platform.python_version(),
        "coabench": __version__,
        "date": datetime.now(UTC).date().isoformat(),
    }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--samples", type=whole_number(), nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--folder", type=existing_folder, help="where to make the runs; a temporary folder by default")
    add_json(parser)
    parser.add_argument("--written", action="store_true", help="copy the records of a small run")
    parser.add_argument("--jobs", nargs="+", choices=list(JOBS), default=list(JOBS))
    parser.add_argument("--job", choices=[*JOBS, *PREPARATIONS], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        child(arguments.job, arguments.folder, arguments.samples[0])
        return
    told, rows = machine(), []
    for samples in arguments.samples:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            first = [*(["written"] if arguments.written else []), *(["table"] if "score" in arguments.jobs else [])]
            rows += measure(Path(folder), samples, [*first, *arguments.jobs])
        if arguments.json:
            arguments.json.write_text(json.dumps({"machine": told, "jobs": rows}, indent=2) + "\n")


if __name__ == "__main__":
    run_benchmark(main)
