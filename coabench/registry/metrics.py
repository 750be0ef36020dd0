"""How a metric of a plugin is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

RECORDS = "records"
"""The parameter by which a metric asks for the records of a run."""


def asks_for_records(metric: Callable[..., Any]) -> bool:
    """Whether a metric has a parameter named ``records``."""
    return _records(metric) is not None


def call_metric(
    metric: Callable[..., Any],
    targets: Sequence[str],
    predictions: Sequence[str | None],
    labels: Mapping[str, Any],
    records: Callable[[], list[dict[str, Any]]],
) -> Any:
    """Call a metric with copies of everything, and with the run's records if it asks for them.

    Args:
        records: returns the records, each call others that are equal; not called where nobody asks.
    """
    arguments = list(targets), list(predictions), deepcopy(dict(labels))
    parameter = _records(metric)
    if parameter is None:
        return metric(*arguments)
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        return metric(*arguments, records())
    return metric(*arguments, **{RECORDS: records()})


def _records(metric: Callable[..., Any]) -> inspect.Parameter | None:
    try:
        parameter = inspect.signature(metric).parameters.get(RECORDS)
    except (TypeError, ValueError):  # of some builtins
        return None
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return None if parameter is None or parameter.kind in several else parameter
