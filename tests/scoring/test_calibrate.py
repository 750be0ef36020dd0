"""``coabench calibrate``: fitted on one run, applied to others; nothing that flatters, nothing that is not said."""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.process import Run
from support.report_run import NAMES, record, turn
from support.report_run import write_run as write_report_run
from support.runs import manifest, metrics, records


def write_run(folder: Path, given: list[Any], **identity: Any) -> Path:
    """Write a run that can be read back; *identity* changes its identity, ``backbone``, ``strategy`` or ``dataset``."""
    run = write_report_run(folder, given)
    data = manifest(run)
    data["identity"]["dataset"] |= {"labels": "d" * 64, "fingerprint": hashlib.sha256(folder.name.encode()).hexdigest()}
    data["identity"] |= {"decode": "score"} | identity
    (run / "run.json").write_text(json.dumps(data))
    return run


def scored(n: int, seed: int, hits: float = 0.6, sure: float = 0.95, names: list[str] = NAMES) -> list[Any]:
    """*n* records of one question each, a part *hits* of them right, whose confidence is *sure* or less."""
    rng, made = random.Random(seed), []
    for i in range(n):
        target = names[i % len(names)]
        said = target if rng.random() < hits else names[(i + 1) % len(names)]
        answer = turn("answer", said, names, sure - 0.2 * rng.random())
        made.append(
            record(i, target, (None, None))
            | {"id": f"{seed}/{i}", "prediction": said, "status": "ok", "reason": None, "turns": [answer]}
            | {"image_sha256": hashlib.sha256(f"{seed} {i}".encode()).hexdigest(), "attributes": {}}
        )
    return made


def chains(n: int, seed: int) -> list[Any]:
    """*n* records of two scored questions each, some of them right."""
    rng = random.Random(seed)
    made = []
    for i in range(n):
        sure = 0.6 + 0.39 * rng.random()
        answers = ("Happiness", "Surprise") if rng.random() < 0.6 else ("Sadness", "Anger")
        made.append(record(i, NAMES[0], answers, sure) | {"id": f"{seed}/{i}", "image_sha256": f"{seed:02}{i:062}"})
    return made


@pytest.fixture
def refuse(coabench: Run, tmp_path: Path) -> Callable[..., str]:
    """Run ``coabench calibrate``, which must be refused as the user's mistake, nothing written; return the message."""

    def refused(*arguments: object) -> str:
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        result = coabench("calibrate", *arguments)
        assert result.returncode == 2, result
        assert "Traceback" not in result.stderr
        assert "defect" not in result.stderr
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
        return result.stderr

    return refused


