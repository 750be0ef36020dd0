"""One job of a sweep, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coabench.sweep.jobs import kind_of
from coabench.sweep.kind import Kind
from coabench.sweep.sheet import Resources
from coabench.sweep.state import State


@dataclass(frozen=True)
class Planned:
    """One job of a sweep: an evaluation, or a training.

    Attributes:
        varying: the options in which it differs from others: option (``set.num_crops`` for one of a plugin) -> value.
        request: what ``coabench evaluate`` or ``coabench train`` does.
        identity: of the run or the training.
        size, questions, tokens, device, notes: see `coabench.sweep.kind.Checked`.
    """

    varying: Mapping[str, Any]
    request: Any
    identity: Any
    size: int
    questions: int
    tokens: float | None
    device: str | None
    resources: Resources
    notes: Sequence[str]

    @property
    def directory(self) -> Path:
        output: Path = self.request.output
        return output

    @property
    def kind(self) -> Kind:
        """What kind of job it is."""
        return kind_of(self.request)

    @property
    def state(self) -> State:
        """How far it is; `UserError` where its folder holds another job, or other files."""
        return self.kind.state(self.directory, self.identity)

    @property
    def label(self) -> str:
        """What people call it."""
        return label_of(self.varying)


def label_of(varying: Mapping[str, Any]) -> str:
    """Return what people call the run with these options."""
    return ", ".join(_shown(name, value) for name, value in varying.items())


def _shown(name: str, value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(value) or "default"
    if isinstance(value, int | float):  # a switch, too
        return f"{name} {str(value).lower()}"
    return "default" if value is None else str(value)
