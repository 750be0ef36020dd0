"""Trainings that begin with an adapter: with its weights, on its base, and knowing what it learnt from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from coabench_tiny.checkpoint import write
from PIL import Image
from safetensors.torch import load_file
from support.in_process import command

from coabench.api import train
from coabench.errors import UserError
from coabench.inference.contents import Content
from coabench.runs.adapter import TrainingRecord
from coabench.testing.pictures import draw_face

SMALL: dict[str, Any] = {"strategy": "direct", "steps": 2, "batch_size": 4, "rank": 2, "evaluations": 1, "dev": 0.0,
                         "device": "cpu", "targets": "language"}  # fmt: skip
"""A training of seconds."""


BASIC, COMPOUND = ("Fear", "Anger", "Sadness"), ("Sadly Angry", "Fearfully Angry")


def faces(labels: Sequence[str]) -> list[tuple[Image.Image, str]]:
    return [(draw_face(label.split()[-1], size=size), label) for label in labels for size in (60, 61)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, an adapter for basic emotions, and one that begins with it, for compound ones."""
    folder = tmp_path_factory.mktemp("start")
    write(folder / "model", seed=5)
    first = {**SMALL, "backbone": f"tiny:{folder / 'model'}", "dataset": faces(BASIC), "labels": "synthface-basic"}
    train(**first, output=folder / "first")
    again = {"backbone": first["backbone"], "strategy": "direct", "batch_size": 4, "device": "cpu", "dev": 0.0}
    train(**again, dataset=faces(COMPOUND), labels="synthface-compound", from_=folder / "first", steps=1, lr=1e-12,
          evaluations=1, output=folder / "second")  # fmt: skip
    return folder


def test_it_begins_with_the_weights_and_keeps_rank_and_targets(folder: Path) -> None:
    first, second = (load_file(folder / name / "adapter_model.safetensors") for name in ("first", "second"))
    assert first.keys() == second.keys()
    assert all(tensor.allclose(second[name], atol=1e-8) for name, tensor in first.items())
    assert any(bool(tensor.any()) for name, tensor in second.items() if "lora_B" in name)
    recipe = json.loads((folder / "second" / "training.json").read_text())["identity"]["recipe"]
    assert (recipe["rank"], recipe["alpha"], recipe["targets"]) == (2, 32.0, ["language"])


def test_an_evaluation_knows_what_the_first_adapter_learnt_from(folder: Path) -> None:
    record = TrainingRecord.read(folder / "second")
    assert record.identity is not None
    (first,) = (TrainingRecord.read(folder / "first").identity or record.identity).data
    assert record.identity.seen == (*record.identity.data, first)
    with pytest.raises(UserError, match="was trained on mine, split 'test'"):
        record.check_unseen("mine", "test", first.fingerprint, dict, allowed=False)
    (earlier,) = record.earlier
    assert earlier is not None
    assert len(earlier.hashes) == 2 * len(BASIC)
    copy = Content(*next(iter(earlier.hashes.values())).split(), True)
    with pytest.raises(UserError, match="was trained on 1 of the 1 image"):
        record.check_unseen("mine", "test", "", lambda: {"a": copy}, allowed=False)


def test_trainings_over_seeds_stay_one_recipe(folder: Path) -> None:
    record = TrainingRecord.read(folder / "second")
    assert record.identity is not None
    assert record.identity.start is not None
    assert record.identity.start.recipe == (TrainingRecord.read(folder / "first").summary() or {})["recipe"]
    assert record.identity.any_seed.start == record.identity.start.any_seed
    assert record.identity.start.any_seed.weights is None


def test_what_cannot_be_begun_with_is_refused(folder: Path, tmp_path: Path) -> None:
    model = ("--backbone", f"tiny:{folder / 'model'}")
    run = partial(command, tmp_path)

    def refusal(*arguments: object) -> str:
        refused = run(["train", *arguments, "--output", "out", "--device", "cpu"], {})
        assert refused.returncode == 2, refused.stderr
        assert not (tmp_path / "out").exists()
        return refused.stderr

    first = ("--from", folder / "first")
    assert "was trained on another base" in refusal(*first)
    assert "--rank 8 is not that of the adapter" in refusal(*model, *first, "--rank", 8)
    assert "--targets vision is not that of the adapter" in refusal(*model, *first, "--targets", "vision")
    assert "--from is for adapters" in refusal(*model, *first, "--full")
    assert "is no adapter that coabench trained" in refusal(*model, "--from", "nowhere")
    shutil.copytree(folder / "first", tmp_path / "plain")
    (tmp_path / "plain" / "training.json").unlink()
    assert "is no adapter that coabench trained" in refusal(*model, "--from", "plain")
    noted = run(["train", *model, *first, "--dataset", "synthface-basic", "--seed", 3, "--dev", 0.5, "--dry-run"], {})
    assert noted.returncode == 0, noted.stderr
    assert "begins with" in noted.stdout
