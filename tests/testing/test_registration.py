"""Defects of a plugin as a whole, and of its observers, planted in packages that are really there."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.in_process import declare
from support.planted import assert_named
from support.process import Run

from coabench import hookimpl
from coabench.registry.loaded_plugin import LoadedPlugin
from coabench.registry.loader import Plugins, get_plugins
from coabench.testing import observers, registration
from coabench.testing.findings import Finding

pytestmark = pytest.mark.process  # what a plugin imports is seen in a process of its own


def loaded(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str, name: str = "planted") -> LoadedPlugin:
    """Return a plugin, loaded from a module of this code."""
    from importlib.metadata import EntryPoint, PathDistribution

    module = f"{name}_{abs(hash(str(folder)))}"
    (folder / f"{module}.py").write_text("from coabench import hookimpl\n" + code)
    info = folder / f"coabench_{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: coabench-{name}\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(folder)
    entry = EntryPoint(name, module, "coabench")._for(PathDistribution(info))  # type: ignore[attr-defined]
    [plugin] = Plugins([entry]).loaded
    return plugin


HEAD = """
COABENCH_API = 1

@hookimpl
def coabench_register_commands(cli): ...
"""
LISTED = (
    "@hookimpl\ndef coabench_register_detectors(register):\n    register('bright', '{0}:x', description='it', {1})\n"
)
PLANTED = {
    "heavy imports": ("import pandas" + HEAD, "heavy-imports", "pandas"),
    "heavy imports in a hook": (
        "COABENCH_API = 1\n@hookimpl\ndef coabench_register_metrics(register):\n    import numpy\n",
        "heavy-imports",
        "numpy",
    ),
    "heavy imports in the check of a detector": (
        "COABENCH_API = 1\ndef here():\n    import cv2\n" + LISTED.format("m", "available=f'{__name__}:here'"),
        "heavy-imports",
        "cv2",
    ),
    "an unmarked hook": (
        HEAD + "def coabench_register_strategies(register): ...\n",
        "unmarked-hook",
        "coabench_register_strategies",
    ),
    "an unmarked hook that is misspelt": (
        HEAD + "def coabench_register_strategy(register): ...\n",
        "unmarked-hook",
        "coabench_register_strategy",
    ),
    "no hook at all": ("COABENCH_API = 1\n", "no-hooks", ""),
    "no version of the interface": (HEAD.replace("COABENCH_API = 1", ""), "no-api-version", "COABENCH_API"),
    "not loaded": ("1 / 0", "not-loaded", "what to do: upgrade coabench-planted or report it"),
    "too new": (
        "COABENCH_API = 7\n" + HEAD.replace("COABENCH_API = 1", ""),
        "not-loaded",
        "what to do: upgrade coabench (pip",
    ),
}


@pytest.mark.parametrize("defect", PLANTED)
def test_a_planted_defect_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defect: str) -> None:
    code, name, seen = PLANTED[defect]
    assert_named(registration.check(loaded(tmp_path, monkeypatch, code)), name, seen)


def test_a_sound_plugin_has_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = "def coabench_home(): ...\n"  # a helper of its own, named like no hook
    assert registration.check(loaded(tmp_path, monkeypatch, HEAD + helper)) == []


def test_one_that_is_disabled_is_not_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COABENCH_DISABLE_PLUGINS", "coabench-planted")
    assert_named(registration.check(loaded(tmp_path, monkeypatch, HEAD)), "disabled")


@pytest.mark.parametrize("plugin", get_plugins().loaded, ids=lambda plugin: plugin.name)
def test_plugins_that_ship_conform(plugin: LoadedPlugin) -> None:
    assert [str(finding) for finding in registration.check(plugin)] == []


def observe(monkeypatch: pytest.MonkeyPatch, *hooks: Any) -> list[Finding]:
    """Return what is wrong with observers, message of real runs."""
    import types

    import pluggy

    from coabench import hookspecs

    module = types.ModuleType("planted")
    for hook in hooks:
        setattr(module, hook.__name__, hook)
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module, "planted")
    named = tuple(hook.__name__ for hook in hooks)
    plugin = LoadedPlugin("planted", "planted", "coabench-planted", "1.0", hooks=named, manager=manager)
    monkeypatch.setattr(get_plugins(), "loaded", [*get_plugins().loaded, plugin])
    findings = observers.check(plugin)
    assert plugin.status == "ok"  # it may be checked again
    return findings


def test_observers_that_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    @hookimpl
    def coabench_sample_predicted(record: Any) -> None:
        record["prediction"].lower()  # None where the answer could not be understood

    findings = observe(monkeypatch, coabench_sample_predicted)
    assert_named(findings, "observer-fails", "'NoneType' object has no attribute 'lower'")

    @hookimpl
    def coabench_run_finished(metrics: Any) -> None:
        raise SystemExit(1)

    assert_named(observe(monkeypatch, coabench_run_finished), "observer-fails", "coabench_run_finished")


def test_observers_of_failures_and_trainings_that_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = list[Any]()

    @hookimpl
    def coabench_run_failed(run: Any, error: str) -> None:
        heard.append((run.manifest["status"], error.splitlines()[0]))

    @hookimpl
    def coabench_training_started(training: Any, step: int) -> None:
        heard.append((training.manifest["steps"], step))

    @hookimpl
    def coabench_training_failed(training: Any, error: str) -> None:
        heard.append((training.manifest["status"], error))

    hooks = (coabench_run_failed, coabench_training_started, coabench_training_failed)
    assert observe(monkeypatch, *hooks) == []
    assert heard == [
        ("failed", "this run fails, to see what observers make of it"),
        (4, 2),
        (4, 2),
        ("failed", "stopped by Ctrl-C"),
    ]

    @hookimpl
    def coabench_training_step(logs: Any) -> None:
        logs["loss"] / 2  # which an evaluation does not have

    assert_named(observe(monkeypatch, coabench_training_step), "observer-fails", "KeyError: 'loss'")


def test_observers_may_change_what_they_receive(monkeypatch: pytest.MonkeyPatch) -> None:
    @hookimpl
    def coabench_sample_predicted(run: Any, record: Any) -> None:
        record["turns"].clear()

    @hookimpl
    def coabench_run_finished(run: Any, metrics: Any) -> None:
        metrics["uar"] = 1.0

    @hookimpl
    def coabench_run_started(run: Any) -> None:
        run.manifest["labels"]["names"].reverse()

    hooks = (coabench_run_started, coabench_sample_predicted, coabench_run_finished)
    assert observe(monkeypatch, *hooks) == []  # copies


def test_observers_that_are_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    from coabench.testing.defects.observers import MOST_SECONDS

    now = 0.0

    def passing() -> float:
        nonlocal now
        now += 1.1 * MOST_SECONDS
        return now

    @hookimpl
    def coabench_sample_predicted(record: Any) -> None: ...

    assert observe(monkeypatch, coabench_sample_predicted) == []
    monkeypatch.setattr("coabench.testing.observers.clock", passing)
    assert_named(
        observe(monkeypatch, coabench_sample_predicted), "slow-observer", "0.22 seconds for every sample or step"
    )


BROKEN = """
from pathlib import Path
from coabench import hookimpl

