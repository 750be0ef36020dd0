"""Calls in a thread: in order, never waited for but at the end, and an error that does not get lost."""

from __future__ import annotations

from threading import Event

import pytest

from coabench.support.background import Background


def test_calls_are_made_in_order_and_the_end_waits_for_them() -> None:
    made = list[int]()
    calls = Background("testing")
    for number in range(100):
        calls.call(made.append, number)
    assert calls.end(60)
    assert made == list(range(100))


def test_a_call_that_hangs_is_not_waited_for() -> None:
    held = Event()
    calls = Background("testing")
    calls.call(held.wait)
    calls.call(lambda: None)  # returns at once
    assert not calls.end(0.01)
    held.set()


def test_after_an_error_nothing_is_called_and_the_error_is_raised() -> None:
    made = list[int]()

    def fail() -> None:
        raise ConnectionError("nobody is there")

    calls = Background("testing")
    calls.call(fail)
    calls.call(made.append, 1)
    with pytest.raises(ConnectionError, match="nobody is there"):
        calls.end(60)
    with pytest.raises(ConnectionError, match="nobody is there"):
        calls.call(made.append, 2)
    assert made == []