def test_the_round_trip_on_the_model_that_ships(coabench: Run, tmp_path: Path) -> None:
    common = ("--strategy", "direct", "--decode", "score")
    for split, limit in (("train", 110), ("test", 55)):
        more = ("--split", split, "--limit", limit, "--allow-trained-split", "--output", split)
        assert coabench("evaluate", *common, *more).returncode == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "test").iterdir()}
    fitted = coabench("calibrate", "train", "--save", "c.json", "--apply", "test", "--output", "new")
    assert fitted.returncode == 0, fitted.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "test").iterdir()} == before
    assert "on the samples fitted on, which flatters: 110" in fitted.stdout
    kept = json.loads((tmp_path / "c.json").read_text())
    temperature = kept["parameters"]["temperature"]
    assert kept["fitted"]["samples"] == 110
    assert kept["effect"]["after"]["scores"]["nll"] < kept["effect"]["before"]["scores"]["nll"]
    # Every probability is what the definition says, of the scores that the old run has.
    new, old = records(tmp_path / "new"), records(tmp_path / "test")
    assert [r["prediction"] for r in new] == [r["prediction"] for r in old]
    assert [r["turns"] for r in new] == [r["turns"] for r in old]
    assert manifest(tmp_path / "new")["training"] == manifest(tmp_path / "test")["training"]  # seeds stay comparable
    for after, was in zip(new, old, strict=True):
        scores = was["turns"][0]["scores"]
        weights = {name: math.exp(score / temperature) for name, score in scores.items()}
        best = weights[was["prediction"]] / sum(weights.values())
        assert after["details"]["confidence"] == pytest.approx(best, abs=1e-6)
    said = manifest(tmp_path / "new")["identity"]["calibration"]
    assert said["applied"]["run"] == "test"
    assert said["fitted"]["run"] == "train"
    assert metrics(tmp_path / "new")["uar"] == metrics(tmp_path / "test")["uar"]
    # The file does the same again, and the run is that run.
    again = coabench("calibrate", "c.json", "--apply", "test", "--output", "again")
    assert again.returncode == 0, again.stderr
    assert records(tmp_path / "again") == new
    assert coabench("report", "new", "--output", "page.html").returncode == 0
    page = (tmp_path / "page.html").read_text()
    assert "temperature, fitted on 110 samples of train" in page
    assert "as the calibration changed it" in page


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_a_run_that_is_too_sure_is_less_so(coabench: Run, tmp_path: Path, method: str) -> None:
    fit, other = write_run(tmp_path / "fit", scored(300, 1)), write_run(tmp_path / "other", scored(300, 2))
    result = coabench("calibrate", fit, "--method", method, "--part", 0.5, "--save", "c.json", "--apply", other,
                      "--output", "new")  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "(on the other samples: 150)" in result.stdout
    before, after = metrics(other)["calibration"], metrics(tmp_path / "new")["calibration"]
    assert before["ece"] > 0.2
    assert after["ece"] < 0.1
    assert after["accuracy"] == before["accuracy"]
    # Two methods correct the confidence alone: of the labels nothing is said any more.
    assert (after["scores"] is None) == (method != "temperature")
    assert any("calibrated by" in note for note in manifest(tmp_path / "new")["notes"])
    assert f"calibration={method}, fitted" in coabench("leaderboard", ".", "--format", "csv").stdout
    compared = re.sub(r"\s+", " ", coabench("compare", "new", "other").stdout)
    assert f"A with calibration={method}, fitted on 150 samples of fit; B with calibration=none" in compared


def test_a_chain_is_calibrated_in_its_conclusion_only(
    coabench: Run, tmp_path: Path, refuse: Callable[..., str]
) -> None:
    fit, other = write_run(tmp_path / "fit", chains(90, 1)), write_run(tmp_path / "other", chains(60, 2))
    assert "which 90 of 90 samples" in refuse(fit, "--apply", other, "--output", "new")
    result = coabench("calibrate", fit, "--method", "platt", "--apply", other, "--output", "new")
    assert result.returncode == 0, result.stderr
    new, old = records(tmp_path / "new"), records(other)
    assert [r["turns"] for r in new] == [r["turns"] for r in old]
    assert all(0 < r["details"]["confidence"] < 1 for r in new)


def test_a_part_is_of_whole_persons(coabench: Run, tmp_path: Path) -> None:
    """Ten persons of 12 images each: six persons are fitted on, whose images are all among the 72."""
    named = [r | {"attributes": {"subject": f"s{i % 10}"}} for i, r in enumerate(scored(120, 1))]
    result = coabench("calibrate", write_run(tmp_path / "fit", named), "--part", 0.6, "--save", "c.json")
    assert "(on the other samples: 48)" in result.stdout
    marks = set(json.loads((tmp_path / "c.json").read_text())["fitted"]["marks"])
    of_image = {r["id"]: hashlib.sha256(r["image_sha256"].encode()).hexdigest()[:16] in marks for r in named}
    by_person = [{of_image[r["id"]] for r in named if r["attributes"]["subject"] == f"s{i}"} for i in range(10)]
    assert sorted(map(len, by_person)) == [1] * 10
    assert sum(True in fitted for fitted in by_person) == 6
    again = coabench("calibrate", "fit", "--part", 0.6, "--seed", 1, "--save", "other.json")
    assert set(json.loads((tmp_path / "other.json").read_text())["fitted"]["marks"]) != marks, again.stderr


