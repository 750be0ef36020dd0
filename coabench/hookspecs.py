"""The hooks through which backbones, strategies, data sets, detectors, metrics, parsers and others reach the bench.

A plugin is a module (or package) under the entry-point group ``coabench`` that defines functions with these names,
marked with ``coabench.hookimpl``. A plugin may leave out arguments that it does not use.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pluggy

if TYPE_CHECKING:
    import click

PROJECT = "coabench"
"""The marker name, the entry-point group and the project name are one word."""

API_VERSION = 1
"""The version of the plugin interface: hooks, and what the targets that they register are called with.

It is raised when a plugin written for the new interface would not work on the old one. Arguments added to hooks,
methods with a default and optional fields do not raise it.
"""

OLDEST_API = 1
"""The oldest version of the plugin interface that still works."""

API_NAME = "COABENCH_API"
"""Where a plugin's module says which `API_VERSION` it was written for. One written for a newer one, or for one older
than `OLDEST_API`, is left out."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Register(Protocol):
    """The callback that registration hooks receive."""

    def __call__(self, name: str, target: str, *, description: str = "", **details: Any) -> None:
        """Register something lazily.

        Args:
            name: what the user types.
            target: ``"module:attribute"``; imported only when it is used.
            description: one line for ``coabench list``.
            details: what `list` and the registry of that kind also know: ``variants=("a", "b")`` for a strategy,
                ``card=Path(...)`` for a data set, with ``short="compound"`` where its labels go by a short name too,
                ``loaded="module:function"`` for a backbone that takes models which Python has loaded,
                ``rank=40``, ``available="module:function"``, ``weights=(".onnx",)`` and
                ``libraries=("opencv-python",)`` for a detector,
                ``title="G-mean"`` and ``format="percent"`` for a metric.
        """


class Run(Protocol):
    """A run as observers see it: a copy, made for the call.

    Attributes:
        directory: its folder.
        manifest: what ``run.json`` holds.
        done: how many samples have their record.
    """

    directory: Path
    manifest: dict[str, Any]
    done: int


class Training(Protocol):
    """A training as observers see it: a copy, made for the call.

    Attributes:
        directory: its folder.
        manifest: what ``training.json`` holds.
    """

    directory: Path
    manifest: dict[str, Any]


@hookspec
def coabench_register_backbones(register: Register) -> None:
    """Register backbones. The target is called with a `coabench.backbone.BackboneRequest`."""


@hookspec
def coabench_register_strategies(register: Register) -> None:
    """Register strategies. The target is called with a `coabench.strategy.StrategyRequest`."""


@hookspec
def coabench_register_datasets(register: Register) -> None:
    """Register data sets. The target is called with ``(card, root, options)``; pass ``card=Path(...)``."""


@hookspec
def coabench_register_detectors(register: Register) -> None:
    """Register face detectors. The target is called with a `coabench.detector.DetectorRequest`.

    Pass ``available="module:function"`` (light to import; None, or a `coabench.detector.Unavailable`), ``rank=`` (a
    number; the highest that is available is what ``auto`` takes; without one it never is) and ``weights=(".onnx",)``
    where the user has to bring a file.
    """


@hookspec
def coabench_register_metrics(register: Register) -> None:
    """Register metrics. The target is called with ``(targets, predictions, labels)``: label names per sample, None for
    a prediction without a label, and the manifest's ``labels``. One with a parameter ``records`` is also passed the
    run's records (docs/reference/formats.md): ids, turns with their scores, attributes, votes; the same samples in the
    same order. All of it are copies. It returns a number, ``{"value": number, "interval": [low, high]}``, or
    anything else that JSON can hold; only numbers become columns of the leaderboard. Where the run lacks what it
    needs it raises a `coabench.errors.UserError` that says what: it is then left out, and the reason is printed."""


@hookspec
def coabench_register_commands(cli: click.Group) -> None:
    """Add commands to the ``coabench`` command line."""


@hookspec
def coabench_register_sections(register: Register) -> None:
    """Register sections of the report's page. The target is called with ``(manifest, metrics)``, and with the run's
    records where it has a parameter ``records``, all of it copies. It returns a `coabench.section.Section`, or None
    where it has nothing to say about the run. Where the run lacks what it needs it raises a
    `coabench.errors.UserError` that says what."""


@hookspec
def coabench_register_parsers(register: Register) -> None:
    """Register parsers. The target is called with a `coabench.parser.Response` and returns a `coabench.parser.Parsed`:
    one of the labels that the response may mean, with the name of the rule by which, or none. It never guesses."""


@hookspec
def coabench_register_transforms(register: Register) -> None:
    """Register transforms of images. The target is called with a `coabench.transform.TransformRequest` and returns a
    `coabench.transform.Transform`, which is then asked for one image after the other."""


@hookspec
def coabench_register_rewrites(register: Register) -> None:
    """Register rewrites of questions. The target is called with a `coabench.rewrite.RewriteRequest` and returns a
    `coabench.rewrite.Rewrite`, which is then given one question after the other."""


@hookspec
def coabench_register_executors(register: Register) -> None:
    """Register executors of sweeps. The target is called with a `coabench.sweep.executor.ExecutorRequest` and returns a
    `coabench.sweep.executor.Executor`. Pass ``available="module:function"`` where it needs what may not be here."""


@hookspec
def coabench_run_started(run: Run) -> None:
    """A run begins or continues; its directory and manifest exist."""


@hookspec
def coabench_sample_predicted(run: Run, record: Mapping[str, Any]) -> None:
    """A record was written to the run's log."""


@hookspec
def coabench_run_finished(run: Run, metrics: Mapping[str, Any]) -> None:
    """A run is complete; its metrics are written."""


@hookspec
def coabench_run_failed(run: Run, error: str) -> None:
    """A run that had begun stops before its end; its log and manifest are written, as far as they can be.

    Args:
        error: why, in words: an error's message, or ``stopped by Ctrl-C`` (SIGTERM, SIGHUP).
    """


@hookspec
def coabench_training_started(training: Training, step: int) -> None:
    """A training begins or resumes; its directory and manifest exist.

    Args:
        step: how many steps were made before, as the checkpoint has it that is resumed from; 0 at the beginning.
    """


@hookspec
def coabench_training_step(training: Training, step: int, logs: Mapping[str, Any]) -> None:
    """A line of the training's log was written: about a hundred of them, and one for each evaluation.

    Args:
        step: how many steps were made.
        logs: numbers by name: ``loss``, ``learning_rate``, ``grad_norm``; ``uar``, ``war`` and others on the dev part;
            ``epoch``, and the ``seconds`` since this process began.
    """


@hookspec
def coabench_training_finished(training: Training, results: Mapping[str, Any]) -> None:
    """A training is complete; its weights are written.

    Args:
        results: ``selected_step``, ``dev`` (the figures on the dev part at that step, or None) and ``trainable`` (the
            number of weights that were trained).
    """


@hookspec
def coabench_training_failed(training: Training, error: str) -> None:
    """A training that had begun stops before its end; its checkpoints are kept.

    Args:
        error: why, as with ``coabench_run_failed``.
    """
