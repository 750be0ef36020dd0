"""The plan of a sweep: every job checked as its command checks it, equal ones once, each with its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coabench.base.reading import exists, is_folder
from coabench.base.text import plural
from coabench.base.vocabulary import COMPLETE
from coabench.errors import CoabenchError, UserError
from coabench.registry.blame import contained
from coabench.sweep.planned import Planned, label_of
from coabench.sweep.rivals import with_rivals
from coabench.sweep.settings import NAMED, Settings
from coabench.sweep.sheet import Sheet, Wanted
from coabench.sweep.state import EARLY, State


@dataclass(frozen=True)
class SweepPlan:
    """All runs of a sweep, in order.

    Attributes:
        same: combinations that are the same run as an earlier one, each in a line.
    """

    sheet: Sheet
    runs: Sequence[Planned]
    same: Sequence[str]

    def is_over(self, state: State) -> bool:
        """Whether nothing is left of a job: it is complete, or was stopped early and the sheet still asks for that."""
        return state.status == COMPLETE or (state.status == EARLY and self.sheet.asha is not None)

    @property
    def notes(self) -> list[str]:
        """What the user should know of the runs, each once."""
        return list(dict.fromkeys(note for run in self.runs for note in run.notes))


def make_plan(sheet: Sheet, *, probe: bool = False) -> SweepPlan:
    """Check every run of a sheet and return the plan; writes nothing and loads no weights.

    Args:
        probe: count the tokens of some samples' prompts, where the backbone can.

    Raises:
        UserError: nothing to run, or runs that cannot be done: all of them are named, each with its problem.
    """
    if exists(sheet.output) and not is_folder(sheet.output):
        raise UserError(f"the output {sheet.output} is a file", expected="a folder", remedy="correct 'output'")
    wanted = sheet.wanted()
    varying = [distinguish(wanted, settings) for settings in (w.settings for w in wanted)]
    runs: dict[str, tuple[Wanted, Planned]] = {}
    same: list[str] = []
    problems: dict[str, list[str]] = {}
    for run, differs in zip(wanted, varying, strict=True):
        label = label_of(differs)
        try:
            with contained():
                planned = _planned(sheet, run, differs, probe)
        except CoabenchError as error:
            problems.setdefault(str(error), []).append(label)
        except Exception as error:
            problem = f"{type(error).__name__}: {error} (a defect of coabench or of a plugin)"
            problems.setdefault(problem, []).append(label)
        else:
            key = planned.identity.digest
            if key in runs:
                first = runs[key][1].label
                same.append(
                    f"{label}: {'asked for twice' if first == label else f'the same run as {first}'}, done once"
                )
            else:
                runs[key] = (run, planned)
    if problems:
        remedy = "correct the sheet, or leave these combinations out with 'exclude'"
        raise refused(sheet.path, problems, plural(len(wanted), sheet.kind.job), remedy)
    once = [run for run, _ in runs.values()]
    kept = [replace(planned, varying=distinguish(once, run.settings)) for run, planned in runs.values()]
    return SweepPlan(sheet, with_rivals(sheet, kept), list(dict.fromkeys(same)))


def distinguish(wanted: Sequence[Wanted], settings: Settings) -> dict[str, Any]:
    """Return the options of a job in which those of a sweep differ; of a single one, what it is about."""
    varying: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            assigned = dict.fromkeys(option for w in wanted for option in w.settings[name])
            options = [option for option in assigned if len({w.settings[name].get(option) for w in wanted}) > 1]
            varying |= {f"{name}.{option}": value.get(option) for option in options}
        elif len({w.settings[name] for w in wanted}) > 1:
            varying[name] = value
    return varying or {name: settings[name] for name in NAMED}


def _planned(sheet: Sheet, wanted: Wanted, varying: Mapping[str, Any], probe: bool) -> Planned:
    kind = sheet.kind
    checked = kind.check(kind.request_of(wanted.settings), probe)
    directory = sheet.output / checked.folder
    kind.state(directory, checked.identity)  # for what it refuses
    return Planned.of(varying, kind.request_of(wanted.settings, directory), checked, wanted.resources)


def refused(path: Path, problems: Mapping[str, Sequence[str]], wanted: str, remedy: str) -> UserError:
    """Return the error for a sheet of which some cannot be done.

    Args:
        problems: problem -> the labels of those that have it.
        wanted: how many there are of what: ``12 runs``.
    """
    lines = []
    for problem, labels in problems.items():
        first, *rest = problem.splitlines()
        lines += [f"    {'; '.join(labels)}:", f"      {first}", *(f"      {line}" for line in rest)]
    return UserError(
        f"{path}: {sum(map(len, problems.values()))} of {wanted} cannot be done, so none was begun",
        found="\n".join(["", *lines]).strip("\n"),
        remedy=remedy,
    )


def limited(run: Planned, limit: int, output: Path) -> Planned:
    """Return a job of so many samples only, in another folder; `UserError` where its kind has none such."""
    size = min(limit, run.size)
    request = run.kind.shortened(run.request, size, output)
    return replace(run, request=request, identity=run.kind.check(request).identity, size=size)
