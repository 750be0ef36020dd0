"""The decorator of a fuzz test."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

SEED = int(os.environ.get("FUZZ_SEED", "0"))
INPUTS = int(os.environ.get("FUZZ_INPUTS", "400"))
"""Over all kinds; their shares sum to 1."""


def fuzz(share: float, **strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test on its *share* of the inputs, drawn from *strategies*; the smallest input that fails is shown."""
    applied = settings(
        max_examples=max(1, round(INPUTS * share)),
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )

    def wrap(test: Callable[..., None]) -> Callable[..., None]:
        return seed(SEED)(applied(given(**strategies)(test)))

    return wrap
