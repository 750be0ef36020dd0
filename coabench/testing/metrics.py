"""Checks of a metric: a plain value for any run, the same each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from typing import Any

from coabench.registry.registrations import Registration
from coabench.testing.check import Check, Checks
from coabench.testing.defects import metrics as defects
from coabench.testing.findings import Finding, is_json
from coabench.testing.spaces import BASIC, COMPOUND

Case = tuple[list[str], list[str | None], dict[str, Any]]


def cases() -> dict[str, Case]:
    """Return arguments that real runs bring, by what is special about them."""
    made: dict[str, Case] = {}
    for space in (BASIC, COMPOUND):
        names, labels = list(space.names), space.describe()
        targets = names * 3
        turned = [names[(i + i // 4) % len(names)] for i in range(len(targets))]
        kind = "compound" if space.compound else "basic"
        made[f"some right, {kind} labels"] = (targets, list(turned), labels)
        made[f"all right, {kind} labels"] = (targets, list(targets), labels)
        made[f"all wrong, {kind} labels"] = (targets, [*targets[1:], targets[0]], labels)
        made[f"one class only, {kind} labels"] = (names[:1] * 4, list(names[:1] * 4), labels)
        made[f"one sample, {kind} labels"] = (names[:1], list(names[1:2]), labels)
        some = [None if i % 3 == 0 else label for i, label in enumerate(turned)]
        made[f"some invalid, {kind} labels"] = (targets, some, labels)
        made[f"all invalid, {kind} labels"] = (targets, [None] * len(targets), labels)
        made[f"one sample, invalid, {kind} labels"] = (names[:1], [None], labels)
    return made


class _Checks(Checks):
    kind = "metrics"

    def checks(self) -> Iterator[Check]:
        function = self.load()
        for what, case in cases().items():
            yield partial(self.call, function, what, case)

    def call(self, function: Callable[..., Any], what: str, case: Case) -> None:
        """Call it twice with a case."""
        targets, predictions, labels = deepcopy(case)
        value = self.attempt(
            defects.FAILS_ON_NONE if None in predictions else defects.FAILS, function, targets, predictions, labels
        )
        self.need(is_json(value), defects.NOT_JSON, f"{what}: {value!r}"[:200])
        again = function(*deepcopy(case))
        self.need(not is_json(value) or value == again, defects.UNSTEADY, f"{what}: {value!r} and {again!r}"[:300])


def check(metric: str | Registration | Callable[..., Any]) -> list[Finding]:
    """Check a metric (the name it is registered under, its registration, or the target) and return what is wrong."""
    return _Checks(metric).result()
