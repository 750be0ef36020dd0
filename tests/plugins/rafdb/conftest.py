"""Opening fake RAF-DB trees with the real cards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from coabench_rafdb.dataset import RafDb

from coabench.base import shipped
from coabench.dataset import Card

Open = Callable[..., RafDb]


@pytest.fixture
def open_rafdb() -> Open:
    """Open a subset: ``open_rafdb(root, "basic", images="original")``."""

    def open_(root: Path | None, subset: str = "basic", **options: str) -> RafDb:
        card = Card.read(shipped.path("datasets_registry", f"raf-db-{subset}.yaml"))
        return RafDb(card, root, RafDb.Options(**options))  # type: ignore[arg-type]

    return open_
