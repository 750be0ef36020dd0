"""How far a job is, read off its directory: a sweep has no other state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from coabench.base.reading import exists, open_file
from coabench.base.vocabulary import COMPLETE, FAILED
from coabench.errors import UserError
from coabench.runs.folder import JobFolder, read_manifest
from coabench.runs.identity import list_differences
from coabench.runs.identity_part import Part

EARLY: Final = "stopped early"
Status = Literal["new", "begun", "failed", "complete", "stopped early"]


@dataclass(frozen=True)
class State:
    """How far a job is.

    Attributes:
        status: ``new`` (nothing is there), ``begun``, ``failed``, ``complete``, or ``stopped early`` as hopeless.
        done: its samples with a record, or its steps.
        reason: why it failed, or was stopped early.
    """

    status: Status
    done: int = 0
    reason: str | None = None


def read_state(directory: Path, identity: Part, folder: type[JobFolder], ignored: Sequence[str] = ()) -> State:
    """Return how far the job of this identity is; nothing is counted.

    Args:
        folder: the class of such folders.
        ignored: fields of the identity that may differ.

    Raises:
        UserError: the directory holds another job or other files, or its manifest is damaged.
    """
    declared = folder.declared
    if not exists(directory / declared.file):
        if strangers := folder.foreign_files(directory):
            raise UserError(
                f"{directory} is no {declared.kind} directory", found=", ".join(strangers[:5]), remedy="move it away"
            )
        return State("new")
    manifest = read_manifest(directory, declared)
    there, wanted = (
        {name: value for name, value in side.items() if name not in ignored}
        for side in (manifest["identity"], identity.to_json())
    )
    differing = list_differences(there, wanted, "there -> asked for")
    if differing:
        raise UserError(
            f"{directory} holds another {declared.kind}",
            found=differing,
            remedy="move that folder away",
        )
    if manifest["status"] == COMPLETE:
        return State(COMPLETE)
    if manifest.get("stopped_early"):
        return State(EARLY, reason=manifest.get("reason"))
    failed = manifest["status"] == FAILED
    return State(FAILED if failed else "begun", reason=manifest.get("reason") if failed else None)


class LineTally:
    """Counts the whole lines of many logs again and again; reads only what was added since."""

    def __init__(self, logs: Sequence[Path]) -> None:
        self._read = dict.fromkeys(logs, 0)
        self._count = 0

    def count(self) -> int:
        """Return how many whole lines the logs have together."""
        for log, start in self._read.items():
            try:
                with open_file(log) as file:
                    file.seek(start)
                    for block in iter(lambda: file.read(1 << 20), b""):  # called here only
                        lines = block.count(b"\n")
                        self._count += lines
                        if lines:  # a torn line at the end may be cut off and written anew
                            self._read[log] = start + block.rfind(b"\n") + 1
                        start += len(block)
            except OSError:  # no log yet
                continue
        return self._count
