"""The recipe that made the shipped weights still runs, and the same seed gives the same weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("numba")
pytest.importorskip("anny")

import numpy as np
import torch
from coabench_tiny.checkpoint import SIDE, write
from coabench_tiny.faces import LANDMARKS, TARGETS, Faces, make_faces
from coabench_tiny.pretrain import Plan, pretrain
from coabench_tiny.recipe import install

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Faces:
    return make_faces(tmp_path_factory.mktemp("faces"), 48, seed=3, side=SIDE)


def test_faces_come_with_what_is_to_be_seen(faces: Faces, tmp_path: Path) -> None:
    assert faces.images.shape == (48, SIDE, SIDE, 3)
    assert faces.targets.shape == (48, len(TARGETS) + 2 * LANDMARKS)
    units, places = faces.targets[:, : len(TARGETS) - 4], faces.targets[:, len(TARGETS) :]
    assert 0.15 < (units > 0).mean() < 0.45
    assert 0 < np.median(places) < 1
    fewer = make_faces(tmp_path, 8, seed=3, side=SIDE)
    assert np.array_equal(fewer.images, faces.images[:8])


def test_seeing_is_learnt_and_repeatable(faces: Faces, tmp_path: Path) -> None:
    torch.set_num_threads(2)
    plan, lines, learnt = Plan(epochs=2, batch=16), [], []
    for name in ("one", "two"):
        model = write(tmp_path / name, plan.seed)
        before = model.lm_head.weight.clone()
        pretrain(model.model.vision_embed_tokens, faces, faces, plan, lines.append)
        assert torch.equal(before, model.lm_head.weight)
        learnt.append({k: v.clone() for k, v in model.model.vision_embed_tokens.state_dict().items()})
    fresh = write(tmp_path / "three", plan.seed).model.vision_embed_tokens.state_dict()
    assert all(torch.equal(learnt[0][name], learnt[1][name]) for name in fresh)
    assert not all(torch.equal(learnt[0][name], fresh[name]) for name in fresh)
    assert "landmarks" in lines[-1]


def test_what_is_installed_says_nothing_of_who_made_it(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (made / "weights").write_bytes(b"w")
    (made / "training.json").write_text(json.dumps({"status": "complete", "sessions": [{"command": ["/home/me"]}]}))
    install(made, tmp_path / "shipped", ["weights"])
    assert (tmp_path / "shipped" / "weights").read_bytes() == b"w"
    assert json.loads((tmp_path / "shipped" / "training.json").read_text()) == {"status": "complete", "sessions": []}
