"""Defects of executors, planted, are named; a sound one has none."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from support.planted import assert_named
from support.runs import manifest

from coabench.errors import JobError
from coabench.sweep.choose import open_executor
from coabench.sweep.executor import Ending, Executor, ExecutorRequest
from coabench.sweep.planned import Planned
from coabench.sweep.worker import perform
from coabench.testing import executors, registered
from coabench.testing.executors import check, planned


class Sound(Executor):
    """One run after the other, in this process."""

    def __init__(self, request: ExecutorRequest) -> None:
        pass

    def execute(self, runs: Sequence[Planned]) -> Generator[Ending | None]:
        for run in runs:
            yield None
            yield Ending(run, perform(run.request, run.identity))


class Forgets(Sound):
    def execute(self, runs: Sequence[Planned]) -> Generator[Ending | None]:
        yield from super().execute(runs[:-1])


class Raises(Sound):
    def execute(self, runs: Sequence[Planned]) -> Generator[Ending | None]:
        for ending in super().execute(runs):
            if ending and ending.problem:
                raise RuntimeError(ending.problem)
            yield ending


class Hides(Sound):
    def execute(self, runs: Sequence[Planned]) -> Generator[Ending | None]:
        for ending in super().execute(runs):
            yield ending and Ending(ending.run)


class DoesNothing(Sound):
    def execute(self, runs: Sequence[Planned]) -> Generator[Ending | None]:
        yield from (Ending(run, "failed" if run.identity.seed == 99 else None) for run in runs)


class SaysNames(Sound):
    def execute(self, runs: Sequence[Planned]) -> Generator[Any]:
        yield from (run.label for run in runs)


class GoesOn(Sound):
    def execute(self, runs: Sequence[Planned]) -> Generator[Ending | None]:
        endings: list[Ending] = []

        def work() -> None:
            endings.extend(Ending(run, perform(run.request, run.identity)) for run in runs)

        thread = Thread(target=work)
        thread.start()
        yield None
        thread.join()
        yield from endings


def test_a_sound_executor_has_no_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "QUIET", 0.05)
    assert [str(finding) for finding in check(Sound)] == []


@pytest.mark.parametrize(
    ("executor", "defect"),
    [
        (Forgets, "not-once"), (Raises, "fails"), (Hides, "hides-failure"),
        (DoesNothing, "not-done"), (SaysNames, "no-ending"), (lambda request: object(), "no-executor"),
    ],
)  # fmt: skip
def test_a_defect_is_named(monkeypatch: pytest.MonkeyPatch, executor: Any, defect: str) -> None:
    monkeypatch.setattr(executors, "QUIET", 0.0)
    assert_named(check(executor), defect)


def test_one_that_goes_on_after_it_was_closed_is_named() -> None:
    assert_named(check(GoesOn), "goes-on")


def test_the_one_of_a_plugin_is_found_by_name_and_carries_out_runs(tmp_path: Path) -> None:
    runs = planned(tmp_path, 2)
    with registered("executors", "here", Sound):
        endings = [ending for ending in open_executor("here").execute(runs) if ending]
    assert [(ending.run, ending.problem) for ending in endings] == [(run, None) for run in runs]
    assert {manifest(run.directory)["status"] for run in runs} == {"complete"}


def test_one_that_fails_is_named_with_its_plugin(tmp_path: Path) -> None:
    class Fails(Sound):
        def execute(self, runs: Sequence[Planned]) -> Generator[Ending | None]:
            raise ConnectionError("the queue is gone")
            yield None

    with registered("executors", "queue", Fails), pytest.raises(JobError) as error:
        list(open_executor("queue").execute([]))
    assert error.value.problem == "the executor 'queue' of plugin 'coabench.testing' fails"
    assert error.value.found == "ConnectionError: the queue is gone"