COABENCH_API = 1

@hookimpl
def coabench_register_strategies(register):
    register("guess", "coabench_broken.parts:Guess", description="guesses")

@hookimpl
def coabench_register_metrics(register):
    register("undefined", "coabench_broken.parts:undefined", description="not a number")
    register("gone", "coabench_broken.nowhere:gone", description="not there")

@hookimpl
def coabench_register_backbones(register):
    register("chatty", "coabench_broken.parts:Chatty", description="takes a model")

@hookimpl
def coabench_register_commands(cli):
    import click

    class Opens(click.Command):
        def parse_args(self, context, arguments):
            raise FileNotFoundError("settings.toml")

    cli.add_command(Opens("broken-opens", help="Open."))
"""
PARTS = """
from dataclasses import dataclass
from coabench.backbone import Backbone
from coabench.dialogue import Prediction, Question
from coabench.errors import UserError
from coabench.strategy import Strategy

class Guess(Strategy):
    name = "guess"

    def __init__(self, request): ...

    def converse(self, task):
        answer = yield Question("Which?", task.labels)
        return Prediction(answer.label or task.labels[0])

    def identity(self):
        return {}

def undefined(targets, predictions, labels):
    return float("nan")

class Chatty(Backbone):
    @dataclass(frozen=True)
    class Options:
        loud: bool = False

    def __init__(self, request):
        if request.model != "here":
            raise UserError("it needs a model", expected="chatty:here")

    def identity(self):
        return {"model": "here"}

    def look(self, batch):
        raise OSError("the weights are torn")