def test_several_runs_go_below_results_and_another_backbone_is_said(coabench: Run, tmp_path: Path) -> None:
    fit = write_run(tmp_path / "fit", scored(60, 1))
    model = {"name": "tiny", "model": "other", "adapter": None}
    runs = [write_run(tmp_path / "a", scored(60, 2)), write_run(tmp_path / "b", scored(60, 3), backbone=model)]
    result = coabench("calibrate", fit, "--apply", runs[0], "--apply", runs[1])
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / "results").iterdir())) == 2
    assert result.stderr.count("fitted on another backbone") == 1


def test_what_says_nothing_is_refused(tmp_path: Path, refuse: Callable[..., str]) -> None:
    fit, other = write_run(tmp_path / "fit", scored(60, 1)), write_run(tmp_path / "other", scored(60, 2))
    bare = write_run(tmp_path / "bare", [r | {"turns": []} for r in scored(60, 3)])
    assert "has no confidence to calibrate" in refuse(bare, "--save", "c.json")
    assert "has no confidence to calibrate" in refuse(fit, "--apply", bare)
    assert "too few samples to fit on: 20" in refuse(write_run(tmp_path / "few", scored(20, 4)), "--save", "c.json")
    assert "too few samples to fit on: 29" not in refuse(fit, "--part", 0.1, "--save", "c.json")
    assert "all are right" in refuse(write_run(tmp_path / "good", scored(60, 5, hits=1)), "--save", "c.json")
    assert "none is right" in refuse(write_run(tmp_path / "bad", scored(60, 6, hits=0)), "--save", "c.json")
    assert "nothing to do" in refuse(fit)
    strange = write_run(tmp_path / "strange", scored(60, 8))
    lines = [json.dumps(r | {"target": "Contempt"}) + "\n" for r in scored(60, 8)]
    (strange / "predictions.jsonl").write_text("".join(lines))
    assert "'Contempt' is no label" in refuse(fit, "--apply", strange)
    assert "--output is the folder of one new run" in refuse(fit, "--save", "c.json", "--output", "x")
    assert "is the run that is read" in refuse(fit, "--apply", other, "--output", other)
    assert "cannot be written" in refuse(fit, "--save", "nowhere/c.json")


def test_what_would_flatter_is_refused(tmp_path: Path, refuse: Callable[..., str]) -> None:
    fit = write_run(tmp_path / "fit", scored(60, 1))
    assert "60 of the 60 samples" in refuse(fit, "--apply", fit)
    # The same images under other ids, half of them.
    mixed = scored(30, 1) + scored(30, 7)
    renamed = [r | {"id": f"elsewhere/{i}"} for i, r in enumerate(mixed)]
    assert "30 of the 60 samples" in refuse(fit, "--apply", write_run(tmp_path / "mixed", renamed))


@pytest.mark.parametrize(("column", "said"), [("id", True), ("name", False)])
def test_files_with_samples_in_common_are_said(coabench: Run, tmp_path: Path, column: str, said: bool) -> None:
    for name, first in (("fit", 0), ("other", 41)):
        rows = [f"{i},{('Fear', 'Anger')[i % 2]},{('0.8,0.2', '0.3,0.7')[i % 3 % 2]}" for i in range(first, first + 60)]
        (tmp_path / f"{name}.csv").write_text("\n".join([f"{column},target,Fear,Anger", *rows]))
        options = ("--labels", "basic", "--probability-columns", "Fear,Anger", "--output", name)
        assert coabench("score", f"{name}.csv", *options).returncode == 0
    made = coabench("calibrate", "fit", "--method", "platt", "--apply", "other", "--output", "new")
    assert made.returncode == 0, made.stderr
    assert ("the ids of 19 of 60 samples are among those fitted on" in made.stderr) is said


