"""What executors need that may not be here. Called by ``coabench list``, so nothing is imported."""

from __future__ import annotations

from coabench.detector import Unavailable, missing


def ray() -> Unavailable | None:
    return missing("ray", "pip install 'coabench[ray]'")