"""


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PYTHONPATH on which a package with several defects is installed."""
    project = tmp_path_factory.mktemp("project")
    (project / "coabench_broken").mkdir()
    (project / "coabench_broken" / "__init__.py").write_text(BROKEN)
    (project / "coabench_broken" / "parts.py").write_text(PARTS)
    (project / "pyproject.toml").write_text(
        '[project]\nname = "coabench-broken"\nversion = "0.3"\n'
        '[project.entry-points.coabench]\nbroken = "coabench_broken"\n'
    )
    return os.pathsep.join(declare(project, tmp_path_factory.mktemp("site")))


@pytest.fixture
def check(coabench: Run, broken: str) -> Run:
    return partial(coabench, "plugins", "check", PYTHONPATH=broken)


def test_plugins_check_names_the_defects_of_an_installed_package(check: Run) -> None:
    message = check("coabench_Broken")  # names of distributions are spelt in several ways
    assert message.returncode == 1, message.stderr
    assert message.stdout.startswith("coabench-broken 0.3\nok         plugin broken\n")
    for line in (
        "error      strategy guess",
        "[label-from-nothing]",
        "error      metric undefined",
        "[not-json]",
        "[not-importable]",
        "No module named 'coabench_broken.nowhere'",
        "unchecked  backbone chatty",
        "what to do: pass --backbone chatty:MODEL",
        "error      command broken-opens",
        "FileNotFoundError: settings.toml",
        "coabench_Broken: failed (4 errors, 0 warnings, 1 not checked)",
    ):
        assert line in message.stdout, line
    assert message.stdout.count("why it matters: ") == message.stdout.count("seen: ") - 1 == 4
    assert "Traceback" not in message.stderr


def test_plugins_check_with_the_means_of_the_user(check: Run) -> None:
    message = check("broken", "--backbone", "chatty:here", "--set", "loud=yes")
    assert message.returncode == 1
    assert "OSError: the weights are torn (parts.py, line " in message.stdout
    assert "0 not checked" in message.stdout


@pytest.mark.parametrize(
    ("arguments", "message", "advised"),
    [
        (("brocken",), "there is no plugin or distribution named 'brocken'", "did you mean 'broken'?"),
        (("broken", "--backbone", "chatti:here"), "none of these plugins has a backbone 'chatti'", "'chatty'"),
        (("broken", "--set", "lout=yes"), "--set lout: nothing here has this option", "did you mean 'loud'?"),
    ],
)
def test_plugins_check_refuses_what_it_cannot_use(
    check: Run, arguments: tuple[str, ...], message: str, advised: str
) -> None:
    result = check(*arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert advised in result.stderr
    assert result.stdout == ""


def test_plugins_check_passes_what_ships(check: Run) -> None:
    message = check("strategies")
    assert message.returncode == 0
    assert message.stdout.endswith("strategies: passed (0 errors, 0 warnings, 0 not checked)\n")
    assert json.dumps(message.stdout).isascii()
