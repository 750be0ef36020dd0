"""Checks of a metric: a plain value for any run, the same each time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

from coabench.errors import UserError
from coabench.labels import LabelSpace
from coabench.registry.metrics import asks_for_records, call_metric
from coabench.registry.registrations import Registration
from coabench.testing.check import Check, Checks
from coabench.testing.defects import metrics as defects
from coabench.testing.findings import Finding, is_json
from coabench.testing.spaces import BASIC, COMPOUND


class Case(NamedTuple):
    """What a metric is called with.

    Attributes:
        bare: whether the records lack scores, attributes and votes.
    """

    targets: list[str]
    predictions: list[str | None]
    labels: dict[str, Any]
    records: list[dict[str, Any]]
    bare: bool = False


def cases() -> dict[str, Case]:
    """Return arguments that real runs bring, by what is special about them."""
    made: dict[str, Case] = {}
    for space in (BASIC, COMPOUND):
        names, case = list(space.names), partial(_case, space)
        targets = names * 3
        turned = [names[(i + i // 4) % len(names)] for i in range(len(targets))]
        kind = "compound" if space.compound else "basic"
        made[f"some right, {kind} labels"] = case(targets, turned)
        made[f"all right, {kind} labels"] = case(targets, targets)
        made[f"all wrong, {kind} labels"] = case(targets, [*targets[1:], targets[0]])
        made[f"one class only, {kind} labels"] = case(names[:1] * 4, names[:1] * 4)
        made[f"one sample, {kind} labels"] = case(names[:1], names[1:2])
        some = [None if i % 3 == 0 else label for i, label in enumerate(turned)]
        made[f"some invalid, {kind} labels"] = case(targets, some)
        made[f"all invalid, {kind} labels"] = case(targets, [None] * len(targets))
        made[f"one sample, invalid, {kind} labels"] = case(names[:1], [None])
        made[f"no scores, votes or attributes, {kind} labels"] = case(targets, turned, bare=True)
    return made


def _case(space: LabelSpace, targets: Sequence[str], predictions: Sequence[str | None], bare: bool = False) -> Case:
    pairs = enumerate(zip(targets, predictions, strict=True))
    records = [_record(space.names, i, target, prediction, bare) for i, (target, prediction) in pairs]
    return Case(list(targets), list(predictions), space.describe(), records, bare)


def _record(names: tuple[str, ...], number: int, target: str, prediction: str | None, bare: bool) -> dict[str, Any]:
    """Return a record as a log has it, of one question that was scored, or of a file of predictions."""
    made: dict[str, Any] = {
        "id": f"testing/{number:03}",
        "image": f"{number:03}.png",
        "image_sha256": None,
        "target": target,
        "prediction": prediction,
        "status": "invalid" if prediction is None else "ok",
        "reason": "unparsed" if prediction is None else None,
        "turns": [],
        "attributes": {},
        "seconds": None,
    }
    if bare:
        return made
    scores = {name: round(math.log(3 if name == prediction else 1) - math.log(len(names) + 2), 6) for name in names}
    turn = {"name": "answer", "prompt": "Which?", "options": list(names), "response": prediction or "mumble",
            "label": prediction, "match": None, "scores": scores if prediction else None,
            "prompt_tokens": 20, "cached_tokens": 0, "new_tokens": 2}  # fmt: skip
    votes = {target: 7, names[number % len(names)]: 3} if names[number % len(names)] != target else {target: 10}
    known = {"attributes": {"subject": f"p{number // 2}", "age": 20 + number}, "seconds": 0.1, "votes": votes}
    return {**made, "turns": [turn], **known}


class _Checks(Checks):
    kind = "metrics"

    def checks(self) -> Iterator[Check]:
        function = self.load()
        self.left_out: list[UserError] = []
        made = cases()
        for what, case in made.items():
            yield partial(self.call, function, what, case)
        if len(self.left_out) == len(made):
            yield self.nothing_fits

    def call(self, function: Callable[..., Any], what: str, case: Case) -> None:
        """Call it twice with a case."""
        asks = asks_for_records(function)
        defect = defects.FAILS_ON_NONE if None in case.predictions else defects.FAILS
        if asks and case.bare:
            defect = defects.FAILS_WITHOUT
        try:
            value = self.attempt(defect, _call, function, case, allowed=UserError if asks else ())
        except UserError as error:  # it says in words what these records lack
            self.left_out.append(error)
            return
        self.need(is_json(value), defects.NOT_JSON, f"{what}: {value!r}"[:200])
        again = _call(function, case)
        self.need(not is_json(value) or value == again, defects.UNSTEADY, f"{what}: {value!r} and {again!r}"[:300])

    def nothing_fits(self) -> None:
        """Say that nothing was checked: every case lacked something."""
        raise UserError(
            f"it left out every run: {self.left_out[0].problem}", remedy="test it on a run that has what it needs"
        )


def _call(function: Callable[..., Any], case: Case) -> Any:
    return call_metric(function, case.targets, case.predictions, case.labels, lambda: deepcopy(case.records))


def check(metric: str | Registration | Callable[..., Any]) -> list[Finding]:
    """Check a metric (the name it is registered under, its registration, or the target) and return what is wrong."""
    return _Checks(metric).result()
