"""What Pillow warns of while a thread decodes an image: returned with the image instead of printed.

`warnings.catch_warnings` cannot do this: it is about the whole process, and images are decoded in several threads.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from coabench.errors import one_line

WARNED = "Pillow warns: "
"""What such a note begins with."""

DECODER = str(Path(__file__).with_name("images.py"))

_here = threading.local()
_lock = threading.Lock()
_show_others = warnings.showwarning


@contextmanager
def collected() -> Iterator[list[str]]:
    """Yield a list that gets this thread's warnings in the context, each once, as notes."""
    _listen()
    _here.notes = notes = []  # type: ignore[var-annotated]
    try:
        yield notes
    finally:
        _here.notes = None


def _listen() -> None:
    """Have `_show` called for every warning of Pillow; again where somebody has put back what was there before."""
    global _show_others
    with _lock:
        if warnings.showwarning is not _show:
            _show_others = warnings.showwarning
            warnings.showwarning = _show
            warnings.filterwarnings("always", module=r"PIL\.|coabench\.support\.images")


def _of_images(filename: str) -> bool:
    """Whether a warning is about an image, and not of what else this thread runs meanwhile, such as freeing memory."""
    return Path(filename).parent.name == "PIL" or filename == DECODER


def _show(
    message: Warning | str, category: type[Warning], filename: str, lineno: int,
    file: TextIO | None = None, line: str | None = None,
) -> None:  # fmt: skip
    notes: list[str] | None = getattr(_here, "notes", None)
    if notes is None or issubclass(category, ResourceWarning) or not _of_images(filename):
        _show_others(message, category, filename, lineno, file, line)
    elif (note := WARNED + one_line(str(message))) not in notes:
        notes.append(note)
