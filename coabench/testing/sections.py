"""Checks of a section of the report: something that can be shown for any run, the same each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import partial
from typing import Any

from coabench.base.version import __version__
from coabench.base.vocabulary import COMPLETE
from coabench.errors import UserError
from coabench.metrics.summary import summarise
from coabench.registry.registrations import Registration
from coabench.reports.plugin_sections import ShownSection, Unusable, call_section, checked
from coabench.runs.dataset_identity import DatasetIdentity
from coabench.runs.folder import SCHEMA
from coabench.runs.identity import BackboneIdentity, Parsing, RunIdentity, StrategyIdentity
from coabench.testing.check import Check, Checks
from coabench.testing.defects import sections as defects
from coabench.testing.findings import Finding
from coabench.testing.metrics import Case, cases


class _Checks(Checks):
    kind = "sections"

    def checks(self) -> Iterator[Check]:
        target = self.load()
        self.left_out: list[UserError] = []
        made = cases()
        for what, case in made.items():
            yield partial(self.call, target, what, case)
        if len(self.left_out) == len(made):
            yield self.nothing_fits

    def call(self, target: Callable[..., Any], what: str, case: Case) -> None:
        """Call it twice with a case."""
        defect = defects.FAILS_WITHOUT if case.bare else defects.FAILS
        try:
            section = self.attempt(defect, _call, target, case, allowed=UserError)
        except UserError as error:  # it says in words what this run lacks
            self.left_out.append(error)
            return
        try:
            shown = _shown(section)
        except Unusable as error:
            self.fail(defects.NO_SECTION, f"{what}: {error}")
        self.need(shown == _shown(_call(target, case)), defects.UNSTEADY, what)

    def nothing_fits(self) -> None:
        """Say that nothing was checked: every case lacked something."""
        raise UserError(
            f"it left out every run: {self.left_out[0].problem}", remedy="test it on a run that has what it needs"
        )


def _call(target: Callable[..., Any], case: Case) -> Any:
    metrics = summarise(case.records, case.labels)
    return call_section(target, _manifest(case), metrics, lambda: deepcopy(case.records))


def _shown(section: Any) -> ShownSection | None:
    return None if section is None else checked(section, ShownSection("", "", ""))


def _manifest(case: Case) -> Mapping[str, Any]:
    """Return the manifest of a run with these labels and records."""
    identity = RunIdentity(
        coabench=__version__,
        seed=0,
        backbone=BackboneIdentity(name="testing-backbone"),
        strategy=StrategyIdentity(name="direct"),
        decode="score",
        parsing=Parsing(),
        dataset=DatasetIdentity(name="testing", split="test", fingerprint="0" * 64, samples=len(case.records)),
    )
    return {
        "schema": SCHEMA, "status": COMPLETE, "reason": None, "identity": identity.to_json(), "labels": case.labels,
        "notes": [], "sessions": [], "started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:01:00+00:00",
        "seconds": 60.0, "images_per_second": 1.0,
    }  # fmt: skip


def check(section: str | Registration | Callable[..., Any]) -> list[Finding]:
    """Check a section (the name it is registered under, its registration, or the target); return what is wrong."""
    return _Checks(section).result()
