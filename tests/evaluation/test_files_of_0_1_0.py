"""Runs, adapters, cards and prompt files that 0.1.0 wrote before its modules moved are still read."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from coabench_tiny.backbone import ADAPTERS, Tiny
from PIL import Image
from support.orientations import exif
from support.process import ROOT, Run
from support.runs import manifest, metrics, records

from coabench import __version__
from coabench.backbone import BackboneRequest

WRITTEN = ROOT / "tests" / "support" / "written_by_0_1_0"
CARD = ("--dataset", "few-faces.yaml", "--data-root", "faces")


@pytest.fixture(autouse=True)
def copies(tmp_path: Path) -> None:
    """Copies of the files, in the folder where ``coabench`` runs."""
    shutil.copytree(WRITTEN, tmp_path, dirs_exist_ok=True)


def said(run: Path) -> list[tuple[str, str | None, list[str]]]:
    """What was predicted and answered: what two machines agree on, whatever their last digits."""
    return [(r["id"], r["prediction"], [turn["response"] for turn in r["turns"]]) for r in records(run)]


def test_they_name_no_path_of_the_machine_that_wrote_them() -> None:
    for path in filter(Path.is_file, WRITTEN.rglob("*")):
        assert not re.search(rb"/(home|root|tmp|Users|work)/", path.read_bytes()), path


def test_the_leaderboard_ranks_its_runs(coabench: Run, tmp_path: Path) -> None:
    for again in (False, True):
        result = coabench("leaderboard", "runs", "--format", "csv")
        assert result.returncode == 0, result.stderr
        rows = {row["source"]: row for row in csv.DictReader(result.stdout.splitlines())}
        assert [row["kind"] for row in rows.values()] == ["run", "run", "not ranked"]
        assert rows["runs/complete"]["adapter"] == "shipped/chain-of-affect"
        for name in ("complete", "prompted"):
            row, written = rows[f"runs/{name}"], metrics(WRITTEN / "runs" / name)
            for figure in ("uar", "war", "macro_f1", "invalid"):
                assert float(row[figure]) == pytest.approx(written[figure])
            assert row["date"] == manifest(WRITTEN / "runs" / name)["ended"][:10]
            assert ("computed again" in str(row)) is again
        for path in (tmp_path / "runs").glob("*/metrics.json"):
            path.unlink()


@pytest.mark.parametrize("name", ["complete", "prompted"])
def test_a_run_is_shown_and_compared(coabench: Run, tmp_path: Path, name: str) -> None:
    shown = coabench("report", f"runs/{name}", "--images", *CARD, "--output", "page.html")
    assert shown.returncode == 0, shown.stderr
    page = (tmp_path / "page.html").read_text()
    assert f"{metrics(WRITTEN / 'runs' / name)['uar']:.1%}"[:-2] in page
    assert manifest(WRITTEN / "runs" / name)["identity"]["backbone"]["facts"]["adapter"]["fingerprint"][:12] in page
    compared = coabench("compare", "runs/complete", "runs/prompted")
    assert compared.returncode == 0, compared.stderr


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    """The unfinished run, as if this version were still called 0.1.0 and had the adapters of then, in float32."""
    run = tmp_path / "runs" / "unfinished"
    written = manifest(run)
    identity = written["identity"]
    identity["coabench"] = __version__
    for part in ("backbone", "strategy", "dataset"):
        identity[part]["plugin_version"] = __version__
    today = Tiny(BackboneRequest(adapter=str(ADAPTERS / "chain-of-affect"))).identity()
    assert today["adapter"]["fingerprint"] != identity["backbone"]["facts"]["adapter"]["fingerprint"]
    identity["backbone"]["facts"]["adapter"] = today["adapter"]
    (run / "run.json").write_text(json.dumps(written))
    return run


def test_a_run_whose_images_were_read_otherwise_does_not_resume(coabench: Run, unfinished: Path) -> None:
    file = unfinished.parent.parent / "faces" / "compound_test_00000.jpg"
    Image.open(file).save(file, exif=exif(6))
    before = (unfinished / "predictions.jsonl").read_bytes()
    result = coabench("evaluate", *CARD, "--batch-size", 2, "--output", "runs/unfinished")
    assert result.returncode == 2
    assert "images: null -> 2" in result.stderr
    assert (unfinished / "predictions.jsonl").read_bytes() == before


def test_a_run_that_was_killed_resumes(coabench: Run, unfinished: Path) -> None:
    run = unfinished
    with (run / "predictions.jsonl").open("ab") as log:
        log.write(b'{"id": "torn')
    result = coabench("evaluate", *CARD, "--batch-size", 2, "--output", "runs/unfinished")
    assert result.returncode == 0, result.stderr
    assert "continuing after 8 of 22 records" in result.stderr
    assert manifest(run)["status"] == "complete"
    assert [session["from"] for session in manifest(run)["sessions"]] == [0, 8]
    assert records(run)[:8] == records(WRITTEN / "runs" / "unfinished")
    assert said(run) == said(WRITTEN / "runs" / "complete")


def test_a_run_with_a_limit_resumes_with_the_first_samples(coabench: Run, unfinished: Path) -> None:
    written = manifest(unfinished)
    written["identity"]["dataset"] |= {"limit": 10, "samples": 10}
    (unfinished / "run.json").write_text(json.dumps(written))
    result = coabench("evaluate", *CARD, "--batch-size", 2, "--limit", 10, "--output", "runs/unfinished")
    assert result.returncode == 0, result.stderr
    assert "--limit 10: 10 of 22 samples, with" in result.stderr
    assert said(unfinished) == said(WRITTEN / "runs" / "complete")[:10]


def test_a_run_that_is_always_scored_resumes_under_the_mode_that_was_typed(coabench: Run, tmp_path: Path) -> None:
    command = ("evaluate", *CARD, "--strategy", "pair-scores", "--output", "scored")
    assert coabench(*command).returncode == 0
    whole, written = records(tmp_path / "scored"), manifest(tmp_path / "scored")
    assert written["identity"]["decode"] == "score"
    written["identity"]["decode"] = "generate"
    del written["identity"]["images"]
    (tmp_path / "scored" / "run.json").write_text(json.dumps({**written, "status": "running"}))
    log = (tmp_path / "scored" / "predictions.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "scored" / "predictions.jsonl").write_text("".join(log[:8]))
    result = coabench(*command)
    assert "continuing after 8 of 22 records" in result.stderr
    assert said(tmp_path / "scored") == [(r["id"], r["prediction"], [t["response"] for t in r["turns"]]) for r in whole]


def test_its_adapter_its_card_and_its_prompt_file_are_evaluated(coabench: Run, tmp_path: Path) -> None:
    which = ("--strategy", "two-steps.yaml", "--adapter", "adapters/rank-1", "--decode", "score")
    result = coabench("evaluate", *CARD, *which, "--output", "again")
    assert result.returncode == 0, result.stderr
    assert "differs" not in result.stderr
    assert said(tmp_path / "again") == said(WRITTEN / "runs" / "prompted")
    was, now = (manifest(run)["identity"] for run in (WRITTEN / "runs" / "prompted", tmp_path / "again"))
    for part in ("facts", "adapter"):
        assert was["backbone"][part] == now["backbone"][part]
    for part in ("sha256", "prompts"):
        assert was["strategy"][part] == now["strategy"][part]
    for part in ("fingerprint", "labels"):
        assert was["dataset"][part] == now["dataset"][part]
    refused = coabench("evaluate", "--adapter", "adapters/rank-1", "--split", "train", "--limit", 2)
    assert refused.returncode == 2
    assert "was trained on synthface-compound, split 'train'" in refused.stderr


def test_its_responses_are_read_again(coabench: Run, tmp_path: Path) -> None:
    result = coabench("score", "runs/complete", "--parser", "lenient", "--output", "lenient")
    assert result.returncode == 0, result.stderr
    assert said(tmp_path / "lenient") == said(WRITTEN / "runs" / "complete")
    was, now = (manifest(run)["identity"] for run in (WRITTEN / "runs" / "complete", tmp_path / "lenient"))
    assert now.pop("rescored")["run"] == "complete"
    assert now == {**was, "parsing": {**was["parsing"], "parser": "lenient"}}


def test_its_card_is_verified(coabench: Run) -> None:
    result = coabench("datasets", "verify", "few-faces.yaml", "--data-root", "faces")
    assert result.returncode == 0, result.stdout
    assert "22" in result.stdout
