"""What workers carry out, and what a sweep makes of every combination: an evaluation, or a training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from coabench.evaluation.warm import Warm
from coabench.metrics.headline import Estimate
from coabench.runs.identity_part import Part
from coabench.sweep.settings import Options, Settings
from coabench.sweep.state import State


@dataclass(frozen=True)
class Checked:
    """What the check of a combination says of its job.

    Attributes:
        folder: the name of its folder: readable, the same whatever else the sheet holds, of this job alone.
        size: how many samples it is about, or how many steps it has.
        questions: how many a sample is asked when every answer is the first option; of a training, those of all steps.
        tokens: of a sample's questions, or of a step, with the images, on average; None where the backbone does not
            count them, or no estimate is wanted.
        device: as the backbone reports it on this machine; None where it has none.
        notes: what the user should know, in sentences.
        model: what it has in common with jobs that one process can do with a model loaded once; None for nothing.
        look: likewise with jobs that one process can do together, with one look at each image.
    """

    identity: Part
    folder: str
    size: int
    questions: int
    tokens: float | None
    device: str | None
    notes: Sequence[str]
    model: str | None = None
    look: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What came out of a job.

    Attributes:
        uar: of a training on its development part; empty where it has none.
        seconds: that it took.
        invalid: the rate of answers without a label.
        step: the one that a training selected.
        folder: with the adapter of a training.
    """

    uar: Estimate = field(default_factory=Estimate)
    seconds: float | None = None
    invalid: float | None = None
    step: int | None = None
    folder: Path | None = None


class Tally(Protocol):
    """Counts what is done of many jobs again and again; reads only what was added since."""

    def count(self) -> int:
        """Return how many samples or steps are done of all jobs together."""
        ...


class Work(ABC):
    """What a worker can carry out.

    Attributes:
        request: the class of its request, a dataclass.
    """

    request: ClassVar[type[Any]]

    @property
    @abstractmethod
    def name(self) -> str:
        """The word that orders to workers have for it."""

    @abstractmethod
    def read_identity(self, data: Mapping[str, Any]) -> Part:
        """Return an identity from its JSON."""

    @abstractmethod
    def perform(self, request: Any, verify: Callable[[Part], None], warm: Warm) -> None:
        """Do the job, or resume it.

        Args:
            verify: is called with its identity before it begins; what it raises ends the job.
            warm: what an earlier job of this process has left loaded.
        """


class Kind(Work):
    """A kind of job that a sweep can consist of.

    Attributes:
        options: of the command that does one.
        job: what one is called, for people.
        unit: what it consists of, one of many.
        uar: what its UAR is called.
        ranks: whether the best is chosen, by this UAR.
        legend: what a plan says of its costs.
        parent: where the folder of a sweep is that names none.
    """

    options: ClassVar[Options]
    job: ClassVar[str]
    unit: ClassVar[str]
    uar: ClassVar[str]
    ranks: ClassVar[bool]
    legend: ClassVar[str]
    parent: ClassVar[Path]

    @property
    def name(self) -> str:
        """That of its command."""
        return self.options.command

    @abstractmethod
    def request_of(self, settings: Settings, output: Path | None = None) -> Any:
        """Return the request that complete settings describe, with the command line that would do the same."""

    @abstractmethod
    def check(self, request: Any, probe: bool = False) -> Checked:
        """Check a request; writes nothing and loads no weights.

        Args:
            probe: count the tokens of some samples, where the backbone can.

        Raises:
            UserError: it cannot be done.
        """

    @abstractmethod
    def state(self, directory: Path, identity: Any) -> State:
        """Return how far the job is; `UserError` where the directory holds another one, or other files."""

    @abstractmethod
    def tally(self, directories: Sequence[Path]) -> Tally:
        """Return what counts how much is done in some folders."""

    @abstractmethod
    def outcome(self, directory: Path) -> Outcome:
        """Return what came out of a job that is complete, or was stopped early.

        Raises:
            UserError: it cannot be read, or is damaged.
        """

    @abstractmethod
    def failures(self, directory: Path) -> Sequence[str]:
        """Return what plugins failed beside a job, one sentence each.

        Raises:
            UserError: its manifest cannot be read.
        """

    @abstractmethod
    def pace(self, directory: Path) -> float | None:
        """Return the seconds that a sample or a step took so far; None where they are not known."""

    @abstractmethod
    def same_pace(self, identity: Any, device: str | None) -> str:
        """Return what jobs of the same pace have in common."""

    @abstractmethod
    def recorded(self, folder: Path) -> Iterator[tuple[Path, Part, str | None]]:
        """Yield the jobs in a folder with their identity, and the device where all of it was done on one."""

    @abstractmethod
    def shortened(self, request: Any, size: int, output: Path) -> Any:
        """Return the request for so many samples only, in another folder; `UserError` where there is none."""
