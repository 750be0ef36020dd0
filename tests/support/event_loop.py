"""An event loop for a test."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(scenario: Coroutine[Any, Any, Result]) -> Result:
    """Return what a scenario returns.

    It is run in a thread of its own: Playwright's loop runs in the main thread while it has a browser.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, scenario).result()
