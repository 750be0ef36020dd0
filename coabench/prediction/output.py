"""A file of predictions, as they come: JSON lines that a later call continues, and what answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coabench.base.files import Closing, write_json
from coabench.base.json import FINITE, parse_json
from coabench.base.jsonlines import InvalidLine, LineWriter, read_lines
from coabench.base.locking import locked_beside
from coabench.base.reading import JSON, exists, read_text, require_replaceable, why
from coabench.base.vocabulary import ERROR
from coabench.errors import JobError, UserError
from coabench.prediction.pictures import Key
from coabench.runs.identity import list_differences

SCHEMA = 1


@dataclass
class Recorded:
    """What a file of predictions holds already.

    Attributes:
        pictures: those whose faces are all there, each with the SHA-256 of its file where that was recorded.
        failed: file -> why it could not be used.
        end: the length in bytes of what belongs to these pictures.
    """

    pictures: dict[Key, str | None] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    end: int | None = None


class PredictionFile(Closing):
    """JSON lines, one a face, and beside them ``NAME.identity.json``: what answered, so that nothing else continues it.

    Raises:
        UserError: it is there and was written by something else, another process writes it, or it cannot be written.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], overwrite: bool) -> None:
        self.path, self._identity = path, path.with_name(f"{path.name}.identity.json")
        try:
            require_replaceable(path)
            self._lock = locked_beside(path)
        except OSError as error:
            raise _unwritable(path, error) from None
        try:
            self._open(identity, overwrite)
        except OSError as error:
            self._lock.release()
            raise _unwritable(path, error) from None
        except BaseException:
            self._lock.release()
            raise

    def _open(self, identity: Mapping[str, Any], overwrite: bool) -> None:
        if overwrite:
            self.path.unlink(missing_ok=True)
            self._identity.unlink(missing_ok=True)
        self.recorded = self._read(identity) if exists(self.path) else Recorded()
        write_json(self._identity, {"schema": SCHEMA, "kind": "predict", "identity": dict(identity)})
        if self.recorded.end is not None:
            with self.path.open("rb+") as file:
                file.truncate(self.recorded.end)
        self._lines = LineWriter(self.path)

    def _read(self, identity: Mapping[str, Any]) -> Recorded:
        remedy = "choose another --output, or add --overwrite to begin anew"
        try:
            begun = parse_json(read_text(self._identity, JSON), FINITE)["identity"]
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(
                f"{self.path} is there already, and {self._identity.name} beside it does not say what wrote it",
                remedy=remedy,
            ) from None
        differing = list_differences(begun, dict(identity), "there -> asked for")
        if differing:
            raise UserError(f"{self.path} was begun with other settings", found=differing, remedy=remedy)
        try:
            return _recorded(self.path)
        except (InvalidLine, KeyError, TypeError) as error:
            raise UserError(f"{self.path} is damaged", found=str(error), remedy=remedy) from None

    def append(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Add the records of a picture durably; `JobError` where they cannot be written."""
        try:
            self._lines.append(records)
        except OSError as error:
            raise JobError(
                f"{self.path} cannot be written", found=why(error), remedy="make room; the same command continues"
            ) from None

    def close(self) -> None:
        self._lines.close()
        self._lock.release()


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"--output {path} cannot be written", found=why(error), remedy="choose another")


def _recorded(path: Path) -> Recorded:
    """Return what a file holds; a picture whose last faces are missing does not count."""
    found = Recorded()
    begins = 0
    complete = True
    for line in read_lines(path):
        record = line.data
        if complete:
            begins = line.offset
        complete = record["face"] >= record["faces"]
        if complete:
            found.pictures[record["file"], record["frame"]] = record["image_sha256"]
        if record["status"] == ERROR:
            found.failed[str(record["file"])] = str(record["reason"])
    found.end = None if complete else begins
    return found
