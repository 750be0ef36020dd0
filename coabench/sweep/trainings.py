"""Trainings as jobs of a sweep, in stages too."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from coabench.base.reading import exists
from coabench.base.vocabulary import COMPLETE
from coabench.errors import CoabenchError, UserError
from coabench.evaluation.warm import Warm
from coabench.metrics.headline import Estimate
from coabench.recipe import Recipe
from coabench.registry.defaults import BACKBONE, DATASETS, STRATEGY, Dtype
from coabench.runs.adapter import MANIFEST, TrainingManifest
from coabench.runs.folder import plugin_failures, read_manifest
from coabench.runs.identity_part import Part
from coabench.runs.training_identity import TrainingIdentity
from coabench.runs.training_log import LOG, TrainingLog
from coabench.sweep.kind import Checked, Kind, Outcome
from coabench.sweep.settings import SET, Assigned, Options, Settings, Words, kind_in_sheet
from coabench.sweep.state import State, read_state
from coabench.training.estimate import tokens_of_a_step
from coabench.training.files import TrainingFolder
from coabench.training.plan import Plan, Training, check
from coabench.training.stages import plans, stage_folder, train_all

REFUSED = {
    "output": "each training has a folder of its own below the sweep's 'output'",
    "overwrite": "a sweep deletes nothing: delete the folders of the trainings that are to be made anew",
    "export": "`coabench adapters export` does it afterwards",
    "dry_run": "`coabench sweep --dry-run` shows the plan",
}
NAMES = {"learning_rate": "lr", "strategies": "strategy", "datasets": "dataset", "start": "from", "options": SET}
"""Field of a request or a recipe -> its option, where that is another."""
OWN = ("settings", "published", "command", "asha", "rivals")
"""Fields of a request that are no options."""
UNPACED = ("learning_rate", "schedule", "warmup", "weight_decay", "alpha", "dropout", "balance_beta", "patience")
"""Fields of a recipe that change nothing in how long a step takes."""
_REQUEST = {NAMES.get(f.name, f.name): f for f in fields(Training) if f.name not in (*REFUSED, *OWN)}
_RECIPE = {NAMES.get(f.name, f.name): f.name for f in fields(Recipe)}
_HINTS = {**get_type_hints(Recipe, include_extras=True), **get_type_hints(Training, include_extras=True)}


def _optional(kind: Any) -> Any:
    """Return the kind of an option that may be left to a preset."""
    return kind if get_origin(kind) is Mapping else kind | None


_SPELT: Mapping[str, Any] = {
    "strategy": Words,
    "dataset": Words,
    "dtype": Dtype | None,
    "trainer": Mapping[str, Assigned],
    SET: Mapping[str, Assigned],
}
"""The kinds of options that sheets spell otherwise than Python."""
_KINDS: Mapping[str, Any] = {
    **{name: kind_in_sheet(_HINTS[f.name]) for name, f in _REQUEST.items() if name not in _SPELT},
    **{name: _optional(kind_in_sheet(_HINTS[field])) for name, field in _RECIPE.items() if name not in _SPELT},
    **_SPELT,
}
_DEFAULTS: Settings = {
    **{"backbone": BACKBONE, "strategy": (STRATEGY,), "dataset": tuple(DATASETS)},
    **{name: {} if get_origin(_KINDS[name]) is Mapping else None for name in _RECIPE},
    **{name: f.default for name, f in _REQUEST.items() if name not in ("backbone", "strategy", "dataset")},
    **{"trainer": {}, SET: {}},
}


@dataclass(frozen=True, kw_only=True)
class StagedIdentity(Part):
    """A training in stages: their names, and each as if there were none before."""

    names: tuple[str, ...]
    stages: tuple[TrainingIdentity, ...]


class StepTally:
    """The steps of many trainings; a log is read again where it has grown."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self._directories = directories
        self._read: dict[Path, tuple[int, int]] = {}

    def count(self) -> int:
        """Return how many steps were logged of all together."""
        return sum(self._steps(folder) for directory in self._directories for folder in folders_of(directory))

    def _steps(self, folder: Path) -> int:
        size, steps = self._read.get(folder, (0, 0))
        with suppress(OSError, CoabenchError):  # no log yet
            now = (folder / LOG).stat().st_size
            if now != size:
                steps = TrainingLog.read(folder).last_step
                self._read[folder] = now, steps
        return steps


