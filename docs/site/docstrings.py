"""Docstrings of constants as they are: napoleon would take what stands before their first colon for a type."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

_kept: dict[str, list[str]] = {}


def keep(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Remember the lines, before napoleon changes them."""
    if what == "data":
        _kept[name] = [*lines]


def restore(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Put them back."""
    lines[:] = _kept.pop(name, lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Go before and after napoleon, whose priority is the default of 500."""
    app.connect("autodoc-process-docstring", keep, priority=400)
    app.connect("autodoc-process-docstring", restore, priority=600)
    return {"parallel_read_safe": True}
