"""The runs of all folds of a split, put together: each sample once, answered by what had not learnt from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from coabench.base.text import common_name
from coabench.base.vocabulary import ERROR, INVALID
from coabench.errors import CoabenchError, UserError
from coabench.metrics.headline import FIGURES
from coabench.metrics.predictions import Predicted
from coabench.reports.entry import Answered, Entry, digest_of_samples
from coabench.runs.finished import RecordedRun, read_run
from coabench.runs.identity import RunIdentity

RULE = (
    "Folds are pooled: each sample once, answered by the run that held it out. Intervals and tests are those of any "
    "run, over samples or persons: trainings that share most of what they learn from say little of other training sets."
)


def pool_runs(runs: Sequence[RecordedRun]) -> RecordedRun:
    """Put together the runs of all folds, as if they were one run on the whole split; records are sorted by id.

    Raises:
        UserError: a fold is missing, has two runs with other predictions, or a sample is in two folds.
    """
    by_number: dict[int, RecordedRun] = {}
    for run in runs:
        number = _fold(run).number
        other = by_number.setdefault(number, run)
        if _predictions(other) != _predictions(run):
            raise UserError(
                f"fold {_fold(run)} has two runs with other predictions",
                found=f"{other.directory}, {run.directory}",
                remedy="delete one, or move it away",
            )
    of = _fold(runs[0]).of
    missing = [number for number in range(1, of + 1) if number not in by_number]
    if missing:
        raise UserError(
            f"{len(by_number)} of {of} folds: {', '.join(map(str, missing))} {'are' if missing[1:] else 'is'} missing",
            expected="a finished run of every fold",
            remedy="evaluate the others: coabench evaluate --fold K/N",
        )
    records = sorted((record for run in by_number.values() for record in run.records), key=_id)
    if len({*map(_id, records)}) < len(records):
        raise UserError("a sample is in the runs of two folds", remedy="restore their logs")
    first = by_number[1]
    dataset = replace(first.identity.dataset, fold=None, votes=None, samples=len(records))
    directory = Path(common_name([str(run.directory) for run in by_number.values()]))
    return RecordedRun(directory, first.manifest, replace(first.identity, dataset=dataset), records)


def read_pooled(directories: Sequence[Path]) -> list[RecordedRun]:
    """Read runs; where they are of several folds, those of each training seed and recipe become one.

    Raises:
        UserError: one is no finished run, or they are not of all folds.
    """
    runs = [read_run(directory) for directory in directories]
    if len({str(_fold(run)) for run in runs}) < 2:
        return runs
    pools: dict[str, list[RecordedRun]] = {}
    for run in runs:
        if run.identity.dataset.fold is None:
            raise UserError(
                "the runs are not all of folds", found=f"{run.directory} is of the whole split", remedy="leave it out"
            )
        pools.setdefault(run.identity.recipe(run.manifest.get("training"), ("fold",)), []).append(run)
    made = [pool_runs(own) for own in pools.values()]
    if len({run.directory for run in made}) < len(made):  # by their names nobody can tell them apart
        return [replace(run, directory=own[0].directory) for run, own in zip(made, pools.values(), strict=True)]
    return made


def pooled_notes(side: str, runs: Sequence[RecordedRun]) -> list[str]:
    """Return what a reader must know of a side of a comparison whose runs are pooled over folds."""
    pooled = any(run.identity != RunIdentity.read(run.manifest["identity"]) for run in runs)
    return [f"{side} is pooled over folds: each sample once, answered by the run that held it out."] if pooled else []


def over_folds(entries: Sequence[Entry]) -> list[Entry]:
    """Return entries with those of the folds of a recipe and seed put together.

    Whole runs on the same samples stay, and can be compared with them. What lacks folds cannot be compared.
    """
    pools: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.answered and entry.row.pool:
            pools.setdefault(entry.row.pool, []).append(entry)
    made = [_pooled(own) for own in pools.values()]
    groups = {entry.answered.group for entry in made if entry.answered}
    others = [entry for entry in entries if not (entry.answered and entry.row.pool)]
    return [*(_by_id(one) if one.answered and one.answered.group in groups else one for one in others), *made]


def _pooled(entries: Sequence[Entry]) -> Entry:
    rows = [entry.row for entry in entries]
    row = replace(
        rows[0],
        name=common_name([row.name for row in rows]),
        adapter=rows[0].adapter and common_name([str(row.adapter) for row in rows]),
        source=common_name([row.source for row in rows]),
        options=None,
        images_per_second=None,
    )
    try:
        runs = [read_run(Path(entry.row.source)) for entry in entries]
        run = pool_runs(runs)
        answered = _answered(entries[0], run)
    except CoabenchError as error:
        return Entry(row).not_ranked(error.problem)
    n, statuses = len(run.records), Counter(record["status"] for record in run.records)
    row = replace(
        row,
        samples=n,
        settings=run.identity.columns()["settings"],
        fold=f"{_fold(runs[0]).of} folds",
        recipe=runs[0].identity.recipe(runs[0].manifest.get("training"), ("seed", "fold")),
        figures={figure.key: figure.measure(answered.predicted)[0] for figure in FIGURES},
        invalid=statuses[INVALID],
        invalid_rate=statuses[INVALID] / n,
        errors=statuses[ERROR],
        note=None,
    )
    return Entry(row, answered)


def _by_id(entry: Entry) -> Entry:
    """Return the entry of a whole run with its samples in the order of what is pooled."""
    try:
        run = read_run(Path(entry.row.source))
    except CoabenchError as error:
        return entry.not_ranked(error.problem)
    return replace(entry, answered=_answered(entry, replace(run, records=sorted(run.records, key=_id))))


def _answered(entry: Entry, run: RecordedRun) -> Answered:
    assert entry.answered
    group = entry.answered.group._replace(samples=len(run.records), fold="")
    return Answered(group, digest_of_samples(run.records), Predicted.of(run.records, group.labels))


def _fold(run: RecordedRun) -> Any:
    return run.identity.dataset.fold


def _id(record: Any) -> str:
    return str(record["id"])


def _predictions(run: RecordedRun) -> list[Any]:
    return [(record["id"], record["prediction"]) for record in run.records]