class Trainings(Kind):
    """Trainings of ``coabench train``."""

    options = Options("train", _KINDS, _DEFAULTS, REFUSED, {"full": "lora", "ambiguous": "unambiguous"})
    request = Training
    job = "training"
    unit = "step"
    uar = "dev UAR"
    ranks = True
    legend = (
        "Questions: of all steps. Tokens: of these with answers and images, as the backbone counts them. Seconds: "
        "at the pace of steps that are logged already, evaluations of the development part among them; loading is not."
    )
    parent = Path("adapters")

    def request_of(self, settings: Settings, output: Path | None = None) -> Training:
        """See `Kind.request_of`."""
        recipe = {field: _made(_HINTS[field], settings[name]) for name, field in _RECIPE.items()}
        line = self.options.line(settings, output)
        own = {f.name: settings[name] for name, f in _REQUEST.items()}
        return Training(**own, settings=recipe, output=output, command=line)

    def check(self, request: Training, probe: bool = False) -> Checked:
        """See `Kind.check`."""
        named = _plans(request)
        checked = [plan for _, plan in named]
        identity, steps = _identity(named), [plan.schedule.steps for plan in checked]
        tokens = [tokens_of_a_step(plan) if probe else None for plan in checked]
        known = [n * own for n, own in zip(steps, tokens, strict=True) if own is not None]
        device = checked[0].backbone.details().get("device")
        return Checked(
            identity,
            _name(checked, identity),
            sum(steps),
            sum(n * plan.recipe.batch_size for n, plan in zip(steps, checked, strict=True)),
            sum(known) / sum(steps) if len(known) == len(steps) else None,
            None if device is None else str(device),
            [note for plan in checked for note in plan.manifest["notes"]],
        )

    def read_identity(self, data: Mapping[str, Any]) -> TrainingIdentity | StagedIdentity:
        """See `Kind.read_identity`."""
        return StagedIdentity.read(data) if "stages" in data else TrainingIdentity.read(data)

    def perform(self, request: Training, verify: Callable[[Part], None], warm: Warm) -> None:
        """See `Kind.perform`."""
        verify(_identity(_plans(request)))
        train_all(request)

    def state(self, directory: Path, identity: TrainingIdentity | StagedIdentity) -> State:
        """See `Kind.state`."""
        done = StepTally([directory]).count()
        if isinstance(identity, TrainingIdentity):
            return replace(read_state(directory, identity, TrainingFolder), done=done)
        states = [
            read_state(directory / stage_folder(number, name), own, TrainingFolder, ("start",) if number > 1 else ())
            for number, (name, own) in enumerate(zip(identity.names, identity.stages, strict=True), 1)
        ]
        left = next((state for state in states if state.status != COMPLETE), states[-1])
        between = left.status == "new" and left is not states[0]
        return State("begun" if between else left.status, done, left.reason)

    def tally(self, directories: Sequence[Path]) -> StepTally:
        """See `Kind.tally`."""
        return StepTally(directories)

    def outcome(self, directory: Path) -> Outcome:
        """See `Kind.outcome`."""
        folder = folders_of(directory)[-1]
        manifest = read_manifest(folder, TrainingManifest)
        seconds = _seconds(directory)
        if manifest["status"] != COMPLETE:  # stopped early: there is no adapter
            best = TrainingLog.read(folder).best
            return Outcome(best.estimate("uar") if best else Estimate(), seconds)
        dev: Mapping[str, float] = manifest.get("dev") or {}
        uar = Estimate(*(dev.get(name) for name in ("uar", "low uar", "high uar")))
        return Outcome(uar, seconds, dev.get("invalid"), manifest.get("selected_step"), folder)

    def failures(self, directory: Path) -> Sequence[str]:
        """See `Kind.failures`."""
        manifests = [read_manifest(folder, TrainingManifest) for folder in folders_of(directory)]
        return [failure for manifest in manifests for failure in plugin_failures(manifest)]

    def pace(self, directory: Path) -> float | None:
        """See `Kind.pace`."""
        seconds, steps = _seconds(directory), StepTally([directory]).count()
        return None if seconds is None or not steps else seconds / steps

    def same_pace(self, identity: TrainingIdentity | StagedIdentity, device: str | None) -> str:
        """See `Kind.same_pace`.

        The length is part of it: the development part is evaluated so many times, however many steps there are.
        """
        stages = identity.stages if isinstance(identity, StagedIdentity) else (identity,)
        paced = []
        for own in stages:
            recipe = {name: value for name, value in own.recipe.items() if name not in UNPACED}
            paced.append(replace(own, seed=None, recipe=recipe, start=None).to_json())
        return json.dumps([*paced, device], sort_keys=True)

    def recorded(self, folder: Path) -> Iterator[tuple[Path, TrainingIdentity, str | None]]:
        """See `Kind.recorded`; trainings in stages are left out."""
        for path in sorted(folder.glob(f"*/{MANIFEST}")):
            with suppress(CoabenchError, ValueError):
                manifest = read_manifest(path.parent, TrainingManifest)
                devices = {session.get("device") for session in manifest.get("sessions") or ()}
                if len(devices) == 1:
                    yield path.parent, TrainingIdentity.read(manifest["identity"]), devices.pop()

    def shortened(self, request: Training, size: int, output: Path) -> Training:
        """See `Kind.shortened`."""
        raise UserError("--measure times evaluations", found="a sheet of trainings",
                        remedy="leave --measure out; a training that has begun says how long it takes")  # fmt: skip


