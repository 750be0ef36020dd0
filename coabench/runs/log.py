"""A run's log of records: JSON lines, written durably."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from coabench.base.conforming import conforms
from coabench.base.jsonlines import Digest, InvalidLine, Line, LineWriter, read_lines
from coabench.base.reading import why
from coabench.base.schema import At, Count, Number, Proportion, must, others, read_fields
from coabench.dataset import MOST_VOTES
from coabench.dialogue import LARGEST_SCORE
from coabench.errors import JobError, UserError

VoteCount = Annotated[Number, must(lambda number: 0 <= number <= MOST_VOTES, f"a number from 0 to {MOST_VOTES:.0f}")]
"""How many annotators chose a label."""


@dataclass(frozen=True, kw_only=True)
class LoggedTurn:
    """A turn as the log has it; see docs/reference/formats.md."""

    name: str
    prompt: str
    options: tuple[str, ...]
    response: str | None
    label: str | None
    match: str | None = None
    scores: Mapping[str, Number] | None = None
    prompt_tokens: Count | None = None
    cached_tokens: Count | None = None
    new_tokens: Count | None = None
    more: Mapping[str, Any] = others()


@dataclass(frozen=True, kw_only=True)
class LoggedDetails:
    """What else a strategy found, as far as it is read again."""

    confidence: Proportion | None = None
    more: Mapping[str, Any] = others()


@dataclass(frozen=True, kw_only=True)
class LoggedAnswer:
    """A turn of a sampled dialogue as the log has it."""

    name: str
    response: str | None
    label: str | None
    prompt_tokens: Count | None = None
    cached_tokens: Count | None = None
    new_tokens: Count | None = None
    more: Mapping[str, Any] = others()


@dataclass(frozen=True, kw_only=True)
class LoggedPath:
    """A sampled dialogue as the log has it."""

    prediction: str | None
    status: Literal["ok", "invalid", "error"]
    reason: str | None
    turns: tuple[LoggedAnswer, ...]
    more: Mapping[str, Any] = others()


@dataclass(frozen=True, kw_only=True)
class LoggedRecord:
    """A record as the log has it; see docs/reference/formats.md."""

    id: str
    target: str
    prediction: str | None
    status: Literal["ok", "invalid", "error"]
    reason: str | None
    turns: tuple[LoggedTurn, ...]
    paths: tuple[LoggedPath, ...] = ()
    image: str | None = None
    image_sha256: str | None = None
    image_notes: tuple[str, ...] = ()
    preparation: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    details: LoggedDetails | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    votes: Mapping[str, VoteCount] = field(default_factory=dict)
    exemplars: tuple[str, ...] = ()
    seconds: Number | None = None
    more: Mapping[str, Any] = others()


DAMAGED = "the log was edited or damaged: restore it, or start anew with --overwrite"


def read_log(path: Path, digest: Digest | None = None) -> Iterator[Line]:
    """Yield the lines of a log, each with its record, in order; none where there is no such file.

    Args:
        digest: is updated with all that was read, so that a log need not be read twice for its hash.

    Raises:
        UserError: the file cannot be read, or a line is no record, with its number.
    """
    fits = conforms(LoggedRecord)
    try:
        for line in read_lines(path, digest):
            if not fits(line.data):
                _check(line, path)
            if (score := _largest_score(line.data)) > LARGEST_SCORE:
                raise InvalidLine(line.number, f"a score of {score:g}, where log-probabilities are 0 at most")
            yield line
    except OSError as error:
        raise UserError(f"the log {path} cannot be read", found=why(error), remedy="restore it") from None
    except InvalidLine as error:
        raise UserError(f"{path}: line {error.number} is no record", found=str(error), remedy=DAMAGED) from None


def _check(line: Line, path: Path) -> None:
    """Read a line by its fields, which raises the error that names the one that does not fit."""
    try:
        read_fields(LoggedRecord, line.data, At("record"))
    except UserError as error:
        raise UserError(
            f"{path}: line {line.number} is no record: {error.problem.removeprefix('record: ')}",
            expected=error.expected,
            found=error.found,
            remedy=DAMAGED,
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
