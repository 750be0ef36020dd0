"""What the tests of the port share: golden outputs of the published code, and backbones on the tiny checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from coabench_phi35v.backbone import Phi35Vision
from support import golden
from support.golden import FOLDER, Oracle


@pytest.fixture(scope="session")
def oracle() -> Oracle:
    if not FOLDER.is_dir():
        pytest.skip(f"golden outputs of the published code are not at {FOLDER}")
    torch.set_num_threads(2)
    return Oracle(FOLDER)


@pytest.fixture(scope="session")
def loaded(oracle: Oracle) -> Callable[..., Phi35Vision]:
    """Return backbones by (``base`` or ``lora_random``, options), loaded once in a session."""

    @cache
    def load(which: str = "base", **options: Any) -> Phi35Vision:
        return oracle.backbone(oracle.adapter if which == "lora_random" else None, **options)

    return load


@pytest.fixture(scope="session")
def last_logits() -> Callable[..., torch.Tensor]:
    """Return the function that runs rows through the model, without a cache, and returns their last logits."""
    return golden.last_logits
