"""Lines on standard output, which then holds nothing else: what is for people goes to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import UnsupportedOperation
from typing import Any

from coabench.base.jsonlines import write_whole
from coabench.errors import one_line
from coabench.live.publish.channel import QueuedChannel, Unpublished
from coabench.live.sources import Note


class StdoutChannel(QueuedChannel):
    """Standard output; a reader that goes away ends it, not the session."""

    def __init__(self, file: Any, say: Note) -> None:
        self._file = file
        super().__init__("stdout", say)

    def _send(self, line: bytes) -> None:
        try:
            write_whole(self._file, line)
        except (OSError, ValueError) as error:
            raise Unpublished(getattr(error, "strerror", None) or one_line(error)) from None


@contextmanager
def kept_for_lines() -> Iterator[Any]:
    """Yield an unbuffered file for the lines; whoever prints meanwhile prints to standard error.

    A copy of its own: a thread that hangs in it at the end holds no lock that the interpreter would wait for.
    """
    stdout = sys.stdout
    stdout.flush()
    try:
        file: Any = os.fdopen(os.dup(stdout.fileno()), "wb", buffering=0)
    except (UnsupportedOperation, OSError):  # it is no file: a test's, or a notebook's
        file = stdout.buffer
    with redirect_stdout(sys.stderr):
        yield file
