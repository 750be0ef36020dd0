"""A few kills of every test run; `make kill` has sixty, of every job."""

from pathlib import Path

import pytest
from kill.suite import describe, run


@pytest.mark.process
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the processes of a job are found in /proc")
def test_a_few_kills_lose_nothing(tmp_path: Path) -> None:
    tallies = run(3, 7, tmp_path, ("evaluate", "leaderboard", "webcam"))
    assert sum(len(tally.progress) for tally in tallies.values()) == 3
    assert not [problem for tally in tallies.values() for problem in tally.problems], describe(tallies)


@pytest.mark.process
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the processes of a job are found in /proc")
def test_a_stress_that_is_killed_goes_on(tmp_path: Path) -> None:
    """At a random record, itself or the process of its runs: the records are those of one that nobody disturbed."""
    tallies = run(1, 5, tmp_path, ("stress",))
    assert any(0 < progress < tallies["stress"].total for progress in tallies["stress"].progress)
    assert not [problem for tally in tallies.values() for problem in tally.problems], describe(tallies)
