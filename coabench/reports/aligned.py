"""Runs on the same samples, side by side."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coabench.errors import UserError
from coabench.metrics.predictions import Predicted
from coabench.runs.finished import RecordedRun
from coabench.runs.stored import Reordered

EXAMPLES = 5
"""How many ids an error shows."""


@dataclass(frozen=True)
class Aligned:
    """Runs that answered the same samples.

    Attributes:
        records: of each run, in the order of the first.
        answers: what each run predicted, all in the order of the first.
    """

    runs: Sequence[RecordedRun]
    records: Sequence[Sequence[Mapping[str, Any]]]
    answers: Sequence[Predicted]


def align(runs: Sequence[RecordedRun]) -> Aligned:
    """Lay runs on the same samples side by side.

    Raises:
        UserError: one has other labels, samples, images or persons than the first.
    """
    first = runs[0]
    names = first.manifest["labels"]["names"]
    records: list[Sequence[Mapping[str, Any]]] = [first.records]
    answers = [Predicted.of(first.records, names)]
    for run in runs[1:]:
        if run.manifest["labels"]["names"] != names:
            raise UserError(
                "the runs have different labels",
                expected=f"{first.directory}: {', '.join(names)}",
                found=f"{run.directory}: {', '.join(run.manifest['labels']['names'])}",
                remedy="compare runs on the same data set",
            )
        records.append(_in_order_of(first, run))
        answers.append(Predicted.of(records[-1], names))
        if not np.array_equal(answers[0].units, answers[-1].units):
            raise UserError(
                "the runs do not name the same persons",
                expected="the same attribute 'subject' for each sample: a test over persons needs it",
                found=f"{first.directory}: {_persons(answers[0])}; {run.directory}: {_persons(answers[-1])}",
                remedy="score the file again with --like RUN or --subject-column NAME",
            )
    return Aligned(runs, records, answers)


def _in_order_of(first: RecordedRun, run: RecordedRun) -> Sequence[Mapping[str, Any]]:
    """Return the records of *run* in the order of the first, in which most runs are."""
    if _same_samples(first.records, run.records):
        return run.records
    _check_samples(first.directory, run.directory, [first.records, run.records])
    position = {record["id"]: i for i, record in enumerate(run.records)}
    return Reordered(run.records, array("q", (position[record["id"]] for record in first.records)))


def _same_samples(first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]]) -> bool:
    """Whether both are about the same samples in the same order, each once: seen side by side, only ids are kept."""
    ids: set[str] = set()
    for a, b in zip(first, second, strict=False):
        shas = [record.get("image_sha256") for record in (a, b)]
        if (a["id"], a["target"]) != (b["id"], b["target"]) or (all(shas) and shas[0] != shas[1]):
            return False
        ids.add(a["id"])
    return len(ids) == len(first) == len(second)


def attributes_of(sample: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what is known of a sample from its records: a run that was scored from a file may lack some."""
    return {key: value for record in reversed(sample) for key, value in (record.get("attributes") or {}).items()}


def _persons(run: Predicted) -> str:
    return "no person is on two images" if run.subjects is None else f"{run.subjects} persons"


def _check_samples(first: Path, second: Path, logs: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    """Refuse runs on different samples, and say which."""
    a, b = ({record["id"]: record["target"] for record in log} for log in logs)
    differences = [
        (f"only in {first}", [id for id in a if id not in b]),
        (f"only in {second}", [id for id in b if id not in a]),
        ("with another target", [id for id in a if id in b and a[id] != b[id]]),
    ]
    found = [f"{len(ids)} {what}: {_some(ids)}" for what, ids in differences if ids]
    for directory, log, targets in ((first, logs[0], a), (second, logs[1], b)):
        if len(targets) < len(log):
            found.append(f"{len(log) - len(targets)} ids twice in {directory}")
    if found:
        raise UserError(
            "the runs answered different samples",
            expected="two runs on the same split of the same data",
            found="\n    ".join(["", *found]),
            remedy="evaluate both on the same samples; `coabench leaderboard` shows which runs are comparable",
        )
    images = [{r["id"]: r.get("image_sha256") for r in log} for log in logs]
    other = [id for id, digest in images[0].items() if digest and images[1][id] and digest != images[1][id]]
    if other:
        raise UserError(
            "the runs answered about different images",
            expected="the same image behind the same id",
            found=f"{len(other)} ids whose images differ: {_some(other)}",
            remedy="evaluate both on the same copy of the data",
        )


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:EXAMPLES]) + (" …" if len(ids) > EXAMPLES else "")
