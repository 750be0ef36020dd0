"""``coabench leaderboard --over seed``: runs that differ in nothing but a seed are one row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.leaderboard_run import write_run
from support.process import Run

from coabench import load_runs
from coabench.errors import UserError


def seeded(folder: Path, hits: int, seed: int, training: dict[str, Any] | None = None, crops: int = 4) -> Path:
    """Write a run with this seed; where its adapter was trained, with this *training*, its weights are its own."""
    facts = {"adapter": {"fingerprint": str(seed)}, "num_crops": crops}
    run = write_run(folder, hits, backbone={"adapter": f"adapters/s{seed}", "facts": facts})
    manifest = json.loads((run / "run.json").read_text())
    manifest["identity"]["seed"] = 0 if training else seed
    manifest |= {"training": training} if training else {}
    (run / "run.json").write_text(json.dumps(manifest))
    return run


def rows(root: Path, coabench: Run) -> list[dict[str, Any]]:
    result = coabench("leaderboard", root, "--over", "seed", "--format", "json")
    assert result.returncode == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_seeds_of_training_are_one_row(tmp_path: Path, coabench: Run) -> None:
    for seed, hits in ((0, 30), (1, 33), (2, 31)):
        seeded(tmp_path / "r" / f"coa-s{seed}", hits, seed, {"seed": seed, "recipe": "one"})
    for seed, hits in ((0, 10), (1, 12)):
        seeded(tmp_path / "r" / f"direct-s{seed}", hits, seed, {"seed": seed, "recipe": "other"})
    seeded(tmp_path / "r" / "crops", 30, 5, {"seed": 5, "recipe": "one"}, crops=16)
    coa, crops, direct = sorted(rows(tmp_path / "r", coabench), key=lambda row: str(row["name"]))
    assert (coa["name"], coa["runs"], coa["seeds"]) == ("coa-s*", 3, "0, 1, 2")
    values = np.array([30, 33, 31]) / 40
    assert coa["uar"] == pytest.approx(values.mean())
    assert coa["uar_sd"] == pytest.approx(values.std(ddof=1))
    assert coa["uar_low"] < coa["uar"] < coa["uar_high"]
    assert (coa["rank_low"], coa["rank_high"], coa["leading"]) == (1, 1, True)
    assert (direct["rank_low"], direct["runs"]) == (2, 2)
    assert (crops["rank_low"], crops["runs"], crops["uar_sd"]) == (None, 1, None)
    shown = coabench("leaderboard", tmp_path / "r", "--over", "seed").stdout
    assert " ± " in shown
    assert "A single run says nothing of other seeds" in shown


def test_whole_models_are_grouped_by_their_training(tmp_path: Path, coabench: Run) -> None:
    """A model that was trained as a whole is another checkpoint for every seed."""
    for seed, hits in ((0, 30), (1, 34)):
        backbone = {"model": f"models/s{seed}", "facts": {"checkpoint": str(seed), "num_crops": 4}}
        run = write_run(tmp_path / "r" / f"full-s{seed}", hits, backbone=backbone)
        manifest = json.loads((run / "run.json").read_text())
        manifest["training"] = {"seed": seed, "recipe": "one", "whole": True}
        (run / "run.json").write_text(json.dumps(manifest))
    (row,) = rows(tmp_path / "r", coabench)
    assert (row["name"], row["runs"], row["seeds"]) == ("full-s*", 2, "0, 1")
    shown = coabench("leaderboard", tmp_path / "r").stdout
    assert "Trained with" in shown
    both = coabench("compare", tmp_path / "r/full-s0", tmp_path / "r/full-s1", "--", *others(tmp_path)).stdout
    assert "differ in more than a seed" not in both


def others(folder: Path) -> list[Path]:
    return [seeded(folder / "o" / f"lora-s{seed}", 20, seed, {"seed": seed, "recipe": "two"}) for seed in (0, 1)]


def test_load_runs_over_seeds_is_the_leaderboard(tmp_path: Path, coabench: Run) -> None:
    for seed, hits in ((0, 30), (1, 33), (2, 31)):
        seeded(tmp_path / "r" / f"coa-s{seed}", hits, seed, {"seed": seed, "recipe": "one"})
    (row,) = rows(tmp_path / "r", coabench)
    loaded = load_runs(tmp_path / "r", over="seed").to_dict("records")[0]
    assert {key: row[key] for key in loaded} == loaded
    assert (loaded["runs"], loaded["uar_sd"]) == (3, pytest.approx(np.std([0.75, 0.825, 0.775], ddof=1)))
    assert "rank_low" not in loaded
    with pytest.raises(UserError, match="there is no such thing"):
        load_runs(tmp_path / "r", over="seeds")


def test_other_weights_of_unknown_training_are_another_recipe(tmp_path: Path, coabench: Run) -> None:
    for seed in (0, 1):
        seeded(tmp_path / "r" / f"coa-s{seed}", 30, seed)
    assert [row["runs"] for row in rows(tmp_path / "r", coabench)] == [1, 1]


def test_a_copy_of_a_run_is_no_other_seed(tmp_path: Path, coabench: Run) -> None:
    for name in ("a", "b"):
        seeded(tmp_path / "r" / name, 30, 0, {"seed": 0, "recipe": "one"})
    (row,) = rows(tmp_path / "r", coabench)
    assert (row["runs"], row["uar_sd"]) == (1, None)


def test_damaged_runs_are_still_listed(tmp_path: Path, coabench: Run) -> None:
    seeded(tmp_path / "r" / "a", 30, 0)
    seeded(tmp_path / "r" / "b", 30, 1)
    (tmp_path / "r" / "b" / "predictions.jsonl").write_text("{}\n")
    assert "Not ranked" in coabench("leaderboard", tmp_path / "r", "--over", "seed").stdout


def test_a_baseline_does_not_fit(tmp_path: Path, coabench: Run) -> None:
    run = seeded(tmp_path / "r" / "a", 30, 0)
    result = coabench("leaderboard", tmp_path / "r", "--over", "seed", "--baseline", run)
    assert result.returncode == 2
    assert "compare A… -- B…" in result.stderr


def test_a_run_without_a_seed_has_none(tmp_path: Path, coabench: Run) -> None:
    run = write_run(tmp_path / "r" / "scored", 30)
    manifest = json.loads((run / "run.json").read_text())
    manifest["identity"]["seed"] = None
    (run / "run.json").write_text(json.dumps(manifest))
    (row,) = rows(tmp_path / "r", coabench)
    assert row["seeds"] == ""
    assert "None" not in coabench("leaderboard", tmp_path / "r", "--over", "seed").stdout
