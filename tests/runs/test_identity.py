"""What a run's identity writes, reads and says: the JSON of 0.1.0, field by field and in its order."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.process import ROOT
from support.runs import manifest

from coabench.errors import UserError
from coabench.runs.adapter import TrainingRecord
from coabench.runs.dataset_identity import DatasetIdentity
from coabench.runs.identity import (
    BackboneIdentity,
    Parsing,
    RunIdentity,
    StrategyIdentity,
    differences,
    list_differences,
)
from coabench.runs.training_identity import TrainingIdentity

OLD: dict[str, Any] = manifest(ROOT / "tests/support/written_by_0_1_0/runs/complete")["identity"]
"""The identity of a run that 0.1.0 wrote."""
TRAININGS = sorted((ROOT / "plugins" / "coabench_tiny").rglob("training.json"))
LEAST: dict[str, Any] = {
    "backbone": {"name": "b"},
    "strategy": {"name": "s"},
    "dataset": {"name": "d", "split": "test", "fingerprint": "f", "samples": 3},
    "decode": "generate",
}


def test_a_run_of_0_1_0_is_read_and_written_as_it_was() -> None:
    identity = RunIdentity.read(OLD)
    assert json.dumps(identity.to_json()) == json.dumps(OLD)
    assert identity.digest == hashlib.sha256(json.dumps(OLD, sort_keys=True).encode()).hexdigest()
    assert (identity.backbone.title, identity.dataset.samples, identity.parser) == ("tiny", 22, "standard")
    assert identity.strategy.sha256 == OLD["strategy"]["sha256"]


@pytest.mark.parametrize("path", TRAININGS, ids=lambda path: path.parent.name)
def test_a_training_of_0_1_0_is_read_and_written_as_it_was(path: Path) -> None:
    written = json.loads(path.read_text())["identity"]
    assert json.dumps(TrainingIdentity.read(written).to_json()) == json.dumps(written)
    record = TrainingRecord.read(path.parent)
    assert record.identity == TrainingIdentity.read(written)
    with pytest.raises(UserError, match="was trained on"):
        record.check_unseen(written["data"][0]["dataset"], "train", "", dict, allowed=False)


def test_what_is_optional_may_be_missing() -> None:
    identity = RunIdentity.read(LEAST)
    assert (identity.seed, identity.parser, identity.dataset.limit, identity.exemplars) == (None, None, None, None)
    assert {name for name, value in identity.describe() if value is not None} >= {"Backbone", "Adapter", "Samples"}
    assert identity.to_json() == {
        **LEAST,
        "coabench": None,
        "parsing": None,
        "seed": None,
        "backbone": {"name": "b", "model": None, "adapter": None},
        "dataset": {**LEAST["dataset"], "labels": None, "limit": None},
    }


@pytest.mark.parametrize("field", ["backbone", "strategy", "dataset", "decode", "dataset.fingerprint", "strategy.name"])
def test_what_is_needed_is_named_where_it_is_missing(field: str) -> None:
    part, _, name = field.partition(".")
    data = json.loads(json.dumps(LEAST))
    del (data[part] if name else data)[name or part]
    at = f"identity: {part}" if name else "identity"
    with pytest.raises(ValueError, match=f"^{at}: the field '{name or part}' is missing"):
        RunIdentity.read(data)


@pytest.mark.parametrize("damage", [[], {**LEAST, "dataset": []}, {**LEAST, "backbone": "b"}, {**LEAST, "seed": "x"}])
def test_other_kinds_of_values_are_refused(damage: Any) -> None:
    with pytest.raises(ValueError, match=r"^identity(: .*)? cannot be read"):
        RunIdentity.read(damage)


def test_fields_of_another_version_are_kept() -> None:
    data = {**OLD, "new": 1, "backbone": {**OLD["backbone"], "new": [2]}}
    assert RunIdentity.read(data).to_json() == data


def test_options_and_further_fields_of_plugins_stand_beside_the_declared_ones() -> None:
    dataset = DatasetIdentity(name="d", split="test", fingerprint="f", samples=3, more={"half": (1, 2)})
    assert list(dataset.to_json()) == ["name", "split", "fingerprint", "labels", "samples", "limit", "half"]
    assert DatasetIdentity.read(dataset.to_json()).more == {"half": [1, 2]}
    strategy = StrategyIdentity.read({"name": "s", "sha256": "x", "options": {"runs": 3}})
    assert (strategy.options, strategy.plugin) == ({"runs": 3}, None)


def test_differences_are_listed_leaf_by_leaf() -> None:
    identity = RunIdentity.read(OLD)
    other = replace(
        identity,
        seed=1,
        parsing=Parsing(version=1, parser="lenient"),
        backbone=replace(identity.backbone, adapter="mine"),
        exemplars=({"id": "x"},),
    )
    assert differences(identity.to_json(), other.to_json()) == [
        'backbone.adapter: "shipped/chain-of-affect" -> "mine"',
        'exemplars: [] -> [{"id": "x"}]',
        'parsing.parser: "standard" -> "lenient"',
        "seed: 0 -> 1",
    ]
    assert list_differences(OLD, identity.to_json(), "there -> here") is None
    assert list_differences({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, "there -> here") == (
        "these fields differ (there -> here):\n    a[1].b: 2 -> 3"
    )


def test_folder_names_are_safe_and_of_one_identity() -> None:
    one, other = BackboneIdentity(name="a"), BackboneIdentity(name="b")
    assert one.folder_name(["x/y:z"]) == f"x-y-z.{one.digest[:8]}"
    assert one.folder_name(["x"]) != other.folder_name(["x"])
