"""The kinds of jobs that a sweep can consist of, by the name of their command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coabench.sweep.evaluations import Evaluations
from coabench.sweep.kind import Kind
from coabench.sweep.trainings import Trainings

EVALUATE = Evaluations()
TRAIN = Trainings()
KINDS: Mapping[str, Kind] = {kind.options.command: kind for kind in (EVALUATE, TRAIN)}


def kind_of(request: Any) -> Kind:
    """Return the kind of job that a request is for."""
    return next(kind for kind in KINDS.values() if isinstance(request, kind.request))
