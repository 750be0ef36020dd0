"""One job of a sweep, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coabench.base.vocabulary import COMPLETE
from coabench.sweep.jobs import kind_of
from coabench.sweep.kind import Checked, Kind
from coabench.sweep.sheet import Resources
from coabench.sweep.state import State
from coabench.sweep.together import Together, TogetherIdentity


@dataclass(frozen=True)
class Planned:
    """One job of a sweep: an evaluation, or a training.

    Attributes:
        varying: the options in which it differs from others: option (``set.num_crops`` for one of a plugin) -> value.
        request: what ``coabench evaluate`` or ``coabench train`` does.
        identity: of the run or the training.
        size, questions, tokens, device, notes, model, look: see `coabench.sweep.kind.Checked`.
    """

    varying: Mapping[str, Any]
    request: Any
    identity: Any
    size: int
    questions: int
    tokens: float | None
    device: str | None
    resources: Resources
    notes: Sequence[str]
    model: str | None = None
    look: str | None = None

    @classmethod
    def of(cls, varying: Mapping[str, Any], request: Any, checked: Checked, resources: Resources) -> Planned:
        """Return a job as its kind has checked it."""
        return cls(
            varying,
            request,
            checked.identity,
            checked.size,
            checked.questions,
            checked.tokens,
            checked.device,
            resources,
            checked.notes,
            checked.model,
            checked.look,
        )

    @property
    def directory(self) -> Path:
        output: Path = self.request.output
        return output

    @property
    def kind(self) -> Kind:
        """What kind of job it is."""
        return kind_of(self.request)

    @property
    def state(self) -> State:
        """How far it is; `UserError` where its folder holds another job, or other files."""
        return self.kind.state(self.directory, self.identity)

    @property
    def label(self) -> str:
        """What people call it."""
        return label_of(self.varying)

    @property
    def members(self) -> Sequence[Planned]:
        """The jobs that it consists of: itself, where it is not several together."""
        return (self,)


@dataclass(frozen=True)
class PlannedTogether(Planned):
    """Several runs of a kind that one worker carries out together.

    Attributes:
        together: the runs; all else is said of them as a whole.
    """

    together: Sequence[Planned] = ()

    @classmethod
    def of_all(cls, runs: Sequence[Planned]) -> PlannedTogether:
        """Return runs that share their looks as one job."""
        first, names = runs[0], " ".join(run.label for run in runs)
        return cls(
            {"runs": names},
            Together(tuple(run.request for run in runs)),
            TogetherIdentity(runs=tuple(run.identity for run in runs)),
            sum(run.size for run in runs),
            sum(run.questions for run in runs),
            None,
            first.device,
            first.resources,
            list(dict.fromkeys(note for run in runs for note in run.notes)),
            first.model,
            first.look,
            runs,
        )

    @property
    def kind(self) -> Kind:
        return self.together[0].kind

    @property
    def state(self) -> State:
        """How far all are: ``complete`` only where each is."""
        states = [run.state for run in self.together]
        left = next((state for state in states if state.status != COMPLETE), states[0])
        return replace(left, done=sum(state.done for state in states))

    @property
    def members(self) -> Sequence[Planned]:
        return self.together


def share_looks(runs: Sequence[Planned], jobs: int = 1) -> list[Planned]:
    """Return the jobs that carry out *runs*: those together that share their looks, those of a model in a row.

    Args:
        jobs: how many are done at a time: the runs of one look are shared out among so many.
    """
    looks: dict[Any, list[Planned]] = {}
    for run in runs:
        looks.setdefault((run.look, run.resources) if run.look else run.directory, []).append(run)
    shares = [share for alike in looks.values() for i in range(jobs) if (share := alike[i::jobs])]
    made = [share[0] if len(share) == 1 else PlannedTogether.of_all(share) for share in shares]
    models = list(dict.fromkeys(job.model for job in made))
    return sorted(made, key=lambda job: models.index(job.model))


def label_of(varying: Mapping[str, Any]) -> str:
    """Return what people call the run with these options."""
    return ", ".join(_shown(name, value) for name, value in varying.items())


def _shown(name: str, value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(value) or "default"
    if isinstance(value, int | float):  # a switch, too
        return f"{name} {str(value).lower()}"
    return "default" if value is None else str(value)
