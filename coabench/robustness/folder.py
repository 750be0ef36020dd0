"""The folder of a stress: an ordinary run for every condition, and ``stress.json``, which says which is which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from coabench.base.files import write_json
from coabench.base.json import read_json
from coabench.base.reading import exists, why
from coabench.base.schema import At, NotEmpty, others, read_versioned
from coabench.base.vocabulary import COMPLETE
from coabench.errors import UserError
from coabench.robustness.conditions import CLEAN, Condition, Name
from coabench.runs.run import MANIFEST, read_manifest

FILE, SCHEMA = "stress.json", 1


def is_stress(directory: Path) -> bool:
    """Whether a folder says that it holds a stress."""
    return exists(directory / FILE)


@dataclass(frozen=True)
class LeftOut:
    """A condition of a suite that has no run, and why."""

    name: Name
    reason: str


@dataclass(frozen=True)
class _Entry(Condition):
    """A condition as the file has it."""

    folder: Name = CLEAN


@dataclass(frozen=True)
class _Written:
    """What the file holds."""

    suite: str
    conditions: Annotated[tuple[_Entry, ...], NotEmpty]
    clean: Literal["clean"] = CLEAN
    left_out: tuple[LeftOut, ...] = ()
    more: Mapping[str, Any] = others()


@dataclass(frozen=True)
class StressFolder:
    """A stress as its folder describes it.

    Attributes:
        suite: the name of its suite.
        conditions: all that have a run or are to get one, the clean one first.
        left_out: those of the suite that these data or this strategy forbid.
    """

    directory: Path
    suite: str
    conditions: Sequence[Condition]
    left_out: Sequence[LeftOut] = field(default=())

    @classmethod
    def read(cls, directory: Path) -> StressFolder:
        """Read the folder of a stress.

        Raises:
            UserError: it is none, or its ``stress.json`` is damaged.
        """
        path = directory / FILE
        remedy = f"restore {FILE}, or delete it: the same `coabench stress` writes it anew, and keeps the runs"
        try:
            data = read_json(path)
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(f"{directory} holds no stress", expected=f"a file {FILE}") from None
        except (OSError, ValueError) as error:
            raise UserError(f"{path} is damaged", found=why(error), remedy=remedy) from None
        if not isinstance(data, dict):
            raise UserError(f"{path} is damaged", expected="a JSON object", remedy=remedy)
        at = At(path, remedy)
        written = read_versioned(_Written, data, at, schema=SCHEMA)
        conditions = tuple(Condition(e.name, e.family, e.severity, e.transform, e.rewrite) for e in written.conditions)
        names = [condition.name for condition in conditions]
        if names[0] != CLEAN or len({*names}) < len(names):
            raise at.field("conditions").wrong(
                "the names do not fit", f"{CLEAN!r} first, and each once", found=", ".join(names)
            )
        if strange := [entry.folder for entry in written.conditions if entry.folder != entry.name]:
            raise at.field("conditions").wrong("a folder is not named as its condition", "one name", found=strange[0])
        return cls(directory, written.suite, conditions, written.left_out)

    def write(self) -> None:
        """Write ``stress.json``, atomically; `OSError` where that cannot be done."""
        conditions = [{**asdict(condition), "folder": condition.name} for condition in self.conditions]
        written = {"schema": SCHEMA, "suite": self.suite, "clean": CLEAN, "conditions": conditions}
        write_json(self.directory / FILE, {**written, "left_out": [asdict(each) for each in self.left_out]})

    @property
    def clean(self) -> Path:
        """The folder of the run in which nothing is changed."""
        return self.path(self.conditions[0])

    def path(self, condition: Condition) -> Path:
        """Return the folder of a condition's run."""
        return self.directory / condition.name

    def runs(self) -> Iterator[tuple[Condition, Path]]:
        """Yield the conditions whose runs are complete, with their folders; the clean one among them."""
        for condition in self.conditions:
            if self._complete(condition):
                yield condition, self.path(condition)

    @property
    def missing(self) -> list[str]:
        """The names of the conditions that have no run, or one that is not complete."""
        return [condition.name for condition in self.conditions if not self._complete(condition)]

    def _complete(self, condition: Condition) -> bool:
        """Whether a run is complete; `UserError` where its manifest is damaged."""
        folder = self.path(condition)
        return exists(folder / MANIFEST) and read_manifest(folder)["status"] == COMPLETE
