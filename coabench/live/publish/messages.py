"""What is published: one JSON object a line, each with all that it takes to be understood alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from coabench.base.jsonlines import encode
from coabench.live.log import answer_record
from coabench.live.snapshot import FaceAnswer

SCHEMA = 1
"""Raised when a field changes its meaning or goes; new fields may come without."""


class Messages:
    """Makes the lines of a session, numbered, so that a reader knows what it has missed.

    Args:
        session: its id.
    """

    def __init__(self, session: str) -> None:
        self._session, self._answers = session, 0

    def begin(self, header: Mapping[str, Any]) -> bytes:
        """Return the first line: what answers, as the log's header says it."""
        return self._line("session", header)

    def answer(self, answer: FaceAnswer) -> bytes:
        """Return the line of an answer: the fields of the log's line, the number of the answer, and the face."""
        self._answers += 1
        return self._line("answer", {"number": self._answers, "face": answer.track, **answer_record(answer)})

    def end(self) -> bytes:
        """Return the last line."""
        return self._line("end", {"answers": self._answers})

    def _line(self, kind: str, data: Mapping[str, Any]) -> bytes:
        return encode({"schema": SCHEMA, "kind": kind, "session": self._session, **data})
