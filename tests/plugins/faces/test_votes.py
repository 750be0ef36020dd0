"""FERPlus's votes, all the way: from its file to records, identity, figures and pages."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.faces_trees import ferplus
from support.process import Run
from support.runs import manifest, metrics, records

from coabench import load_records, load_runs

WHERE = ("--dataset", "ferplus", "--data-root", "data")
EVALUATE = ("evaluate", "--backbone", "scripted", "--strategy", "direct", *WHERE)
TABLE = "data/fer2013new.csv"


@pytest.fixture
def run(coabench: Run, tmp_path: Path) -> Path:
    """A run on the test split: the label is Neutral, Happiness, Surprise, Contempt."""
    ferplus(tmp_path / "data")
    result = coabench(*EVALUATE, "--output", "run")
    assert result.returncode == 0, result.stderr
    return tmp_path / "run"


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_they_are_recorded_as_the_file_has_them(run: Path) -> None:
    votes = {record["target"]: record["votes"] for record in records(run)}
    assert votes["Neutral"] == {"Neutral": 9, "Sadness": 1} | dict.fromkeys(
        ("Happiness", "Surprise", "Anger", "Disgust", "Fear", "Contempt"), 0
    )
    assert sum(votes["Surprise"].values()) == 10  # single votes too, which its rule for the label drops
    assert sum(votes["Contempt"].values()) == 8  # two of the ten chose "unknown"
    table = load_records(run)
    assert table["votes.Contempt"].tolist() == [record["votes"]["Contempt"] for record in records(run)]


def test_a_run_does_not_go_on_with_other_votes(run: Path, coabench: Run, tmp_path: Path) -> None:
    log = (run / "predictions.jsonl").read_bytes()
    change(tmp_path / TABLE, "9,0,0,1,0", "8,0,0,2,0")  # the label is the same
    result = coabench(*EVALUATE, "--output", "run")
    assert result.returncode == 2
    assert "dataset.votes: " in result.stderr
    assert (run / "predictions.jsonl").read_bytes() == log


def test_a_file_about_its_samples_has_them(run: Path, coabench: Run, tmp_path: Path) -> None:
    rows = [json.dumps({"id": record["id"], "prediction": "Neutral"}) for record in records(run)]
    (tmp_path / "p.jsonl").write_text("\n".join(rows))
    for samples in (("--like", "run"), WHERE):
        result = coabench("score", "p.jsonl", *samples, "--output", f"scored{samples[0]}")
        assert result.returncode == 0, result.stderr
        assert [r["votes"] for r in records(tmp_path / f"scored{samples[0]}")] == [r["votes"] for r in records(run)]
        recorded = manifest(tmp_path / f"scored{samples[0]}")["identity"]["dataset"]["votes"]
        assert recorded == manifest(run)["identity"]["dataset"]["votes"]


def test_a_run_that_0_1_0_began_goes_on_without_them(run: Path, coabench: Run) -> None:
    written, lines = manifest(run), records(run)
    del written["identity"]["dataset"]["votes"], written["identity"]["images"]
    (run / "run.json").write_text(json.dumps(written | {"status": "running"}))
    for record in lines:
        del record["votes"]
    (run / "predictions.jsonl").write_text(json.dumps(lines[0]) + "\n")
    result = coabench(*EVALUATE, "--output", "run")
    assert result.returncode == 0, result.stderr
    assert "continuing after 1 of 4 records" in result.stderr
    assert [(r["id"], r["prediction"]) for r in records(run)] == [(r["id"], r["prediction"]) for r in lines]
    assert not any("votes" in record for record in records(run))


def test_the_figures_are_printed_stored_and_shown(run: Path, coabench: Run, tmp_path: Path) -> None:
    """The label's share of the votes is .9, 1, .5 and 1; single votes are votes."""
    rows = [json.dumps({"id": record["id"], "prediction": record["target"]}) for record in records(run)]
    (tmp_path / "p.jsonl").write_text("\n".join(rows))
    printed = coabench("score", "p.jsonl", "--like", "run", "--output", "results/best").stdout
    assert "accuracy against votes 85.00%  (95 % interval " in printed
    assert "annotators' ceiling    85.00%  (95 % interval " in printed
    votes = metrics(tmp_path / "results" / "best")["votes"]
    assert (votes["samples"], votes["annotations"]) == (4, 38)
    assert votes["annotator"]["value"] == pytest.approx((72 / 90 + 1 + 20 / 90 + 1) / 4)
    assert coabench("report", "results/best", "--output", "page.html").returncode == 0
    page = re.sub(r"<[^>]*>|&nbsp;|\s", " ", (tmp_path / "page.html").read_text())
    text = " ".join(page.split())
    assert "Accuracy against votes 85.00 %" in text
    assert "38 votes of annotators on 4 of 4 samples" in text
    assert "Surprise 5, Sadness 1, Anger 1, Disgust 1, Fear 1, Contempt 1" in text  # of a sample
    assert "no answer could agree with more than 85.0 % , the annotators’ ceiling" in text
    assert re.search(r"Krippendorff’s α 0\.\d{3} \[-?0\.\d{3}, 1\.000\] 4 ", text)
    assert "this run does not have it" in text  # the probability of every label
    [row] = json.loads(coabench("leaderboard", "--format", "json").stdout)
    assert row["votes.expected_accuracy"] == pytest.approx(0.85)
    assert row["votes.expected_accuracy_low"] == votes["expected_accuracy"]["interval"][0]
    assert load_runs(tmp_path / "results").loc[0, "votes.expected_accuracy"] == pytest.approx(0.85)
    shown = coabench("leaderboard").stdout
    assert "the share of annotators who chose what was predicted" in shown


