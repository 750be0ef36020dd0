"""Checks of a plugin that observes: tiny runs are made, a training is described, and its hooks are called."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter as clock
from typing import Any

from coabench.base.version import __version__
from coabench.base.vocabulary import COMPLETE, FAILED, RUNNING
from coabench.errors import JobError
from coabench.evaluation.progress import Silence
from coabench.registry.loaded_plugin import LoadedPlugin
from coabench.registry.loader import get_plugins
from coabench.runs.folder import SCHEMA, now
from coabench.runs.identity import StrategyIdentity
from coabench.runs.observers import notify
from coabench.runs.run import SharedRun
from coabench.runs.training_identity import TrainedBackbone, TrainingData, TrainingIdentity
from coabench.testing.defects import observers as defects
from coabench.testing.findings import Finding, Findings
from coabench.testing.runs import tiny_run
from coabench.testing.scripted import ScriptedBackbone

HOOKS = (
    "coabench_run_started",
    "coabench_sample_predicted",
    "coabench_run_finished",
    "coabench_run_failed",
    "coabench_training_started",
    "coabench_training_step",
    "coabench_training_finished",
    "coabench_training_failed",
)
OFTEN = ("coabench_sample_predicted", "coabench_training_step")
"""The hooks that are called so often that a job would be slower for them."""
LOGS = ({"loss": 1.5, "learning_rate": 1e-4, "grad_norm": 2.0}, {"uar": 0.5, "invalid": 0.0})
"""Of a step, and of an evaluation."""


class _Notes(Silence):
    """A progress that keeps what is noted."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


class _Watch:
    """Sees how long an observer takes for each sample and step."""

    def __init__(self) -> None:
        self.seconds = {hook: list[float]() for hook in OFTEN}

    def before(self, hook: str, impls: object, arguments: Mapping[str, Any]) -> None:
        self.began = clock()

    def after(self, outcome: object, hook: str, impls: object, arguments: Mapping[str, Any]) -> None:
        if hook in OFTEN:
            self.seconds[hook].append(clock() - self.began)


def check(plugin: LoadedPlugin) -> list[Finding]:
    """Call a plugin's observers with tiny runs, of which one fails, and with trainings, and return what is wrong."""
    findings = Findings(f"observers of plugin {plugin.name!r}")
    assert plugin.manager is not None
    before = plugin.status, plugin.error, plugin.remedy
    watch, progress = _Watch(), _Notes()

    def observe() -> None:
        with TemporaryDirectory() as folder:
            _runs(Path(folder), progress)
            _trainings(Path(folder), progress)
        for note in progress.notes:
            findings.need(not note.startswith(f"plugin {plugin.name!r} failed"), defects.FAILS, note)
        # The machine may be busy at times; an observer is slow each time.
        fastest = max(min(seconds, default=0) for seconds in watch.seconds.values())
        findings.need(fastest < defects.MOST_SECONDS, defects.SLOW, f"{fastest:.2f} seconds for every sample or step")

    undo = plugin.manager.add_hookcall_monitoring(watch.before, watch.after)
    everybody, get_plugins().loaded = get_plugins().loaded, [plugin]  # the others are not to hear of these
    try:
        return findings.run([observe])
    finally:
        get_plugins().loaded = everybody
        undo()
        plugin.status, plugin.error, plugin.remedy = before


def _runs(folder: Path, progress: _Notes) -> None:
    """Make a run, one with invalid answers, and one that fails."""
    tiny_run(folder / "run", progress=progress)
    tiny_run(folder / "invalid", backbone=ScriptedBackbone(["no label at all"]), progress=progress)
    with suppress(JobError):
        tiny_run(folder / "failed", backbone=ScriptedBackbone(_fail), progress=progress)


def _fail(question: object) -> str:
    raise JobError("this run fails, to see what observers make of it")


def _trainings(folder: Path, progress: _Notes) -> None:
    """Describe a training that is resumed and complete, and one that fails."""
    for name, status in (("trained", COMPLETE), ("broken", FAILED)):
        (folder / name).mkdir()
        training = SharedRun(folder / name, training_manifest())
        notify(progress.note, "coabench_training_started", training=training, step=2)
        for step, figures in enumerate(LOGS, 3):
            logs = {"epoch": step / 2, "seconds": float(step), **figures}
            notify(progress.note, "coabench_training_step", training=training, step=step, logs=logs)
        training = replace(training, manifest={**training.manifest, "status": status})
        if status == COMPLETE:
            results = {"selected_step": 4, "dev": {"uar": 0.5, "invalid": 0.0}, "trainable": 1000}
            notify(progress.note, "coabench_training_finished", training=training, results=results)
        else:
            notify(progress.note, "coabench_training_failed", training=training, error="stopped by Ctrl-C")


def training_manifest() -> dict[str, Any]:
    """Return the manifest of a training as it begins."""
    identity = TrainingIdentity(
        coabench=__version__,
        seed=0,
        recipe={"rank": 32, "learning_rate": 2e-4},
        trainer={},
        backbone=TrainedBackbone(name="testing-backbone"),
        strategies=(StrategyIdentity(name="direct"),),
        data=(TrainingData(dataset="testing-basic", split="train", fingerprint="0" * 64, fit=12, dev=2),),
    )
    return {
        "schema": SCHEMA, "status": RUNNING, "reason": None, "identity": identity.to_json(), "options": {}, "facts": {},
        "examples": 12, "steps": 4, "notes": [], "sessions": [], "started": now(),
    }  # fmt: skip
