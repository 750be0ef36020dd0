"""The settings that a viewer may change, and to what."""

from __future__ import annotations

from dataclasses import replace

from coabench.errors import UserError
from coabench.live.settings import Settings

CHOICES = {"every": ("0", "0.25", "0.5", "1", "2", "5", "10"), "smooth": ("1", "3", "5", "9", "15")}
"""Seconds between two questions, answers that vote."""


def change(settings: Settings, name: str, value: str) -> Settings:
    """Return settings with one of the values that are offered; `UserError` for any other."""
    if value not in CHOICES.get(name, ()):
        known = ", ".join(f"{key}={', '.join(values)}" for key, values in CHOICES.items())
        raise UserError("there is no such setting", expected=known, remedy="choose one of these")
    kind = type(getattr(settings, name))
    return replace(settings, **{name: kind(value)})


def spell(settings: Settings) -> dict[str, str]:
    """Return the settings that a viewer can change, each as `CHOICES` spells it."""
    return {name: f"{getattr(settings, name):g}" for name in CHOICES}
