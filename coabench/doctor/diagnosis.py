"""What the doctor says: a line for each thing that was looked at, and all of them as tables or as one object."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from coabench.base import environment
from coabench.base.requirements import Package, declared
from coabench.render.tables import Column, Section

SCHEMA = 1

State = Literal["ok", "note", "missing", "broken"]
"""``note``: works, and there is something to know. ``missing``: would add something, and is not needed. ``broken``: is
needed, or installed to be used, and does not work."""


@dataclass(frozen=True)
class Diagnosis:
    """One line of the examination.

    Attributes:
        seconds: how long it took, where something was tried.
    """

    topic: str
    item: str
    state: State
    found: str
    remedy: str = ""
    seconds: float | None = None


def described(error: BaseException) -> str:
    """Return an error in one line, not too long a one."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text if len(text) <= 300 else text[:299] + '…'}"


def sections(findings: list[Diagnosis]) -> list[Section]:
    """Return the findings as a table per topic."""
    columns: list[Column | str] = [
        Column("item", width=32), Column("state", kept=True), Column("found", width=64),
        Column("what to do", "remedy", width=48, kept=True),
    ]  # fmt: skip
    topics = list(dict.fromkeys(finding.topic for finding in findings))
    return [Section(columns, [vars(f) for f in findings if f.topic == topic], topic.capitalize()) for topic in topics]


def report(findings: list[Diagnosis]) -> dict[str, Any]:
    """Return everything for a bug report, JSON-serialisable; the user's home folder is written as ``~``."""
    about = {
        "schema": SCHEMA,
        "kind": "doctor",
        "broken": list(dict.fromkeys(finding.item for finding in findings if finding.state == "broken")),
        "environment": dict(environment.describe()),
        "versions": {
            p.name: {"installed": p.installed, "supported": p.supported or None, "tested": p.tested}
            for p in _packages()
        },
        "findings": [asdict(finding) for finding in findings],
    }
    hidden: dict[str, Any] = _without_home(about, str(Path.home()))
    return hidden


def _packages() -> Iterator[Package]:
    """Yield what coabench and its extras ask for; nothing where its metadata is damaged, which a finding says."""
    with suppress(Exception):
        needed = declared()
        yield from needed.packages
        yield from (package for extra in needed.extras.values() for package in extra)


def _without_home(value: Any, home: str) -> Any:
    if isinstance(value, str):
        return value.replace(home, "~") if len(home) > 1 else value
    if isinstance(value, dict):
        return {key: _without_home(each, home) for key, each in value.items()}
    return [_without_home(each, home) for each in value] if isinstance(value, list) else value
