"""The thread of a live session: what it returns and raises, that it is one thread, and that it can hang."""

import threading

import pytest

from coabench.base.worker_thread import WorkerThread


def test_work_is_done_in_order_in_one_thread() -> None:
    thread = WorkerThread("test")
    assert thread.run(threading.get_ident) == thread.submit(threading.get_ident).result(10) != threading.get_ident()
    assert thread.close(10)


@pytest.mark.parametrize("kind", [ValueError, TimeoutError, KeyboardInterrupt])
def test_what_the_work_raises_is_raised_and_the_next_work_is_done(kind: type[BaseException]) -> None:
    def fail() -> None:
        raise kind("of the work")

    thread = WorkerThread("test")
    with pytest.raises(kind, match="of the work"):
        thread.run(fail)
    assert thread.run(lambda: 1) == 1
    assert thread.close(10)


def test_a_thread_that_hangs_is_left_behind() -> None:
    thread, release = WorkerThread("test"), threading.Event()
    hanging = thread.submit(lambda: release.wait(60))
    assert not hanging.cancel()
    assert not thread.close(0.01)
    release.set()
    assert thread.close(10)
