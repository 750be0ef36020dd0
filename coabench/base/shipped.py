"""Finding the files that ship with the bench: prompts, data set cards, published rows.

In a wheel they lie inside the package; in a checkout (editable install included) at its top level, where people
read and edit them.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent
CHECKOUT = _PACKAGE.parent
_SHIPPED = _PACKAGE / "_shipped"


def path(*parts: str) -> Path:
    """Return the path of a shipped file or folder, such as ``path("prompts", "direct.yaml")``."""
    return (_SHIPPED if _SHIPPED.is_dir() else CHECKOUT).joinpath(*parts)
