"""What a library says when it fails, in one line."""

from __future__ import annotations


def told(error: BaseException) -> str:
    """Return the first line of an error's message that says anything, else the name of its type."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
