"""How what plugins compute from a run is called: a metric, a section of the report."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

RECORDS = "records"
"""The parameter by which a function asks for the records of a run."""


def asks_for_records(function: Callable[..., Any]) -> bool:
    """Whether a function has a parameter named ``records``."""
    return _records(function) is not None


def call_metric(
    metric: Callable[..., Any],
    targets: Sequence[str],
    predictions: Sequence[str | None],
    labels: Mapping[str, Any],
    records: Callable[[], list[dict[str, Any]]],
) -> Any:
    """Call a metric with copies of everything; *records* as with `call_on_run`."""
    return call_on_run(metric, records, list(targets), list(predictions), deepcopy(dict(labels)))


def call_on_run(function: Callable[..., Any], records: Callable[[], list[dict[str, Any]]], *arguments: Any) -> Any:
    """Call a function with the arguments, which are its own to change, and with the run's records if it asks for them.

    Args:
        records: returns the records, each call others that are equal; not called where nobody asks.
    """
    parameter = _records(function)
    if parameter is None:
        return function(*arguments)
    if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        return function(*arguments, records())
    return function(*arguments, **{RECORDS: records()})


def _records(function: Callable[..., Any]) -> inspect.Parameter | None:
    try:
        parameter = inspect.signature(function).parameters.get(RECORDS)
    except (TypeError, ValueError):  # of some builtins
        return None
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return None if parameter is None or parameter.kind in several else parameter
