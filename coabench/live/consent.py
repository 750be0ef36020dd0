"""The notice on consent and law that every user reads before the first live session."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

NOTICE = """\
Before the first use of the camera:
  - Ask everybody in the picture. What a face shows is not what a person feels, and a model's label is neither.
  - Emotion inference at work and in schools is prohibited in the European Union (Regulation 2024/1689, Article 5(1)(f),
    with exceptions for medical and safety reasons); other places have rules of their own.
  - Pictures go to no other machine than the one that answers, and to a remote backbone only if you allow it. None is
    stored unless you ask (--record, --crops, the keys s and r).
  docs/explanation/responsible-use.md says more. This is shown once."""
MARKER = "webcam-notice-1"
"""The file that says that the notice was shown; another number when its text changes in substance."""


def first_notice(folder: Path) -> str | None:
    """Return the notice, and note in *folder* (the user's configuration) that it was shown; None the next time.

    Where the folder cannot be written it is shown each time.
    """
    marker = folder / MARKER
    with suppress(OSError):
        if marker.exists():
            return None
        folder.mkdir(parents=True, exist_ok=True)
        marker.touch()
    return NOTICE
