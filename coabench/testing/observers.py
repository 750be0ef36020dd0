"""Checks of a plugin that observes runs: tiny runs are made, and it is told of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter as clock
from typing import Any

from coabench.registry.loader import LoadedPlugin
from coabench.testing.defects.observers import FAILS, MOST_SECONDS, SLOW, WRITES
from coabench.testing.findings import Finding, Findings
from coabench.testing.runs import tiny_run
from coabench.testing.scripted import ScriptedBackbone

HOOKS = ("coabench_run_started", "coabench_sample_predicted", "coabench_run_finished")


class _Notes:
    """A progress that keeps what is noted."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def start(self, total: int, done: Collection[Mapping[str, Any]]) -> AbstractContextManager[Any]:
        return nullcontext()

    def advance(self, records: Sequence[Mapping[str, Any]]) -> None:
        return

    def note(self, text: str) -> None:
        self.notes.append(text)


class _Watch:
    """Sees what an observer is called with, before and after, and how long it takes."""

    def __init__(self, found: Findings) -> None:
        self.found, self.seconds = found, list[float]()

    def before(self, hook: str, impls: object, given: Mapping[str, Any]) -> None:
        self.was = deepcopy(_facts(given))
        self.began = clock()

    def after(self, outcome: object, hook: str, impls: object, given: Mapping[str, Any]) -> None:
        if hook == "coabench_sample_predicted":
            self.seconds.append(clock() - self.began)
        self.found.need(_facts(given) == self.was, WRITES, f"{hook}: {_changed(self.was, _facts(given))}")


def check(plugin: LoadedPlugin) -> list[Finding]:
    """Tell a plugin of tiny runs, one of them with invalid answers, and return what is wrong."""
    found = Findings(f"observers of plugin {plugin.name!r}")
    assert plugin.manager is not None
    before = plugin.status, plugin.error, plugin.remedy
    watch = _Watch(found)

    def tell() -> None:
        for script in (None, ["no label at all"]):
            progress = _Notes()
            with TemporaryDirectory() as folder:
                tiny_run(Path(folder) / "run", backbone=ScriptedBackbone(script), progress=progress)
            for note in progress.notes:
                found.need(not note.startswith(f"plugin {plugin.name!r} failed"), FAILS, note)
        fastest = min(watch.seconds, default=0)  # the machine may be busy at times; the observer is slow each time
        found.need(fastest < MOST_SECONDS, SLOW, f"{fastest:.2f} seconds for every sample")

    undo = plugin.manager.add_hookcall_monitoring(watch.before, watch.after)
    try:
        return found.run([tell])
    finally:
        undo()
        plugin.status, plugin.error, plugin.remedy = before


def _facts(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values that a hook is called with: the record, the metrics, the run's manifest."""
    facts = {name: value for name, value in given.items() if name != "run"}
    return {**facts, "manifest": given["run"].manifest} if "run" in given else facts


def _changed(was: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name}[{key!r}]"
        for name in was
        for key in sorted({*was[name], *now[name]})
        if was[name].get(key, _changed) != now[name].get(key, _changed)
    )
