"""The kinds of jobs that a sweep can consist of, by the name of their command; and all that a worker carries out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coabench.sweep.evaluations import Evaluations
from coabench.sweep.kind import Kind, Work
from coabench.sweep.together import EvaluationsTogether
from coabench.sweep.trainings import Trainings

EVALUATE = Evaluations()
TRAIN = Trainings()
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (EVALUATE, TRAIN)}
WORKS: Mapping[str, Work] = {work.name: work for work in (*KINDS.values(), EvaluationsTogether())}


def kind_of(request: Any) -> Kind:
    """Return the kind of job that a request is for."""
    return next(kind for kind in KINDS.values() if isinstance(request, kind.request))


def work_of(request: Any) -> Work:
    """Return what carries out a request."""
    return next(work for work in WORKS.values() if isinstance(request, work.request))
