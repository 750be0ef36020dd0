"""`coabench adapters export`: what comes out is read by its reader, and answers as the adapter on its base does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from coabench_phi35v.backbone import Phi35Vision
from coabench_tiny.backbone import ADAPTERS
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from support.process import Run

from coabench.backbone import BackboneRequest
from coabench.runs.run import read_records
from coabench.support.published import KNOWN

SHIPPED = ADAPTERS / "chain-of-affect"


def loaded(model: Path, adapter: Path | None) -> dict[str, Any]:
    backbone = Phi35Vision(BackboneRequest(str(model), adapter and str(adapter), "cpu", "bfloat16", None))
    backbone.load()
    return backbone.model.state_dict()


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def answers(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in ("seconds", "timing")}


@pytest.fixture(scope="module")
def base(oracle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The golden base in two files with an index, its code and its terms beside, as on the hub."""
    folder = tmp_path_factory.mktemp("base")
    tensors = load_file(oracle / "tiny" / "model.safetensors")
    parts = {f"model-0000{n}-of-00002.safetensors": sorted(tensors)[n - 1 :: 2] for n in (1, 2)}
    for file, names in parts.items():
        save_file({name: tensors[name] for name in names}, folder / file, {"format": "pt"})
    index = {"metadata": {"total_size": 0}, "weight_map": {name: file for file in parts for name in parts[file]}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    for path in (oracle / "tiny").glob("*.json"):
        (folder / path.name).write_bytes(path.read_bytes())
    for name in ("modeling_phi3_v.py", "LICENSE", "notes.md"):
        (folder / name).write_text("{}")
    return folder


def test_a_merged_checkpoint_has_the_layout_of_its_base_and_the_weights_of_base_and_adapter(
    coabench: Run, oracle: Path, base: Path, tmp_path: Path
) -> None:
    model = f"phi-3.5-vision:{base}"
    result = coabench("adapters", "export", oracle / "adapter", "--as", "merged", "--backbone", model, "--output", "w")
    assert result.returncode == 0, result.stderr
    names = {path.name for path in base.iterdir()}
    assert {path.name for path in (tmp_path / "w").iterdir()} == names - {"notes.md"}
    for path in base.glob("*.safetensors"):
        with safe_open(path, "pt") as ours, safe_open(tmp_path / "w" / path.name, "pt") as theirs:
            assert [*ours.keys()] == [*theirs.keys()]
            assert ours.metadata() == theirs.metadata()
    merged = loaded(tmp_path / "w", None)
    assert len(merged) == 82
    assert equal(merged, loaded(base, oracle / "adapter"))
    assert not equal(merged, loaded(base, None))


@pytest.mark.slow
def test_a_merged_checkpoint_gives_the_records_of_base_and_adapter(coabench: Run, oracle: Path, tmp_path: Path) -> None:
    model = f"phi-3.5-vision:{oracle / 'tiny'}"
    coabench("adapters", "export", oracle / "adapter", "--as", "merged", "--backbone", model, "--output", "w")
    how = ("--dataset", "synthface-basic", "--limit", 1, "--device", "cpu", "--dtype", "bfloat16", "--set",
           "num_crops=1", "--set", "max_new_tokens=2")  # fmt: skip
    for name, what in (("both", (model, "--adapter", oracle / "adapter")), ("whole", ("phi-3.5-vision:w",))):
        result = coabench("evaluate", "--backbone", *what, *how, "--output", name)
        assert result.returncode == 0, result.stderr
    both, whole = ([*read_records(tmp_path / name)] for name in ("both", "whole"))
    assert [answers(record) for record in both] == [answers(record) for record in whole] != []


def test_the_published_layout_is_what_the_published_loader_reads(coabench: Run, oracle: Path, tmp_path: Path) -> None:
    result = coabench("adapters", "export", oracle / "adapter", "--as", "published", "--backbone",
                      f"phi-3.5-vision:{oracle / 'tiny'}", "--output", "out")  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert {*json.loads((tmp_path / "out" / "adapter_config.json").read_text())} <= KNOWN
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["auto_map"] == {
        "AutoConfig": "microsoft/Phi-3.5-vision-instruct--configuration_phi3_v.Phi3VConfig",
        "AutoModelForCausalLM": "microsoft/Phi-3.5-vision-instruct--modeling_phi3_v.Phi3VForCausalLM",
    }
    assert equal(loaded(oracle / "tiny", tmp_path / "out"), loaded(oracle / "tiny", oracle / "adapter"))


@pytest.mark.parametrize("layout", ["published", "peft", "merged"])
def test_the_base_is_that_of_the_training_whose_record_goes_along(coabench: Run, tmp_path: Path, layout: str) -> None:
    result = coabench("adapters", "export", SHIPPED, "--as", layout)
    assert result.returncode == 0, result.stderr
    folder = tmp_path / f"chain-of-affect-{layout}"
    assert json.loads((folder / "training.json").read_text()) == json.loads((SHIPPED / "training.json").read_text())
    if layout == "merged":
        refused = coabench("evaluate", "--backbone", f"tiny:{folder}", "--split", "train", "--adapter", "none")
        assert (refused.returncode, "was trained on" in refused.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--as", "published"), "nothing says what the adapter"),
        (("--as", "published", "--backbone", "scripted:a"), "cannot be written as a checkpoint"),
        (("--as", "peft"), "tensors that were trained whole"),
        (("--as", "merged", "--backbone", "tiny"), "was trained on another base"),
        (("--as", "merged", "--backbone", "phi-3.5-vision:BASE", "--output", "."), "is there already"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(
    coabench: Run, oracle: Path, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    words = [word.replace("BASE", str(oracle / "tiny")) for word in arguments]
    result = coabench("adapters", "export", oracle / "adapter", *words)
    assert result.returncode == 2
    assert problem in result.stderr
    assert not [*tmp_path.iterdir()]
