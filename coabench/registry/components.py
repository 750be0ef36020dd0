"""A component as typed, ``NAME:key=value,…``: a transform, a rewrite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coabench.registry.catalog import origin
from coabench.registry.options import identity_of, spell_component
from coabench.registry.registrations import Registration


@dataclass(frozen=True)
class Component:
    """What was registered, and its parameters."""

    registration: Registration
    options: Any

    @property
    def spec(self) -> str:
        """How it is typed."""
        return spell_component(self.registration.name, self.options)

    def identity(self) -> dict[str, Any]:
        """Return what the identity of a run or a training has of it."""
        return {"name": self.registration.name, **origin(self.registration), "options": identity_of(self.options)}
