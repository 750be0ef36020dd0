"""Defects of a section of the report, planted."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from support.planted import assert_named

from coabench.errors import UserError
from coabench.section import Histogram, Section, Table
from coabench.testing.sections import check

COUNTER = itertools.count()


def sound(manifest: Any, metrics: Any, records: Any) -> Section:
    return Section("Labels", [Table(["label", "n"], [[label, 1] for label in manifest["labels"]["names"]])])


def seconds(manifest: Any, metrics: Any, records: Any) -> Section:
    return Section("Time", [Histogram([record["seconds"] for record in records], "s", "Times.")])


def voted(manifest: Any, metrics: Any) -> Section:
    if metrics["votes"] is None:
        raise UserError("this run has no votes")
    return Section("Votes", sorted(metrics["votes"]))


def needs_scores(manifest: Any, metrics: Any, records: Any) -> Section:
    return Section("Scores", [Table(["n"], [[len(record["turns"][0]["scores"] or {})] for record in records])])


def first_prediction(manifest: Any, metrics: Any, records: Any) -> Section:
    return Section(records[0]["prediction"].lower(), [])


PLANTED: dict[str, tuple[Callable[..., Any], str, str]] = {
    "without times": (seconds, "no-section", "a value of a histogram is None"),
    "without turns": (needs_scores, "fails-on-missing", "IndexError"),
    "invalid": (first_prediction, "fails", "'NoneType' object has no attribute 'lower'"),
    "html": (lambda manifest, metrics: "<b>", "no-section", "it returned str"),
    "unsteady": (lambda manifest, metrics: Section(f"{next(COUNTER)}", []), "unsteady-section", "some right"),
}


def test_sound_sections() -> None:
    assert check(sound) == []
    assert check(voted) == []
    assert check(lambda manifest, metrics: None) == []


@pytest.mark.parametrize("what", PLANTED)
def test_defects_are_named(what: str) -> None:
    section, defect, evidence = PLANTED[what]
    assert_named(check(section), defect, evidence)


def test_one_that_leaves_every_run_out_is_not_checked() -> None:
    def never(manifest: Any, metrics: Any) -> Section:
        raise UserError("this needs more than there is")

    [finding] = check(never)
    assert finding.defect.level == "unchecked"
    assert "it left out every run: this needs more than there is" in str(finding)
