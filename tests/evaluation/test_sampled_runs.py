"""``--decode sample`` from the command line, with the model that ships: whatever the batch, the order or a stop."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.few_faces import few_faces
from support.in_process import in_process
from support.process import Run
from support.runs import manifest, records, untimed

from coabench.evaluation.job import evaluate
from coabench.evaluation.plan import Evaluation, check
from coabench.metrics.calibration import confidence_of
from coabench.reports.report_data import RunData
from coabench.runs.identity import RunIdentity
from coabench.sweep.plan import make_plan
from coabench.sweep.sheet import read_sheet

SAMPLES = 5
COMMAND = ("evaluate", "--adapter", "none", "--limit", "9", "--decode", "sample", "--temperature", "1.5")
COMMAND = (*COMMAND, "--top-p", "0.95", "--samples", SAMPLES)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few_faces(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sampled")
    result = in_process(folder, [], {})(*COMMAND, "--batch-size", "8", "--output", "run")
    assert result.returncode == 0, result.stderr
    return folder / "run"


def test_a_record_holds_the_vote_and_every_dialogue(run: Path) -> None:
    found = records(run)
    assert any(len(record["details"]["votes"]) > 1 for record in found)  # or this would show nothing
    for record in found:
        details, paths = record["details"], record["paths"]
        assert len(paths) == details["samples"] == SAMPLES
        assert details["votes"] == Counter(path["prediction"] for path in paths if path["prediction"])
        assert details["unlabelled"] == sum(path["prediction"] is None for path in paths)
        if record["status"] == "ok":
            assert details["votes"][record["prediction"]] == max(details["votes"].values())
            assert confidence_of(record) == details["votes"][record["prediction"]] / SAMPLES
        own = paths[details["path"]]
        assert (own["prediction"], own["reason"]) == (record["prediction"], record["reason"])
        assert [turn["response"] for turn in own["turns"]] == [turn["response"] for turn in record["turns"]]
        assert all("prompt" not in turn for path in paths for turn in path["turns"])
        assert all(path["turns"][0]["cached_tokens"] for path in paths[1:])  # the image is looked at once


def test_the_batch_changes_nothing(run: Path, coabench: Run, tmp_path: Path) -> None:
    for size in ("1", "4"):
        assert coabench(*COMMAND, "--batch-size", size, "--output", size).returncode == 0
        assert said(tmp_path / size) == said(run)


def said(run: Path) -> list[Any]:
    """The records without times and what was kept of earlier prompts."""
    lines = untimed(run)
    for line in lines:
        for turn in [*line["turns"], *(turn for path in line["paths"] for turn in path["turns"])]:
            del turn["cached_tokens"]
    return lines


def test_a_stopped_run_draws_on(run: Path, coabench: Run, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    log = tmp_path / "run" / "predictions.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:4]))
    facts = manifest(run)
    (tmp_path / "run" / "run.json").write_text(json.dumps({**facts, "status": "stopped"}))
    assert coabench(*COMMAND, "--batch-size", "3", "--output", "run").returncode == 0
    assert said(tmp_path / "run") == said(run)


def test_more_samples_begin_with_the_same(run: Path, coabench: Run, tmp_path: Path) -> None:
    assert coabench(*COMMAND, "--samples", "2", "--output", "fewer").returncode == 0
    assert [line["paths"] for line in said(tmp_path / "fewer")] == [line["paths"][:2] for line in said(run)]


def test_another_seed_draws_otherwise_and_is_the_same_recipe(faces: Path, coabench: Run, tmp_path: Path) -> None:
    def ask(seed: int) -> list[Any]:
        request = Evaluation("tiny", "direct", "synthface-compound", "none", faces, decode="sample", temperature=2.0)
        evaluate(replace(request, samples=2, seed=seed, output=tmp_path / "runs" / str(seed)))
        found = records(tmp_path / "runs" / str(seed))
        return [[turn["response"] for path in record["paths"] for turn in path["turns"]] for record in found]

    first, second = ask(0), ask(1)
    assert len(first) == len(second) == 11
    assert sum(one != other for one, other in zip(first, second, strict=True)) > 5
    evaluate(
        Evaluation("tiny", "direct", "synthface-compound", "none", faces, decode="sample", samples=3,
                   output=tmp_path / "runs" / "three")
    )  # fmt: skip
    table = coabench("leaderboard", "runs").stdout
    assert table.count("direct, sample") == 3
    assert "self-consistency.samples=3" in table or "samples=3" in table
    recipes = coabench("leaderboard", "runs", "--over", "seed").stdout
    assert recipes.count("direct, sample") == 2


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["--temperature", "0.7"], "--temperature needs --decode sample"),
        (["--samples", "3", "--top-p", "0.9"], "--top-p, --samples need --decode sample"),
        (["--decode", "score", "--samples", "3"], "--samples needs --decode sample"),
        (["--decode", "sample", "--temperature", "0"], "--temperature 0.0 makes no sense"),
        (["--decode", "sample", "--temperature", "nan"], "--temperature nan makes no sense"),
        (["--decode", "sample", "--top-p", "1.5"], "--top-p 1.5 makes no sense"),
        (["--decode", "sample", "--samples", "65"], "--samples 65 makes no sense"),
        (["--decode", "sample", "--backbone", "scripted"], "cannot answer the question 'primary'"),
    ],
)
def test_what_has_no_effect_or_makes_no_sense_is_refused(
    typed: list[str], words: str, coabench: Run, tmp_path: Path
) -> None:
    result = coabench("evaluate", *typed, "--output", "run")
    assert result.returncode == 2
    assert words in result.stderr
    assert not (tmp_path / "run").exists()


def test_it_is_part_of_the_identity_where_it_decides_and_nowhere_else(run: Path) -> None:
    identity = manifest(run)["identity"]
    assert identity["decode"] == "sample"
    assert identity["self_consistency"] == {"temperature": 1.5, "top_p": 0.95, "samples": SAMPLES}
    read = RunIdentity.read(identity)
    assert read.to_json() == identity
    assert dict(read.describe())["Decode"] == "sample (5 paths, temperature 1.5, top-p 0.95)"
    assert read.columns()["settings"]["self-consistency.temperature"] == 1.5
    plain = check(Evaluation("tiny", "direct", "synthface-basic", limit=2)).identity.to_json()
    assert "self_consistency" not in plain
    scored = check(Evaluation("tiny", "pair-scores", "synthface-compound", limit=2, decode="sample", samples=3))
    assert scored.sampling is None
    assert "self_consistency" not in scored.identity.to_json()


def test_the_report_takes_the_agreement_for_confidence_and_counts_every_answer(
    run: Path, coabench: Run, tmp_path: Path
) -> None:
    data, found = RunData(run, manifest(run)["labels"]["names"]), records(run)
    assert data.confidence is not None
    calibration = data.confidence.calibration

    sure = [record["details"]["confidence"] for record in found if record["status"] == "ok"]
    assert calibration.n == len(sure)
    assert calibration.confidence == pytest.approx(sum(sure) / len(sure))
    new = [sum(turn["new_tokens"] for path in record["paths"] for turn in path["turns"]) for record in found]
    assert list(data.tokens["new_tokens"]) == new
    assert coabench("report", run, "--output", "page.html").returncode == 0
    assert "sample (5 paths, temperature 1.5, top-p 0.95)" in (tmp_path / "page.html").read_text()


def test_it_can_neither_be_replayed_nor_rescored(run: Path, coabench: Run, tmp_path: Path) -> None:
    result = coabench("evaluate", "--backbone", f"replay:{run}", "--output", "again")
    assert result.returncode == 2
    assert "was sampled and cannot be replayed" in result.stderr
    result = coabench("score", run, "--parser", "lenient", "--output", "again")
    assert result.returncode == 2
    assert "its labels are voted among sampled dialogues" in result.stderr
    assert not (tmp_path / "again").exists()


def test_a_sheet_sweeps_over_it(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.yaml"
    sheet.write_text("defaults: {decode: sample, limit: 2}\naxes: {temperature: [0.5, 1], samples: [2, 3]}\n")
    plan = make_plan(read_sheet(sheet), probe=True)
    assert [run.identity.self_consistency.to_json() for run in plan.runs if run.identity.self_consistency] == [
        {"temperature": t, "top_p": 1.0, "samples": n} for t in (0.5, 1) for n in (2, 3)
    ]
    assert len({run.request.output for run in plan.runs}) == 4
    two, three = plan.runs[:2]
    assert two.tokens is not None
    assert three.tokens is not None
    assert (two.questions, three.questions) == (4, 6)
    assert three.tokens / two.tokens == 1.5


def test_a_comparison_says_how_either_was_asked(run: Path, coabench: Run) -> None:
    options = ("--adapter", "none", "--limit", "9", "--output", "greedy")
    assert coabench("evaluate", *options).returncode == 0
    compared = " ".join(coabench("compare", run, "greedy").stdout.split())
    assert "A with --decode sample (5 paths, temperature 1.5, top-p 0.95); B with --decode generate." in compared
