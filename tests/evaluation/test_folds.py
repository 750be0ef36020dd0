"""Folds from the command line: trained without one, evaluated on it alone, pooled over all."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from coabench_synthface.folder import SetFolder
from coabench_synthface.shipped import open_shipped
from PIL import Image
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score
from support.process import Run
from support.runs import manifest

import coabench as api

pytestmark = pytest.mark.slow

LABELS = ("Happiness", "Sadness", "Neutral")
CARD = """
name: {name}
loader: faces
splits: [train]
labels: {{classes: [{{name: Happiness}}, {{name: Sadness}}, {{name: Neutral}}], neutral: Neutral}}
options: {{files: "{{split}}/{who}/{{label}}/*.bmp"}}
"""
DATA = ("--data-root", "faces", "--strategy", "direct")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Faces of six persons, two of each label; for each of three folds an adapter that learnt from the others."""
    folder = tmp_path_factory.mktemp("trained")
    shipped = SetFolder(open_shipped())
    for label in LABELS:
        lines = [line for line in shipped.samples if (line["split"], line["target"]) == ("train", label)][:12]
        for number, line in enumerate(lines):
            path = folder / "faces" / "train" / f"p{number // 2}" / label / f"{number % 2}.bmp"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.open(io.BytesIO(shipped.files.read(line["file"]))).save(path)
    (folder / "own.yaml").write_text(CARD.format(name="own", who="{subject}"))
    (folder / "nobody.yaml").write_text(CARD.format(name="nobody", who="*"))
    for number in (1, 2, 3):
        api.train(
            strategy="direct", dataset=folder / "own.yaml", data_root=folder / "faces", steps=1, batch_size=2, dev=0.2,
            evaluations=1, fold=f"{number}/3", output=folder / f"fold-{number}",
        )  # fmt: skip
    return folder


@pytest.fixture
def evaluate(trained: Path, coabench: Run, tmp_path: Path) -> Run:
    """Evaluate on the faces; the current folder holds what was made."""
    for path in trained.iterdir():
        (tmp_path / path.name).symlink_to(path)

    def run(*options: object, card: str = "own.yaml") -> Any:
        return coabench("evaluate", "--dataset", card, *DATA, *options)

    return run


def read_log(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "predictions.jsonl").read_text().splitlines()]


def test_a_training_says_what_it_held_out(trained: Path) -> None:
    told = [json.loads((trained / f"fold-{i}" / "training.json").read_text()) for i in (1, 2, 3)]
    folds = [one["identity"]["data"][0]["fold"] for one in told]
    assert [(fold["number"], fold["of"], fold["scheme"], fold["seed"]) for fold in folds] == [
        (i, 3, "stratified", 0) for i in (1, 2, 3)
    ]
    assert len({fold["assignment"] for fold in folds}) == 1
    learnt = [{id.split("/")[2] for id in one["learnt"]["hashes"]} for one in told]
    held = [{f"p{i}" for i in range(6)} - own for own in learnt]
    assert sorted(person for own in held for person in own) == [f"p{i}" for i in range(6)]


