"""The appendix of a paper, of stresses too: in place of the folder of one stand the runs of its conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from coabench.errors import UserError
from coabench.render.document import Block, Heading, Text
from coabench.reports.appendix import appendix as appendix_of_runs
from coabench.robustness.folder import StressFolder, is_stress


def appendix(folders: Sequence[Path]) -> list[Block]:
    """Return the appendix of runs, trainings and stresses.

    Raises:
        UserError: a folder holds none of these, is named twice, or what it holds is unfinished or damaged.
    """
    stresses = {folder: _finished(folder) for folder in folders if is_stress(folder)}
    blocks = appendix_of_runs([run for each in folders for run in _runs(each, stresses.get(each))])
    if left_out := [
        Text(f"{s.directory}: {each.name}: {each.reason}") for s in stresses.values() for each in s.left_out
    ]:
        blocks += [Heading("Conditions left out"), *left_out]
    return blocks


def _finished(folder: Path) -> StressFolder:
    stress = StressFolder.read(folder)
    if missing := stress.missing:
        raise UserError(
            f"the stress {folder} is not finished",
            found=f"no complete run of {', '.join(missing)}",
            remedy="finish it first: the same `coabench stress` command resumes it",
        )
    return stress


def _runs(folder: Path, stress: StressFolder | None) -> Iterator[Path]:
    if stress is None:
        yield folder
    else:
        yield from (path for _, path in stress.runs())