def _made(hint: Any, value: Any) -> Any:
    """Return the value of a field of a recipe; None where it is left to a preset."""
    if isinstance(value, Mapping):
        return dict(value) or None
    return tuple(value.split(",")) if get_origin(hint) is tuple and value is not None else value


def folders_of(directory: Path) -> list[Path]:
    """Return the folders of a training: of each of its stages that has begun, or its own."""
    stages = [path.parent for path in directory.glob(f"*/{MANIFEST}") if _number(path.parent)]
    return sorted(stages, key=_number) if stages and not exists(directory / MANIFEST) else [directory]


def _number(stage: Path) -> int:
    number = stage.name.partition("-")[0]
    return int(number) if number.isdecimal() else 0


def _plans(request: Training) -> list[tuple[str, Plan]]:
    somewhere = replace(request, output=request.output or Path("adapters", "planned"))
    return plans(somewhere) if request.stages else [("", check(somewhere))]


def _identity(planned: Sequence[tuple[str, Plan]]) -> TrainingIdentity | StagedIdentity:
    if len(planned) == 1 and not planned[0][0]:
        return planned[0][1].identity
    names = tuple(name for name, _ in planned)
    return StagedIdentity(names=names, stages=tuple(plan.identity for _, plan in planned))


def _name(plans: Sequence[Plan], identity: Part) -> str:
    """Return the name of a training's folder, as ``coabench train`` would call it."""
    strategies = dict.fromkeys(strategy.name for plan in plans for strategy in plan.strategies)
    return identity.folder_name(["+".join(strategies)[:48], plans[0].identity.backbone.name])


def _seconds(directory: Path) -> float | None:
    """Return the seconds of all steps that are logged; None where there is no log."""
    each = [TrainingLog.read(folder).seconds for folder in folders_of(directory)]
    known = [seconds for seconds in each if seconds is not None]
    return sum(known) if len(known) == len(each) else None