def test_folds_are_evaluated_and_pooled(evaluate: Run, coabench: Run, tmp_path: Path) -> None:
    done = evaluate("--adapter", "fold-{fold}", "--folds", 3, "--output", "results/cv")
    assert done.returncode == 0, done.stderr
    assert "over 3 folds" in done.stdout
    runs = [tmp_path / "results" / "cv" / f"fold-{i}" for i in (1, 2, 3)]
    records = [record for run in runs for record in read_log(run)]
    assert len({record["id"] for record in records}) == len(records) == 36
    uar = balanced_accuracy_score([r["target"] for r in records], [str(r["prediction"]) for r in records])
    assert f"UAR                    {uar:.2%}" in done.stdout
    (row,) = json.loads(coabench("leaderboard", "results", "--over", "fold", "--format", "json").stdout)
    assert row["uar"] == pytest.approx(uar)
    assert row["adjusted_uar"] == pytest.approx((uar - 1 / 3) / (1 - 1 / 3))
    kappa = cohen_kappa_score([r["target"] for r in records], [str(r["prediction"]) for r in records])
    assert row["kappa"] == pytest.approx(kappa)
    assert (row["samples"], row["fold"], row["kind"], row["training_seed"]) == (36, "3 folds", "run", 0)
    loaded = api.load_runs(tmp_path / "results", over="fold")
    assert list(loaded["uar"]) == [row["uar"]]
    assert list(api.load_runs(tmp_path / "results", over=("fold", "seed"))["runs"]) == [1]
    assert list(api.load_runs(tmp_path / "results")["fold"]) == ["1/3", "2/3", "3/3"]

    whole = evaluate("--adapter", "none", "--folds", "subjects", "--output", "results/base")
    assert whole.returncode == 0, whole.stderr
    assert "over 6 folds" in whole.stdout
    assert "fold" not in manifest(tmp_path / "results" / "base")["identity"]["dataset"]
    both = json.loads(coabench("leaderboard", "results", "--over", "fold", "--format", "json").stdout)
    assert {row["samples"] for row in both} == {36}
    assert all(row["rank_low"] for row in both)
    compared = coabench("compare", "--format", "json", *runs, "--", "results/base")
    assert compared.returncode == 0, compared.stderr
    found = json.loads(compared.stdout)
    assert found["figures"][0]["a"] == pytest.approx(uar)
    assert (found["a"], found["samples"], found["subjects"]) == ("fold-*", 36, 6)
    assert found["notes"] == ["A is pooled over folds: each sample once, answered by the run that held it out."]
    assert coabench("report", runs[0], "--output", "page.html").returncode == 0
    assert "Held out of the training" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--adapter", "fold-1", "--fold", "2/3"), "all folds but 1/3"),
        (("--adapter", "fold-1", "--fold", "1/3", "--fold-seed", 4), "another --fold-seed"),
        (("--adapter", "fold-1", "--fold", "1/subjects"), "all folds but 1/3"),
        (("--adapter", "fold-1"), "--fold 1/3"),
        (("--adapter", "fold-1", "--folds", 3), "found: all of them"),
        (("--adapter", "fold-{fold}", "--folds", 3, "--fold", "1/3"), "leave out one of the two"),
        (("--adapter", "none", "--folds", 1), "2 or more, or subjects"),
        (("--adapter", "none", "--folds", 7), "at least 7 persons"),
        (("--adapter", "none", "--fold", "0/3"), "a fold from 1 to 3"),
        (("--adapter", "none", "--fold-seed", 1), "--fold-seed has no effect without folds"),
    ],
)
def test_leaks_and_folds_that_are_none_are_refused(
    evaluate: Run, tmp_path: Path, options: tuple[object, ...], said: str
) -> None:
    refused = evaluate(*options, "--output", "run")
    assert refused.returncode == 2
    assert said in refused.stderr
    assert not (tmp_path / "run").exists()


def test_persons_that_are_not_known(evaluate: Run, tmp_path: Path) -> None:
    refused = evaluate("--adapter", "none", "--folds", "subjects", card="nobody.yaml")
    assert refused.returncode == 2
    assert "of 36 of 36 samples the person is not known" in refused.stderr
    assert evaluate("--adapter", "none", "--fold", "1/3", "--output", "run", card="nobody.yaml").returncode == 0
    assert (
        "the person is not known of any sample: one person may be in several folds"
        in manifest(tmp_path / "run")["notes"]
    )


def test_exemplars_come_from_the_other_folds(evaluate: Run, tmp_path: Path) -> None:
    done = evaluate("--adapter", "none", "--fold", "1/3", "--strategy", "one-shot", "--output", "run")
    assert done.returncode == 0, done.stderr
    shown = {exemplar["id"] for exemplar in manifest(tmp_path / "run")["identity"]["exemplars"]}
    assert shown
    assert shown.isdisjoint(record["id"] for record in read_log(tmp_path / "run"))


