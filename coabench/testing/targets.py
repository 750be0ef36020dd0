"""From what a test or a command names to the thing that is checked."""

from __future__ import annotations

from typing import Any

from coabench.errors import UserError
from coabench.registry.catalog import Unpackaged
from coabench.registry.loader import get_plugins
from coabench.registry.registrations import Registration
from coabench.testing.defects.common import NOT_IMPORTABLE
from coabench.testing.findings import Findings, Stop, describe


def named(kind: str, what: Any) -> Registration:
    """Return a registration: of a registered name (`UserError` where there is none), itself, or of a target at hand."""
    if isinstance(what, str):
        return get_plugins().registries[kind].find(what)
    if isinstance(what, Registration):
        return what
    return Unpackaged(getattr(what, "__name__", type(what).__name__), "", "", "", thing=what)


def loaded(subject: Registration, findings: Findings) -> Any:
    """Return the target; `UserError` where its module says itself, in words, that something is not here."""
    try:
        return subject.load()
    except UserError as error:
        if error.__cause__ is None:
            raise
        findings.add(NOT_IMPORTABLE, f"{subject.target}: {describe(error.__cause__)}")
        raise Stop from error


def detail_of(registration: Registration, detail: str, default: Any = None) -> Any:
    """Return a detail of a registration; *default* where it has none."""
    value = registration.details.get(detail)
    return default if value is None else value
