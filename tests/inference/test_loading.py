"""Images that are loaded ahead, and what becomes of the threads when nobody wants them any more."""

from __future__ import annotations

import threading

import pytest

from coabench.inference.loading import load_ahead
from coabench.testing.pictures import Picture


@pytest.mark.timeout(60)
def test_leaving_off_does_not_wait_for_what_is_being_prepared() -> None:
    begun, release = threading.Event(), threading.Event()

    def prepare(position: int, image: object) -> int:
        if position:
            begun.set()
            release.wait(120)
        return position

    loaded = load_ahead([Picture(f"{i}.png", "Fear", i) for i in range(9)], prepare, ahead=lambda: 4)
    assert next(loaded).prepared == 0
    assert begun.wait(120)
    loaded.close()  # would never return if it joined the thread
    assert not release.is_set()
    release.set()
