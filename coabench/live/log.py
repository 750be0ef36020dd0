"""The log of a live session: a header line that says what answered, then one line per finished answer, and notes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coabench.base.files import Closing
from coabench.base.jsonlines import check_there, encode, write_whole
from coabench.errors import JobError
from coabench.live.snapshot import FaceAnswer
from coabench.runs.record import describe_turn

SCHEMA = 1


def answer_record(answer: FaceAnswer) -> dict[str, Any]:
    """Return an answer as the log has it, JSON-serialisable; ``file`` only where the source is a folder or an image."""
    return {
        "crop": f"{answer.name}.png",
        **({} if answer.file is None else {"file": answer.file}),
        "frame": answer.frame,
        "time": round(answer.time, 6),
        "track": answer.track,
        "box": list(answer.box),
        "score": round(answer.score, 6),
        "answerer": answer.answerer,
        "strategy": answer.strategy,
        "prediction": answer.prediction.label,
        "status": answer.prediction.status,
        "reason": answer.prediction.reason,
        "confidence": None if answer.confidence is None else round(answer.confidence, 6),
        "smoothed": answer.smoothed,
        "turns": [describe_turn(turn) for turn in answer.turns],
        "seconds": round(answer.seconds, 6),
        "detect": round(answer.detect, 6),
        "wait": round(answer.wait, 6),
    }


class LiveLog(Closing):
    """A JSONL file of answers; every line is written at once. Use as a context manager; call it with each answer."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        """Make the file; `JobError` where it is already there or cannot be written."""
        self.path, self._writing = path, threading.Lock()
        try:
            self._file = path.open("xb", buffering=0)
        except OSError as error:
            raise self._failed(error) from None
        self._write({"schema": SCHEMA, "kind": "webcam", **header})

    def __call__(self, answer: FaceAnswer) -> None:
        """Write an answer."""
        self._write(answer_record(answer))

    def note(self, text: str) -> None:
        """Write what happened meanwhile: frames that did not come, say. From any thread."""
        self.event("note", {"text": text})

    def event(self, kind: str, data: Mapping[str, Any]) -> None:
        """Write a line that is no answer, of a *kind* that says so. From any thread."""
        self._write({"kind": kind, **data})

    def _write(self, data: Mapping[str, Any]) -> None:
        try:
            with self._writing:
                if not self._file.closed:
                    check_there(self.path, self._file)
                    write_whole(self._file, encode(data))
        except OSError as error:
            raise self._failed(error) from None

    def _failed(self, error: OSError) -> JobError:
        found = error.strerror or str(error)
        return JobError(
            f"the log {self.path} cannot be written", found=found, remedy="make room, or choose another file"
        )

    def close(self) -> None:
        """Close the file; what is still written is dropped."""
        with self._writing:
            self._file.close()
