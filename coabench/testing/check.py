"""What the checks of all kinds have in common: from what is named to its target and options, and to the findings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from coabench.errors import UserError
from coabench.registry.catalog import Unpackaged
from coabench.registry.loader import get_plugins
from coabench.registry.options import distribute
from coabench.registry.registrations import Registration, singular
from coabench.testing.defects.common import NOT_IMPORTABLE
from coabench.testing.findings import Finding, Findings, Stop, describe, unchecked
from coabench.testing.options import check_declared

Check = Callable[[], None]


class Checks(Findings, ABC):
    """The checks of one registered thing, and the findings that they make.

    Attributes:
        kind: the registry.
        part: whose options ``--set`` sets, as `coabench.registry.options.distribute` calls it.
        remedy: what to do where it cannot be checked and the error itself does not say.
        defaults: its options, as the user assigned them.
    """

    kind: ClassVar[str]
    part: ClassVar[str] = ""
    remedy: ClassVar[str] = ""

    def __init__(self, what: Any, assignments: Mapping[str, str] | None = None) -> None:
        """Begin to check *what*: a registered name (`UserError` where there is none), a registration, or a target."""
        if isinstance(what, str):
            what = get_plugins().registries[self.kind].find(what)
        elif not isinstance(what, Registration):
            what = Unpackaged(getattr(what, "__name__", type(what).__name__), "", "", "", thing=what)
        self.registration: Registration = what
        self.assignments = dict(assignments or {})
        self.defaults: Any = None
        super().__init__(f"{singular(self.kind)} {what.name!r}")

    @abstractmethod
    def checks(self) -> Iterator[Check]:
        """Prepare, which may raise `UserError` or `Stop`; then yield the checks, to be done one after the other."""

    def result(self) -> list[Finding]:
        """Do the checks and return what is wrong."""
        try:
            return self.run(self.checks())
        except UserError as error:
            return [*self.all, unchecked(self.subject, error, self.remedy_for(error))]
        except Stop:
            return self.all

    def remedy_for(self, error: UserError) -> str:
        """Return what to do where an error says that it cannot be checked."""
        return error.remedy or self.remedy

    def load(self) -> Any:
        """Return the target; `UserError` where its module says itself, in words, that something is not here."""
        try:
            return self.registration.load()
        except UserError as error:
            if error.__cause__ is None:
                raise
            self.fail(NOT_IMPORTABLE, f"{self.registration.target}: {describe(error.__cause__)}")

    def read_options(self, declared: Any) -> None:
        """Check the declared options, and set `defaults` to them with the user's assignments."""
        check_declared(self, declared)
        self.stop_where_wrong()
        self.defaults = distribute(self.assignments, {self.part: declared})[self.part]

    def detail(self, name: str, default: Any = None) -> Any:
        """Return a detail of the registration; *default* where it has none."""
        value = self.registration.details.get(name)
        return default if value is None else value
