"""A folder of runs, served within the process of the tests."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coabench.site import app
from coabench.site.job import SiteServing
from coabench.web.address import prepare
from coabench.web.server import running


@contextmanager
def site(root: Path, address: str = "127.0.0.1:0", images: bool = False, **options: bool) -> Iterator[str]:
    """Yield the address of the folder's site."""
    with (
        prepare(SiteServing(address, **options)) as bound,
        running(app.build_app(root, bound, images), bound, lambda _: None),
    ):
        yield bound.url


def look_again() -> None:
    """Wait until the site looks at its folder again."""
    time.sleep(app.FRESH + 0.05)
