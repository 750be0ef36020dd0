"""Evaluations as jobs of a sweep."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, replace
from pathlib import Path
from statistics import mean
from typing import Any, get_type_hints

from coabench.base.text import last_part
from coabench.errors import CoabenchError, SampleError, UserError
from coabench.evaluation.job import carry_out
from coabench.evaluation.plan import Evaluation, Plan, check
from coabench.evaluation.progress import Silence
from coabench.evaluation.warm import Warm, look_of, model_of
from coabench.inference.engine import rehearse
from coabench.inference.loading import read_image
from coabench.metrics.headline import UAR
from coabench.registry.defaults import BACKBONE, DATASET, DECODE, SEED, STRATEGY
from coabench.reports.entries import find_runs
from coabench.runs.folder import plugin_failures
from coabench.runs.identity import RunIdentity
from coabench.runs.identity_part import Part
from coabench.runs.metrics import read_metrics
from coabench.runs.run import LOG, METRICS, Run, read_manifest, read_records
from coabench.sweep.kind import Checked, Kind, Outcome
from coabench.sweep.settings import SET, Assigned, Options, Settings, kind_in_sheet
from coabench.sweep.state import LineTally, State, read_state

PROBED = 8
"""Samples whose tokens are counted for an estimate."""
REFUSED = {
    "output": "each run has a folder of its own below the sweep's 'output'",
    "overwrite": "a sweep deletes nothing: delete the folders of the runs that are to be made anew",
    "folds": "each fold is a run: make 'fold' an axis, as in fold: [1/3, 2/3, 3/3]",
}
EMBEDDED = {"backbone": BACKBONE, "strategy": STRATEGY, "dataset": DATASET}
"""What is evaluated where nothing else is said, as on the command line."""
_FIELDS = {f.name: f for f in fields(Evaluation) if f.name not in (*REFUSED, "command", "options")}
_HINTS = get_type_hints(Evaluation, include_extras=True)


class Evaluations(Kind):
    """Runs of ``coabench evaluate``."""

    options = Options(
        "evaluate",
        {**{name: kind_in_sheet(_HINTS[name]) for name in _FIELDS}, SET: Mapping[str, Assigned]},
        {**{name: EMBEDDED[name] if f.default is MISSING else f.default for name, f in _FIELDS.items()}, SET: {}},
        REFUSED,
    )
    request = Evaluation
    job = "run"
    unit = "sample"
    uar = "UAR"
    ranks = False
    legend = (
        "Questions: of a sample, when every answer is the first option. Tokens: of their prompts, images included, as "
        "the backbone counts them. Seconds: at the pace of records that are there already; loading is not in them."
    )
    parent = Path("results")

    def request_of(self, settings: Settings, output: Path | None = None) -> Evaluation:
        """See `Kind.request_of`."""
        rest = {name: value for name, value in settings.items() if name != SET}
        line = self.options.line(settings, output)
        return Evaluation(**rest, options=dict(settings[SET]), output=output, command=line)

    def check(self, request: Evaluation, probe: bool = False) -> Checked:
        """See `Kind.check`."""
        return described(check(request), request, probe)

    def read_identity(self, data: Mapping[str, Any]) -> RunIdentity:
        """See `Kind.read_identity`."""
        return RunIdentity.read(data)

    def perform(self, request: Evaluation, verify: Callable[[Part], None], warm: Warm) -> None:
        """See `Kind.perform`."""
        plan = check(request)
        verify(plan.identity)
        (plan,) = warm.lend([plan], request.device)
        carry_out(request, plan, Silence())

    def state(self, directory: Path, identity: RunIdentity) -> State:
        """See `Kind.state`."""
        state = read_state(directory, identity, Run)
        return replace(state, done=LineTally([directory / LOG]).count())

    def tally(self, directories: Sequence[Path]) -> LineTally:
        """See `Kind.tally`."""
        return LineTally([directory / LOG for directory in directories])

    def outcome(self, directory: Path) -> Outcome:
        """See `Kind.outcome`."""
        manifest = read_manifest(directory)
        metrics, _ = read_metrics(directory, manifest)
        try:
            return Outcome(UAR.read(metrics), manifest.get("seconds"), metrics.get("invalid_rate"))
        except (LookupError, TypeError, ValueError) as error:
            raise UserError(f"{directory / METRICS} is damaged: {error}", remedy="delete it") from None

    def failures(self, directory: Path) -> Sequence[str]:
        """See `Kind.failures`."""
        return plugin_failures(read_manifest(directory))

    def pace(self, directory: Path) -> float | None:
        """See `Kind.pace`."""
        try:
            seconds = [record.get("seconds") for record in read_records(directory)]
        except CoabenchError:
            return None
        timed = [s for s in seconds if s is not None]
        return mean(timed) if timed and len(timed) == len(seconds) else None

    def same_pace(self, identity: RunIdentity, device: str | None) -> str:
        """See `Kind.same_pace`.

        The label space is part of it, since a strategy may ask more of one than of another.
        """
        answering = [identity.backbone.to_json(), identity.strategy.to_json(), identity.decode]
        paths = identity.self_consistency.samples if identity.self_consistency else 1
        return json.dumps([*answering, paths, identity.dataset.labels, device], sort_keys=True)

    def recorded(self, folder: Path) -> Iterator[tuple[Path, RunIdentity, str | None]]:
        """See `Kind.recorded`."""
        try:
            directories = find_runs(folder)
        except CoabenchError:  # no folder yet, or no run in it
            return
        for directory in directories:
            try:
                manifest = read_manifest(directory)
            except CoabenchError:
                continue
            devices = {session.get("device") for session in manifest.get("sessions") or ()}
            if len(devices) == 1:
                yield directory, RunIdentity.read(manifest["identity"]), devices.pop()

    def shortened(self, request: Evaluation, size: int, output: Path) -> Evaluation:
        """See `Kind.shortened`."""
        return replace(request, limit=size, output=output)


def described(plan: Plan, request: Evaluation, probe: bool = False) -> Checked:
    """Return what the plan of a request says of its run; see `Kind.check`."""
    device = plan.backbone.details().get("device")
    questions = rehearse(plan.strategy, plan.task(plan.samples[0]), plan.decode)
    return Checked(
        plan.identity,
        run_name(plan.identity),
        len(plan.samples),
        len(questions) * _paths(plan),
        _tokens(plan) if probe else None,
        None if device is None else str(device),
        plan.notes,
        f"{request.device} {model_of(plan)}",
        f"{request.device} {request.batch_size} {look_of(plan)}",
    )


def run_name(identity: RunIdentity) -> str:
    """Return the name of a run's folder: readable, the same whatever else the sheet holds, of this run alone."""
    backbone, limit = identity.backbone, identity.dataset.limit
    model, adapter = last_part(backbone.model), last_part(backbone.adapter)
    name = f"{backbone.name}-{model}" if model else backbone.name
    parts = [f"{name}+{adapter}" if adapter else name, identity.strategy.name, identity.dataset.name]
    if identity.decode != DECODE:
        parts.append(identity.decode)
    if identity.preparation:
        parts.append("cropped")
    if identity.seed != SEED:
        parts.append(f"seed-{identity.seed}")
    if identity.dataset.fold is not None:
        parts.append(f"fold-{identity.dataset.fold.number}-of-{identity.dataset.fold.of}")
    if identity.variant is not None:
        parts.append(re.sub("--(transform|rewrite) ", "", identity.variant))
    if limit is not None:
        parts.append(f"limit-{limit}")
    return identity.folder_name([part[:48] for part in parts])


def _paths(plan: Plan) -> int:
    """Return how often a sample is asked."""
    return plan.sampling.samples if plan.sampling else 1


def _tokens(plan: Plan) -> float | None:
    """Return the mean tokens of a sample's prompts, over samples from all over the data."""
    counts = []
    for sample in plan.samples[:: max(1, -(-len(plan.samples) // PROBED))]:
        task = plan.task(sample)
        try:
            images = [*plan.pool.images(sample.id), read_image(sample.image).image]
            prepared = plan.backbone.prepare(images, sample.id)
        except SampleError:
            continue  # the run will name it; here it only makes no estimate
        count = plan.backbone.prompt_tokens(prepared, rehearse(plan.strategy, task, plan.decode))
        if count is None:
            return None
        counts.append(count)
    return _paths(plan) * sum(counts) / len(counts) if counts else None
