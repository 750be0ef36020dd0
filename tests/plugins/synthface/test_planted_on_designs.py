"""Models with a known weakness, scored on what ships: the figures find it."""

from __future__ import annotations

import json
from collections.abc import Callable
from csv import writer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.process import Run

from coabench.dataset import Sample
from coabench.registry.catalog import find_dataset

Answers = Callable[[Sample], bool]


def stimuli(coabench: Run, folder: Path, design: str, right: Answers) -> dict[str, Any]:
    """Return what ``metrics.json`` says of a model that is right where *right* says so."""
    dataset = find_dataset(f"synthface-{design}").open(None)
    names = dataset.card.space.names
    with (folder / "answers.csv").open("w", newline="") as file:
        rows = writer(file)
        rows.writerow(["id", "prediction"])
        for sample in dataset.samples("test"):
            other = names[(names.index(sample.target) + 1) % len(names)]
            rows.writerow([sample.id, sample.target if right(sample) else other])
    result = coabench("score", "answers.csv", "--dataset", f"synthface-{design}", "--output", "run")
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads((folder / "run" / "metrics.json").read_text())["stimuli"]
    return found


def test_a_threshold_of_a_half(coabench: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def right(sample: Sample) -> bool:
        sees = 1 / (1 + np.exp(-20 * (sample.attributes["intensity"] - 0.5)))
        return bool(rng.random() < 1 / 11 + 10 / 11 * sees)

    found = stimuli(coabench, tmp_path, "intensity", right)["thresholds"]["intensity"]
    assert found["threshold"] == pytest.approx(0.5, abs=0.03)
    low, high = found["threshold_interval"]  # that such intervals cover what they should: tests/metrics/test_stimuli.py
    assert low < found["threshold"] < high < low + 0.1


def test_a_dependence_on_skin(coabench: Run, tmp_path: Path) -> None:
    seen: list[str] = []

    def right(sample: Sample) -> bool:
        if sample.attributes["varied"] != "skin" or sample.attributes["skin"] != "dark":
            return True
        seen.append(sample.id)
        return len(seen) % 4 > 0  # one in four is lost

    found = {it["attribute"]: it for it in stimuli(coabench, tmp_path, "identity", right)["matched"]}
    skin = {(c["first"], c["second"]): c for c in found["skin"]["contrasts"]}
    for other in ("light", "medium"):
        contrast = skin[other, "dark"]
        assert contrast["difference"]["low"] < 0.25 < contrast["difference"]["high"]
        assert contrast["difference"]["low"] > 0
        assert (contrast["only_first"], contrast["only_second"]) == (16, 0)
        assert contrast["p"] < 0.01
    assert skin["light", "medium"]["p"] == 1
    assert all(c["p"] == 1 for name in ("age", "sex", "hair") for c in found[name]["contrasts"])