def test_what_lacks_folds_is_not_pooled(evaluate: Run, coabench: Run) -> None:
    for number in (1, 3):
        evaluate("--adapter", f"fold-{number}", "--fold", f"{number}/3", "--output", f"results/{number}")
    (row,) = json.loads(coabench("leaderboard", "results", "--over", "fold", "--format", "json").stdout)
    assert (row["kind"], row["note"]) == ("not ranked", "2 of 3 folds: 2 is missing")
    refused = coabench("compare", "results/1", "results/3", "--", "results/1", "results/3")
    assert "a run is in both recipes" in refused.stderr


def test_a_sheet_varies_seeds_and_folds(evaluate: Run, coabench: Run, tmp_path: Path) -> None:
    (tmp_path / "sheet.yaml").write_text(
        "name: cv\ndefaults: {dataset: own.yaml, data_root: faces, strategy: direct, adapter: 'fold-{fold}'}\n"
        "axes: {seed: [0, 1], fold: [1/3, 2/3]}\nexclude: [{seed: 0, fold: 1/3}, {seed: 1, fold: 2/3}]\n"
    )
    made = coabench("sweep", "sheet.yaml")
    assert made.returncode == 0, made.stderr
    runs = api.load_runs(tmp_path / "results" / "cv")
    found = sorted(zip(runs["fold"], runs["adapter"], runs["seed"], strict=True))
    assert found == [("1/3", "fold-1", 1), ("2/3", "fold-2", 0)]
    (tmp_path / "sheet.yaml").write_text("axes: {folds: [3]}\n")
    assert "make 'fold' an axis" in coabench("sweep", "sheet.yaml").stderr


def test_folds_of_responses_that_were_read_again(evaluate: Run, coabench: Run, tmp_path: Path) -> None:
    evaluate("--adapter", "fold-{fold}", "--folds", 3, "--output", "cv")
    for fold in (1, 2, 3):
        made = coabench("score", f"cv/fold-{fold}", "--parser", "lenient", "--output", f"results/again-{fold}")
        assert made.returncode == 0, made.stderr
    assert list(api.load_runs(tmp_path / "results", over="fold")["fold"]) == ["3 folds"]


def test_a_dry_run_says_what_is_held_out(evaluate: Run, coabench: Run) -> None:
    options = ("--batch-size", 2, "--dev", 0.2, "--fold", "2/3", "--dry-run")
    shown = coabench("train", "--dataset", "own.yaml", *DATA, *options)
    assert "held out             fold 2/3: 12 of own" in shown.stdout


def test_folds_then_seeds(evaluate: Run, coabench: Run, tmp_path: Path) -> None:
    for seed in (0, 1):
        evaluate("--adapter", "fold-{fold}", "--folds", 3, "--seed", seed, "--output", f"results/s{seed}")
    pooled = api.load_runs(tmp_path / "results", over="fold")
    assert list(pooled["fold"]) == ["3 folds", "3 folds"]
    assert sorted(pooled["seed"]) == [0, 1]
    over_both = ("--over", "fold", "--over", "seed", "--format", "json")
    (recipe,) = json.loads(coabench("leaderboard", "results", *over_both).stdout)
    assert (recipe["runs"], recipe["seeds"], recipe["samples"]) == (2, "0, 1", 36)
    assert recipe["uar"] == pytest.approx(pooled["uar"].mean())
    runs = {seed: [f"results/s{seed}/fold-{fold}" for fold in (1, 2, 3)] for seed in (0, 1)}
    evaluate("--adapter", "none", "--folds", "subjects", "--seed", 0, "--output", "base-0")
    evaluate("--adapter", "none", "--folds", "subjects", "--seed", 1, "--output", "base-1")
    compared = coabench("compare", "--format", "json", *runs[0], *runs[1], "--", "base-0", "base-1")
    assert compared.returncode == 0, compared.stderr
    assert list(json.loads(compared.stdout)["runs_a"]) == ["results/s0/fold-*", "results/s1/fold-*"]
    refused = coabench("compare", *runs[0][:2], "--", "base-0")
    assert "2 of 3 folds: 3 is missing" in refused.stderr
    refused = coabench("compare", *runs[0], "base-1", "--", "base-0")
    assert "base-1 is of the whole split" in refused.stderr
