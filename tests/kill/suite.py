"""SIGKILL at random moments: whatever is killed, the same command ends with the results of an undisturbed run.

python tests/kill/suite.py --kills 60 --seed 0     # or: make kill KILLS=60 SEED=0
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent.parent)]

from kill.jobs import JOBS, Job, make_jobs
from support.in_process import declare
from support.process import SCRIPTED, process_environment

BY_TIME = 0.3
"""The part of the kills that strike after a random time, the start and the end of the job included; the others strike
at a random record."""
PATIENCE = 120.0
"""Seconds in which what belongs to a killed job must end, and in which a job must get anywhere."""
LOOK = 0.5
"""Seconds between two looks at which processes a job has."""
MARK = "COABENCH_KILL"
"""The variable by which the processes of a job are found, wherever they have gone."""


@dataclass
class Tally:
    """What became of the kills of a job: how far it was each time, and what was wrong afterwards."""

    total: int
    progress: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def run(kills: int, seed: int, base: Path, names: Sequence[str] = tuple(JOBS)) -> dict[str, Tally]:
    """Kill the jobs of these names so many times in all; what was wrong is in the tallies and kept in *base*."""
    if not Path("/proc/self/environ").exists():
        raise SystemExit("skipped: the processes of a job are found in /proc, which this system does not have")
    chance, environment = random.Random(seed), _environment(base)
    jobs = make_jobs(base, environment, tuple(names))
    tallies = {name: Tally(job.total) for name, job in jobs.items()}
    wholes: dict[str, tuple[Any, float]] = {}
    for number, name in enumerate(_shares(jobs, kills)):
        job = jobs[name]
        if name not in wholes:
            wholes[name] = _undisturbed(job, _folder(base, f"{name}-whole", job), environment)
        folder = _folder(base, f"{name}-{number}", job)
        try:
            tallies[name].progress.append(_kill(job, folder, environment, chance, wholes[name][1]))
            job.inspect(folder)
            printed = _complete(job, folder, environment)
            assert job.result(folder, printed) == wholes[name][0], "the results differ from those of an undisturbed run"
        except AssertionError as error:
            tallies[name].problems.append(f"{folder}: {error}")
        print(f"{number + 1}/{kills} {name}: killed at {tallies[name].progress[-1:]} of {job.total}", file=sys.stderr)
    return tallies


def _shares(jobs: Mapping[str, Job], kills: int) -> list[str]:
    """Return whom to kill, each job as often as its weight says."""
    given = dict.fromkeys(jobs, 0)
    order = []
    for _ in range(kills):
        name = min(jobs, key=lambda name: (given[name] + 1) / jobs[name].weight)
        given[name] += 1
        order.append(name)
    return order


def _environment(base: Path) -> dict[str, str]:
    plugin = declare(SCRIPTED, base / "plugin")
    return process_environment(*plugin, HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1", XDG_CONFIG_HOME=str(base / "config"))


def _folder(base: Path, name: str, job: Job) -> Path:
    folder = base / name
    folder.mkdir()
    job.prepare(folder)
    return folder


def _start(job: Job, folder: Path, environment: Mapping[str, str], log: str) -> subprocess.Popen[bytes]:
    own = {**environment, "COABENCH_CACHE": str(folder / "cache"), MARK: str(folder)}
    with (folder / f"{log}.out").open("wb") as printed, (folder / f"{log}.err").open("wb") as said:
        return subprocess.Popen(
            [sys.executable, *job.words], cwd=folder, env=own, stdin=subprocess.DEVNULL, stdout=printed, stderr=said
        )


def _complete(job: Job, folder: Path, environment: Mapping[str, str]) -> str:
    """Run the job to its end; return what it printed."""
    code = _start(job, folder, environment, "again").wait()
    said = (folder / "again.err").read_text(errors="replace")
    assert code == 0, f"exit code {code}: {said[-2000:]}"
    assert "Traceback" not in said, said[-2000:]
    _wait_for_the_end(folder)
    return (folder / "again.out").read_text(errors="replace")


def _undisturbed(job: Job, folder: Path, environment: Mapping[str, str]) -> tuple[Any, float]:
    """Return the result of a run that nobody kills, and how many seconds it took."""
    started = time.monotonic()
    printed = _complete(job, folder, environment)
    return job.result(folder, printed), time.monotonic() - started


def _kill(job: Job, folder: Path, environment: Mapping[str, str], chance: random.Random, seconds: float) -> int:
    """Start the job, kill it, or one of its processes, at a random moment; return how far it was."""
    target = chance.randrange(job.total)
    moment = chance.uniform(0.2, seconds) if chance.random() < BY_TIME else None
    pause = chance.uniform(0, 0.05)
    process = _start(job, folder, environment, "killed")
    started = time.monotonic()
    processes, looked = [process.pid], started
    while process.poll() is None and (now := time.monotonic()) - started < PATIENCE:
        if job.progress(folder) > target if moment is None else now - started > moment:
            break
        if now - looked > LOOK:  # not at the last moment: it takes longer than a record
            processes, looked = _processes(folder), time.monotonic()
        time.sleep(0.002)
    time.sleep(pause)
    for pid in processes if chance.random() < 0.5 else [chance.choice(processes or [process.pid])]:
        _signal(pid)
    progress = job.progress(folder)
    process.wait(PATIENCE)
    _wait_for_the_end(folder)
    return progress


def _signal(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _processes(folder: Path) -> list[int]:
    """Return the processes of the job in a folder, in no order."""
    mark = f"{MARK}={folder}\0".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _wait_for_the_end(folder: Path) -> None:
    """Wait for what a killed process leaves: others of its job, which notice that it is gone."""
    until = time.monotonic() + PATIENCE
    while left := _processes(folder):
        if time.monotonic() > until:
            for pid in left:
                _signal(pid)
            raise AssertionError(f"{len(left)} processes of a killed job did not end within {PATIENCE:.0f} s")
        time.sleep(0.02)


def describe(tallies: Mapping[str, Tally]) -> str:
    """Return the tallies as a table."""
    lines = [f"{'job':<12} {'kills':>5}  {'killed at, of':<24} {'continued with':>14}  results"]
    for name, tally in tallies.items():
        if tally.progress:
            span = f"{min(tally.progress)} to {max(tally.progress)} of {tally.total}"
            equal = "all equal" if not tally.problems else f"{len(tally.problems)} DIFFER"
            lines.append(f"{name:<12} {len(tally.progress):>5}  {span:<24} {sum(tally.progress):>14}  {equal}")
    return "\n".join(lines)


def main() -> None:
    """Kill, and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", nargs="+", choices=list(JOBS), default=list(JOBS))
    options = parser.parse_args()
    names = [name for name in options.jobs if name != "ray" or importlib.util.find_spec("ray")]
    if len(names) < len(options.jobs):
        print("no sweep on Ray is killed: Ray is not installed", file=sys.stderr)
    base, started = Path(tempfile.mkdtemp(prefix="coabench-kill-")), time.monotonic()
    tallies = run(options.kills, options.seed, base, names)
    print(describe(tallies))
    print(f"seed {options.seed}, {time.monotonic() - started:.0f} s, {base}")
    problems = [problem for tally in tallies.values() for problem in tally.problems]
    print("\n".join(problems), end="\n" if problems else "")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
