"""Checks of a plugin that observes runs: tiny runs are made, and its hooks are called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter as clock
from typing import Any

from coabench.evaluation.progress import Silence
from coabench.registry.loader import LoadedPlugin
from coabench.testing.defects import observers as defects
from coabench.testing.findings import Finding, Findings
from coabench.testing.runs import tiny_run
from coabench.testing.scripted import ScriptedBackbone

HOOKS = ("coabench_run_started", "coabench_sample_predicted", "coabench_run_finished")


class _Notes(Silence):
    """A progress that keeps what is noted."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


class _Watch:
    """Sees how long an observer takes for each sample."""

    def __init__(self) -> None:
        self.seconds = list[float]()

    def before(self, hook: str, impls: object, arguments: Mapping[str, Any]) -> None:
        self.began = clock()

    def after(self, outcome: object, hook: str, impls: object, arguments: Mapping[str, Any]) -> None:
        if hook == "coabench_sample_predicted":
            self.seconds.append(clock() - self.began)


def check(plugin: LoadedPlugin) -> list[Finding]:
    """Call a plugin's observers with tiny runs, one of them with invalid answers, and return what is wrong."""
    findings = Findings(f"observers of plugin {plugin.name!r}")
    assert plugin.manager is not None
    before = plugin.status, plugin.error, plugin.remedy
    watch = _Watch()

    def observe() -> None:
        for script in (None, ["no label at all"]):
            progress = _Notes()
            with TemporaryDirectory() as folder:
                tiny_run(Path(folder) / "run", backbone=ScriptedBackbone(script), progress=progress)
            for note in progress.notes:
                findings.need(not note.startswith(f"plugin {plugin.name!r} failed"), defects.FAILS, note)
        fastest = min(watch.seconds, default=0)  # the machine may be busy at times; the observer is slow each time
        findings.need(fastest < defects.MOST_SECONDS, defects.SLOW, f"{fastest:.2f} seconds for every sample")

    undo = plugin.manager.add_hookcall_monitoring(watch.before, watch.after)
    try:
        return findings.run([observe])
    finally:
        undo()
        plugin.status, plugin.error, plugin.remedy = before
