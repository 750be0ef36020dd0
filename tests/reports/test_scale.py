"""Runs as large as one likes: memory that does not grow with the records, and pages that say what they leave out."""

from __future__ import annotations

import json
import re
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from coabench_replay.log import Log
from support.report_run import NAMES, record, records, write_run

from coabench.base import jsonlines
from coabench.base.reading import open_file
from coabench.cli.report import command
from coabench.metrics.predictions import Predicted
from coabench.metrics.summary import summarise
from coabench.reports.compare import compare
from coabench.reports.report import Report, report
from coabench.reports.report_data import RunData, evenly
from coabench.runs import stored

LABELS = {"names": NAMES, "pairs": {}, "basic": []}


def many(n: int) -> Iterator[dict[str, Any]]:
    for i in range(n):
        yield record(i, NAMES[i % 3], ("Happiness", "Surprise")) | {"attributes": {}}


def peak(n: int) -> int:
    tracemalloc.start()
    try:
        summarise(many(n), LABELS)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_metrics_keep_a_few_bytes_of_a_record() -> None:
    """A record takes some thousands of bytes; the replicates of the bootstrap take the same whatever their number."""
    summarise(many(10), LABELS)  # what is imported and compiled on first use
    few, more = peak(2_000), peak(12_000)
    assert more - few < 10_000 * 100


def test_an_index_takes_16_bytes_a_record_and_finds_each(tmp_path: Path) -> None:
    given = records(400)
    log = Log.read(write_run(tmp_path / "run", given))
    assert log.index._hashes.nbytes + log.index._starts.nbytes == 16 * len(given)
    for wanted in reversed(given):
        found = log.find(wanted["id"])
        assert found is not None
        assert found.id == wanted["id"]
        said = [answer.response for answers in found.answers.values() for answer in answers]
        assert said == [turn["response"] for turn in wanted["turns"]]
    assert log.find("toy/another") is None


def test_of_a_sample_that_stands_twice_the_last_record_counts(tmp_path: Path) -> None:
    first, again = record(1, NAMES[0], ("Happiness", "Fear")), record(1, NAMES[0], ("Sadness", "Fear"))
    log = Log.read(write_run(tmp_path / "run", [first, record(2, NAMES[1], ("Anger", "Fear")), again]))
    found = log.find(first["id"])
    assert found is not None
    assert [answers[0].response for answers in found.answers.values()] == ["Sadness", "Fear"]


def test_a_part_numbers_its_subjects_as_if_it_were_read_alone() -> None:
    rng = np.random.default_rng(0)
    whole = [r | {"attributes": {"subject": f"s{rng.integers(9)}"}} for r in records(60)]
    places = np.array([50, 3, 8, 21, 22, 40])
    part, alone = Predicted.of(whole, NAMES).part(places), Predicted.of([whole[i] for i in places], NAMES)
    assert (part.targets == alone.targets).all()
    assert part.clusters is not None
    assert part.clusters.tolist() == alone.clusters.tolist()  # type: ignore[union-attr]


@pytest.mark.parametrize("most", [0, 5, 17, 99])
def test_the_choice_takes_rare_cells_whole_and_the_same_of_the_others(most: int) -> None:
    cells = np.array([0] * 80 + [1] * 3 + [2] * 17)
    chosen, each = evenly(cells, np.arange(100), most)
    assert each is not None
    assert Counter(cells[chosen].tolist()) == Counter(
        {cell: min(n, each) for cell, n in ((0, 80), (1, 3), (2, 17)) if each}
    )
    assert most - 3 < len(chosen) <= most
    assert chosen.tolist() == sorted(set(chosen.tolist()))


def shown(html: str) -> list[str]:
    data = re.search(r'id="samples-data">(.*?)</script>', html)
    assert data is not None
    ids: list[str] = json.loads(data[1])["id"]
    return ids


def test_a_page_that_does_not_hold_every_sample_says_so_and_its_figures_are_over_all(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", records(90))
    whole, part = report(Report(run)), report(Report(run, samples=30))
    assert "This page holds" not in whole
    assert f"This page holds {len(shown(part))} of the 90 samples." in part
    assert 20 < len(shown(part)) <= 30
    assert [i for i in shown(whole) if i in set(shown(part))] == shown(part)  # in the order of the run
    summary = slice(whole.index('<section id="summary"'), whole.index('<section id="samples">'))
    assert whole[summary] == part[summary]
    assert part == report(Report(run, samples=30))


def test_a_page_of_what_went_wrong(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", records(90))
    file = tmp_path / "page.html"
    result = CliRunner().invoke(command, [str(run), "--output", str(file), "--only", "wrong", "--only", "invalid"])
    assert result.exit_code == 0, result.exception
    html = file.read_text(encoding="utf-8")
    assert "This page holds 27 of the 90 samples, of those that are wrong or invalid." in html
    assert len(shown(html)) == 27


def test_a_comparison_reads_each_log_once_and_keeps_a_few_bytes_of_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "KEPT", 0)
    opened: list[Path] = []
    monkeypatch.setattr(jsonlines, "open_file", lambda path: opened.append(path) or open_file(path))
    taken = []
    for n in (300, 900):
        few, many = (write_run(tmp_path / f"{name}{n}", [r | {"attributes": {}} for r in records(n)]) for name in "ab")
        compare(few, many)
        opened.clear()
        tracemalloc.start()
        compare(few, many)
        taken.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert opened == [few / "predictions.jsonl", many / "predictions.jsonl"]
    assert taken[1] - taken[0] < 600 * 400


def test_what_is_gathered_is_little(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [r | {"attributes": {"gender": "male"}} for r in records(1000)])
    RunData(run, NAMES)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    gathered = RunData(run, NAMES)
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(gathered) == 1000
    assert kept < 1000 * 400  # the quoted examples, some 60 KB, among them
