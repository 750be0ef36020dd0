"""The pytest plugin: fixtures for the tests of plugins. Loaded in every pytest run, so nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

    from coabench.runs.result import FinishedRun


@pytest.fixture
def coabench_images() -> list[Image]:
    """Five small RGB images that differ."""
    from coabench.testing.pictures import tiny_images

    return tiny_images()


@pytest.fixture
def coabench_run(tmp_path: Path) -> Callable[..., FinishedRun]:
    """Evaluate a few samples in the test's folder: `coabench.testing.tiny_run` without its first argument."""
    from coabench.testing.runs import tiny_run

    made = 0

    def run(**arguments: Any) -> FinishedRun:
        nonlocal made
        made += 1
        return tiny_run(tmp_path / f"run-{made}", **arguments)

    return run
