"""A run's log of records: JSON lines, written durably."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from coabench.base.jsonlines import Digest, InvalidLine, Line, LineWriter, read_lines
from coabench.base.reading import why
from coabench.dialogue import LARGEST_SCORE
from coabench.errors import JobError, UserError

FIELDS = ("id", "target", "prediction", "status", "reason", "turns")
"""What every record has."""


def read_log(path: Path, digest: Digest | None = None) -> Iterator[Line]:
    """Yield the lines of a log, each with its record, in order; none where there is no such file.

    Args:
        digest: is updated with all that was read, so that a log need not be read twice for its hash.

    Raises:
        UserError: the file cannot be read, or a line is no record, with its number.
    """
    try:
        for line in read_lines(path, digest):
            missing = set(FIELDS) - set(line.data)
            if missing:
                raise InvalidLine(line.number, f"no field {min(missing)!r}")
            if (score := _largest_score(line.data)) > LARGEST_SCORE:
                raise InvalidLine(line.number, f"a score of {score:g}, where log-probabilities are 0 at most")
            yield line
    except OSError as error:
        raise UserError(f"the log {path} cannot be read", found=why(error), remedy="restore it") from None
    except InvalidLine as error:
        raise UserError(
            f"{path}: line {error.number} is no record",
            found=str(error),
            remedy="the log was edited or damaged: restore it, or start anew with --overwrite",
        ) from None


def _largest_score(record: Mapping[str, Any]) -> float:
    try:
        return max((max(turn["scores"].values()) for turn in record["turns"] if turn.get("scores")), default=0.0)
    except (AttributeError, TypeError, ValueError):  # they are no scores, which the one who needs them says
        return 0.0


class LogWriter(LineWriter):
    """A log opened for adding records."""

    def append(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Add the records of a batch, durably.

        Raises:
            JobError: the disk is full or gone; the records before this batch are safe.
        """
        try:
            super().append(lines)
        except OSError as error:
            raise JobError(
                f"the log {self.path} cannot be written",
                found=error.strerror or str(error),
                remedy="put it back, or run the same command again: it begins with what is there"
                if isinstance(error, FileNotFoundError)
                else "the records before are safe: make room and run the same command again",
            ) from None
