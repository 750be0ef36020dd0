"""``--vision-cache``: the same adapter in less time, and words where nothing could be kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from coabench_tiny.checkpoint import write
from PIL import Image
from safetensors.torch import load_file

from coabench.api import train
from coabench.errors import UserError
from coabench.testing.pictures import draw_face

SMALL: dict[str, Any] = {"strategy": "direct", "batch_size": 4, "evaluations": 1, "dev": 0.0, "device": "cpu",
                         "labels": "synthface-basic", "rank": 4, "steps": 3, "dropout": 0.1,
                         "targets": "language,projector", "mirror": False}  # fmt: skip


def faces() -> list[tuple[Image.Image, str]]:
    return [(draw_face(label, size=size), label) for label in ("Fear", "Anger", "Sadness") for size in (60, 61)]


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    write(folder, seed=5)
    return f"tiny:{folder}"


def test_a_training_that_keeps_what_it_sees_makes_the_same_adapter(
    backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COABENCH_CACHE", str(tmp_path / "cache"))
    cache, trained, identities = tmp_path / "cache" / "vision", {}, []
    for name, gib in (("without", None), ("kept", 1.0)):
        made = train(
            **SMALL, backbone=backbone, dataset=faces(), vision_cache=gib, output=tmp_path / name, progress=True
        )
        trained[name] = load_file(tmp_path / name / "adapter_model.safetensors")
        identities.append(made.manifest["identity"])
        assert cache.exists() == (gib is not None)
    assert all(torch.equal(weight, trained["kept"][key]) for key, weight in trained["without"].items())
    assert len([*cache.glob("*.safetensors")]) == 6
    assert "spared 6 of 12 images" in " ".join(capsys.readouterr().err.split())
    assert json.loads((tmp_path / "kept" / "training.json").read_text())["sessions"][0]["vision_cache_gib"] == 1.0
    assert identities[0] == identities[1]


@pytest.mark.parametrize(("changed", "said"), [
    ({"targets": None}, "here it learns"),
    ({"targets": None, "full": True, "rank": None, "dropout": None}, "here it learns"),
    ({"augment": "random-flip"}, "no image is shown twice"),
    ({"vision_cache": 0.0}, "makes no sense"),
    ({"vision_cache": -1.0}, "makes no sense"),
])  # fmt: skip
def test_where_nothing_could_be_kept_nothing_is_begun(
    backbone: str, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    wanted = {**SMALL, "vision_cache": 1.0, **changed}
    with pytest.raises(UserError, match=said):
        train(**wanted, backbone=backbone, dataset=faces(), output=tmp_path / "out")
    assert not (tmp_path / "out").exists()
