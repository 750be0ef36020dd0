"""From what a test or a command names to the thing that is checked."""

from __future__ import annotations

from typing import Any

from coabench.errors import UserError
from coabench.registry.catalog import Unpackaged
from coabench.registry.loader import get_plugins
from coabench.registry.registrations import Registration
from coabench.testing.defects.common import NOT_IMPORTABLE
from coabench.testing.findings import Findings, Stop, told


def named(kind: str, what: Any) -> Registration:
    """Return a registration: of a registered name (`UserError` where there is none), itself, or of a target at hand."""
    if isinstance(what, str):
        found: Registration = get_plugins().registries[kind].find(what)
        return found
    if isinstance(what, Registration):
        return what
    return Unpackaged(getattr(what, "__name__", type(what).__name__), "", "", "", thing=what)


def loaded(subject: Registration, found: Findings) -> Any:
    """Return the target; `UserError` where its module says itself, in words, that something is not here."""
    try:
        return subject.load()
    except UserError as error:
        if error.__cause__ is None:
            raise
        found.add(NOT_IMPORTABLE, f"{subject.target}: {told(error.__cause__)}")
        raise Stop from error


def thing_of(found: Registration, detail: str, default: Any = None) -> Any:
    """Return a detail of a registration; *default* where it has none."""
    value = found.details.get(detail)
    return default if value is None else value
