"""Damage to any field of a model's or an adapter's config: said in words, or harmless."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from coabench_phi35v.adapter import Phi35Adapter
from coabench_phi35v.config import ModelConfig
from coabench_phi35v.model import Phi3VForCausalLM
from support.damage import damages, outcome
from support.process import ROOT

TINY = ROOT / "plugins" / "coabench_tiny"


def tried(file: Path, data: Any, job: Callable[[], Any]) -> list[str]:
    """Return what went wrong otherwise than in words, over all damages."""
    found = []
    for what, bad in damages(data, 1):
        file.write_text(json.dumps(bad))
        if problem := outcome(job):
            found.append(f"{what}: {problem[:300]}")
    return found


def test_the_config_of_a_model(tmp_path: Path) -> None:
    data = json.loads((TINY / "base" / "config.json").read_text())
    assert not tried(tmp_path / "config.json", data, lambda: ModelConfig.read(tmp_path))


def test_the_config_of_an_adapter(tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    shutil.copytree(TINY / "adapters" / "direct", folder)
    model = Phi3VForCausalLM.blueprint(ModelConfig.read(TINY / "base"))
    file = folder / "adapter_config.json"
    assert not tried(file, json.loads(file.read_text()), lambda: Phi35Adapter(folder, model))
