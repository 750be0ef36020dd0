"""How far a run is, read off its directory: a sweep has no other state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from coabench.base.reading import exists, open_file
from coabench.base.vocabulary import COMPLETE, FAILED
from coabench.errors import UserError
from coabench.runs.identity import RunIdentity, list_differences
from coabench.runs.run import LOG, MANIFEST, Run, read_manifest

Status = Literal["new", "begun", "failed", "complete"]


@dataclass(frozen=True)
class State:
    """How far a run is.

    Attributes:
        status: ``new`` (nothing is there), ``begun``, ``failed`` or ``complete``.
        done: the records in its log.
        reason: why it failed.
    """

    status: Status
    done: int = 0
    reason: str | None = None


def read_state(directory: Path, identity: RunIdentity) -> State:
    """Return how far the run of this identity is.

    Raises:
        UserError: the directory holds another run or other files, or its manifest is damaged.
    """
    if not exists(directory / MANIFEST):
        if strangers := Run.foreign_files(directory):
            raise UserError(f"{directory} is no run directory", found=", ".join(strangers[:5]), remedy="move it away")
        return State("new")
    manifest = read_manifest(directory)
    differing = list_differences(manifest["identity"], identity.to_json(), "there -> asked for")
    if differing:
        raise UserError(
            f"{directory} holds another run",
            found=differing,
            remedy="move that folder away",
        )
    done = count_records(directory)
    if manifest["status"] == COMPLETE:
        return State(COMPLETE, done)
    failed = manifest["status"] == FAILED
    return State(FAILED if failed else "begun", done, manifest.get("reason") if failed else None)


def count_records(directory: Path) -> int:
    """Return how many whole lines a run's log has; 0 where there is none."""
    return Tally([directory]).count()


class Tally:
    """Counts the records of many logs again and again; reads only what was added since."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self._read = dict.fromkeys(directories, 0)
        self._count = 0

    def count(self) -> int:
        """Return how many whole lines the logs have together."""
        for directory, start in self._read.items():
            try:
                with open_file(directory / LOG) as file:
                    file.seek(start)
                    for block in iter(lambda: file.read(1 << 20), b""):  # called here only
                        lines = block.count(b"\n")
                        self._count += lines
                        if lines:  # a torn line at the end may be cut off and written anew
                            self._read[directory] = start + block.rfind(b"\n") + 1
                        start += len(block)
            except OSError:  # no log yet
                continue
        return self._count
