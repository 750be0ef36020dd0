"""QLoRA: an adapter learns beside a base in 4 bits; what is recorded of it; what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from coabench_tiny.checkpoint import write
from support.process import Run

from coabench.api import evaluate, train
from coabench.errors import UserError
from coabench.recipe import Recipe
from coabench.support.quantised import import_bitsandbytes
from coabench.testing.pictures import draw_face

LABELS = ("Fear", "Anger", "Sadness")
needs_package = pytest.mark.skipif(import_bitsandbytes() is None, reason="bitsandbytes is not installed")


@needs_package
def test_an_adapter_learns_beside_a_quantised_base(coabench: Run, tmp_path: Path) -> None:
    write(tmp_path / "model", seed=5)
    faces = [(draw_face(label, size=size), label) for label in LABELS for size in (60, 61, 62, 63)]
    shared: dict[str, Any] = {"backbone": f"tiny:{tmp_path / 'model'}", "strategy": "direct", "device": "cpu",
                              "labels": "synthface-basic", "dataset": faces}  # fmt: skip
    recipe = {"steps": 4, "batch_size": 4, "rank": 2, "dev": 0.25, "evaluations": 2}
    done = train(**shared, **recipe, load="4bit", output=tmp_path / "adapter")
    assert done.manifest["identity"]["recipe"]["load"] == "4bit"
    facts = done.manifest["facts"]["load"]
    assert (facts["bits"], facts["type"], [*facts][-1]) == (4, "nf4", "bitsandbytes")
    losses = [json.loads(line) for line in (done.directory / "training.jsonl").read_text().splitlines()]
    gradients = [line["grad_norm"] for line in losses if "grad_norm" in line]
    assert len(gradients) == 4  # before and after the development part was evaluated
    assert all(gradient > 0 for gradient in gradients)

    asked = {**shared, "adapter": done.directory, "decode": "score", "allow_trained_split": True}
    same, whole = (evaluate(**asked, load=load, output=tmp_path / f"run {load}") for load in ("4bit", None))
    assert same.manifest["identity"]["backbone"]["facts"]["load"] == facts
    assert "load" not in whole.manifest["identity"]["backbone"]["facts"]
    said = f"this run differs from the adapter's training in load: {json.dumps(facts)} -> null"
    assert [said in run.manifest["notes"] for run in (same, whole)] == [False, True]
    with pytest.raises(UserError, match="these fields differ"):
        evaluate(**asked, load="8bit", output=same.directory)

    merged = coabench("adapters", "export", done.directory, "--as", "merged", "--output", tmp_path / "merged")
    assert merged.returncode == 0, merged.stderr
    assert "was trained beside weights in 4 bits and is merged into those of full precision" in merged.stderr


def test_a_recipe_without_it_is_the_one_it_was() -> None:
    assert "load" not in Recipe().identity(4)
    assert Recipe(load="8bit").identity(4)["load"] == "8bit"


def test_whole_models_are_refused(coabench: Run) -> None:
    refused = coabench("train", "--full", "--load", "4bit")
    assert refused.returncode == 2
    assert "--load 4bit is for adapters" in refused.stderr