def test_other_labels_and_questions_are_refused(tmp_path: Path, refuse: Callable[..., str]) -> None:
    fit = write_run(tmp_path / "fit", scored(60, 1))
    labels = ["a", "b", "c"]
    other = write_run(tmp_path / "labels", scored(60, 2))
    data = manifest(other)
    data["labels"] |= {"names": labels, "pairs": {}}
    (other / "run.json").write_text(json.dumps(data))
    (other / "predictions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in scored(60, 2, names=labels)))
    assert "not for the labels" in refuse(fit, "--apply", other)
    asked = write_run(tmp_path / "asked", scored(60, 3), strategy={"name": "direct", "sha256": "c" * 64})
    assert "not for the questions" in refuse(fit, "--apply", asked)


def test_a_calibrated_run_is_not_calibrated_again(coabench: Run, tmp_path: Path, refuse: Callable[..., str]) -> None:
    fit, other = write_run(tmp_path / "fit", scored(60, 1)), write_run(tmp_path / "other", scored(60, 2))
    assert coabench("calibrate", fit, "--apply", other, "--output", "new").returncode == 0
    assert "is calibrated already" in refuse(fit, "--apply", tmp_path / "new")
    assert "is calibrated already" in refuse(tmp_path / "new", "--save", "c.json")


HOSTILE: Mapping[str, Callable[[Any], Any]] = {
    "no object": lambda data: [data],
    "another kind": lambda data: data | {"kind": "card"},
    "a newer schema": lambda data: data | {"schema": 2},
    "an unknown method": lambda data: data | {"method": "beta"},
    "a temperature of 0": lambda data: data | {"parameters": {"temperature": 0}},
    "a temperature below 0": lambda data: data | {"parameters": {"temperature": -2}},
    "a temperature as text": lambda data: data | {"parameters": {"temperature": "1; import os"}},
    "parameters of another method": lambda data: data | {"parameters": {"slope": 1, "intercept": 0}},
    "chances that fall": lambda data: data | {"method": "isotonic", "parameters": {"points": [[0.1, 0.9], [0.5, 0.2]]}},
    "chances above 1": lambda data: data | {"method": "isotonic", "parameters": {"points": [[0.1, 0.9], [0.5, 2]]}},
    "no points": lambda data: data | {"method": "isotonic", "parameters": {"points": []}},
    "no marks": lambda data: data | {"fitted": data["fitted"] | {"marks": []}},
    "marks that are none": lambda data: data | {"fitted": data["fitted"] | {"marks": ["x" * 16]}},
    "an unknown field": lambda data: data | {"code": "__import__('os')"},
}


def test_a_hostile_file_is_refused(coabench: Run, tmp_path: Path, refuse: Callable[..., str]) -> None:
    fit, other = write_run(tmp_path / "fit", scored(60, 1)), write_run(tmp_path / "other", scored(60, 2))
    assert coabench("calibrate", fit, "--save", "c.json").returncode == 0
    good = json.loads((tmp_path / "c.json").read_text())
    file = tmp_path / "hostile.json"
    for name, change in HOSTILE.items():
        file.write_text(json.dumps(change(good)))
        assert "hostile.json" in refuse(file, "--apply", other, "--output", "new"), name
    texts = ("", "{", "NaN", "[" * 100_000, '{"kind": "calibration", "kind": "calibration"}', "\x80\x04.", "\0")
    for text in texts:
        file.write_text(text)
        assert "hostile.json" in refuse(file, "--apply", other, "--output", "new"), text[:20]
    assert "no calibration that can be read" in refuse(tmp_path / "nothing.json", "--apply", other)
    file.write_text(json.dumps(good))
    assert "--method does not fit" in refuse(file, "--method", "platt", "--apply", other)
    assert "to be applied to" in refuse(file)