def test_a_run_with_scores_is_set_against_their_distribution(run: Path, coabench: Run, tmp_path: Path) -> None:
    scored = coabench(*EVALUATE, "--decode", "score", "--output", "results/scored")
    assert scored.returncode == 0, scored.stderr
    figures = metrics(tmp_path / "results" / "scored")
    votes = figures["votes"]
    assert votes["cross_entropy"]["n"] == votes["jensen_shannon"]["n"] == figures["top_2"]["ranked"]
    assert votes["cross_entropy"]["value"] > votes["entropy"]["value"]
    assert figures["top_2"]["n"] == 4
    assert figures["top_2"]["value"] >= figures["war"]
    [row] = json.loads(coabench("leaderboard", "--format", "json").stdout)
    assert (row["top_2"], row["top_2_low"]) == (figures["top_2"]["value"], figures["top_2"]["interval"][0])


@pytest.mark.parametrize("number", ["-9", "1e300", '"9"', "true"])
def test_votes_in_a_log_that_are_none_are_damage(run: Path, coabench: Run, number: str) -> None:
    change(run / "predictions.jsonl", '"Neutral": 9', f'"Neutral": {number}')
    result = coabench("report", "run")
    assert result.returncode == 2
    assert "votes.Neutral" in result.stderr


def test_votes_for_no_label_in_a_log_are_named(run: Path, coabench: Run) -> None:
    change(run / "predictions.jsonl", '"Neutral": 9', '"Joy": 9')
    (run / "metrics.json").unlink()
    result = coabench("report", "run")
    assert result.returncode == 2
    assert "'Joy' is no label" in result.stderr
    [row] = json.loads(coabench("leaderboard", ".", "--format", "json").stdout)
    assert (row["kind"], row["note"]) == ("not ranked", "'Joy' is no label of this label space")


def test_votes_beyond_counting_are_refused_before_anything_is_written(coabench: Run, tmp_path: Path) -> None:
    ferplus(tmp_path / "data")
    change(tmp_path / TABLE, "9,0,0,1,0", "1e300,0,0,1,0")
    result = coabench(*EVALUATE, "--output", "run")
    assert result.returncode == 2
    assert "neutral: 1e300" in result.stderr
    assert "a number of votes" in result.stderr
    assert not (tmp_path / "run").exists()
