"""What a check says: a defect has a name, a reason why it matters and a remedy; a finding is one that was seen."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from coabench.base.signals import is_interrupt
from coabench.errors import CoabenchError, UserError

Level = Literal["error", "warning", "unchecked"]
T = TypeVar("T")


@dataclass(frozen=True)
class Defect:
    """Something that may be wrong with a plugin.

    Attributes:
        name: in two or three words, joined by hyphens.
        title: what is wrong.
        why: why it matters to those who use the plugin.
        remedy: what its author can do.
        level: ``error``, ``warning`` (advice), or ``unchecked`` where it only says that something was not looked at.
    """

    name: str
    title: str
    why: str
    remedy: str
    level: Level = "error"

    def __call__(self, subject: str, evidence: str = "") -> Finding:
        """Return the finding that *subject* has this defect."""
        return Finding(subject, self, evidence)


@dataclass(frozen=True)
class Finding:
    """A defect that was seen.

    Attributes:
        subject: what has it: ``strategy 'direct'``.
        evidence: what was seen.
    """

    subject: str
    defect: Defect
    evidence: str = ""

    def __str__(self) -> str:
        rows = [("seen", self.evidence), ("why it matters", self.defect.why), ("what to do", self.defect.remedy)]
        head = f"{self.subject}: {self.defect.title} [{self.defect.name}]"
        return "\n".join([head, *(f"  {name}: {text}" for name, text in rows if text)])


UNCHECKED = Defect("unchecked", "could not be checked here", "", "", "unchecked")
"""Something that needs what is not here: a model, a data root."""


UNEXPECTED = Defect(
    "unexpected-error",
    "it raises where it should not",
    "an exception that is no UserError is shown as a defect, without a word about what to do",
    "raise UserError with what was expected, what was found and what to do",
)


def unchecked(subject: str, error: BaseException | str, remedy: str) -> Finding:
    """Return the finding that *subject* was not looked at, and what is needed for it."""
    return Finding(subject, replace(UNCHECKED, remedy=remedy), describe(error))


def describe(error: BaseException | str) -> str:
    """Return an error in one line, with the file and line of the plugin where it was raised."""
    if isinstance(error, str):
        return error
    if isinstance(error, CoabenchError):
        parts = [error.problem, error.expected and f"expected {error.expected}", error.found and f"found {error.found}"]
        return "; ".join(filter(None, parts))
    text = " ".join(str(error).split())
    files = [(Path(f.filename), f.lineno) for f in traceback.extract_tb(error.__traceback__)]
    own = Path(__file__).parent
    lines = [(file, line) for file, line in files if file.parent != own and not file.name.startswith("<frozen")]
    position = f" ({lines[-1][0].name}, line {lines[-1][1]})" if lines else ""
    return f"{type(error).__name__}: {text}{position}"


class Stop(Exception):
    """Ends a check: what comes after rests on what failed."""


class Findings:
    """The findings about one subject, as they are made."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.all: list[Finding] = []

    def add(self, defect: Defect, evidence: object = "") -> None:
        """Note a defect, once."""
        if not any(finding.defect.name == defect.name for finding in self.all):
            self.all.append(defect(self.subject, str(evidence)))

    def need(self, condition: object, defect: Defect, evidence: object = "") -> None:
        """Note a defect where the condition does not hold."""
        if not condition:
            self.add(defect, evidence)

    def fail(self, defect: Defect, evidence: object = "") -> NoReturn:
        """Note a defect, and stop."""
        self.add(defect, evidence)
        raise Stop

    def need_methods(self, defect: Defect, thing: object, *names: str) -> None:
        """Note the first method that an object does not have, and stop."""
        for name in names:
            if not callable(getattr(thing, name, None)):
                self.fail(defect, f"no method {name}")

    def need_attributes(self, defect: Defect, thing: object, *names: str) -> None:
        """Note the first attribute that a target does not have, and stop."""
        for name in names:
            if not hasattr(thing, name):
                self.fail(defect, f"the target {thing!r} has no {name}")

    def stop_where_wrong(self) -> None:
        """Stop where there is a finding."""
        if self.all:
            raise Stop

    def attempt(
        self, defect: Defect, what: Callable[..., T], *arguments: Any, allowed: type[BaseException] | tuple[()] = ()
    ) -> T:
        """Return what *what* returns when it is called with *arguments*; where it raises, note the defect and stop.

        Args:
            allowed: an error that is no defect here; it is raised again.
        """
        try:
            return what(*arguments)
        except allowed:
            raise
        except BaseException as error:
            if is_interrupt(error):
                raise
            self.add(defect, describe(error))
            raise Stop from error

    def run(self, checks: Iterable[Callable[[], None]]) -> list[Finding]:
        """Do the checks, each as far as it gets, and return all findings."""
        for check in checks:
            try:
                check()
            except Stop:
                continue
            except UserError as error:
                hidden = unchecked(self.subject, error, error.remedy or "")
                if hidden not in self.all:
                    self.all.append(hidden)
            except BaseException as error:
                if is_interrupt(error):
                    raise
                self.add(UNEXPECTED, describe(error))
        return self.all


def is_json(value: Any) -> bool:
    """Whether a value can stand in a manifest or a record as it is."""
    import json

    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == _plain(value))
    except (TypeError, ValueError, RecursionError):
        return False


def _plain(value: Any) -> Any:
    """Return a value as JSON gives it back: tuples are lists."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
