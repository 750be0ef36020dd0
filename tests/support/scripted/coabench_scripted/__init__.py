"""A third-party plugin: a backbone that answers by the pixels, a data set it draws itself, a detector, a
section of the report, a command, observers."""

import os
from pathlib import Path

import click

from coabench import hookimpl

SOUND = os.environ.get("SCRIPTED_SOUND")
"""Whether to leave out what fails."""


@hookimpl
def coabench_register_backbones(register):
    register("scripted", "coabench_scripted.backbone:Scripted", description="answers by the pixels")
    register("absent-library", "coabench_scripted.nowhere:Nothing")


@hookimpl
def coabench_register_datasets(register):
    card = Path(__file__).with_name("drawn.yaml")
    register("drawn", "coabench_scripted.drawn:Drawn", card=card, description="coloured squares")


@hookimpl
def coabench_register_detectors(register):
    register("brightest", "coabench_scripted.detector:Brightest", description="what is bright", rank=5)
    if not SOUND:
        register(
            "unready",
            "coabench_scripted.nowhere:Nothing",
            description="never there",
            rank=99,
            available="coabench_scripted.detector:unready",
        )
        register("unchecked", "coabench_scripted.nowhere:Nothing", available="coabench_scripted.detector:defect")


@hookimpl
def coabench_register_metrics(register):
    register(
        "silence",
        "coabench_scripted.metrics:silence",
        description="share of samples without a label",
        title="silent",
        format="percent",
    )
    register("labels-used", "coabench_scripted.metrics:labels_used")
    if not SOUND:
        register("failing", "coabench_scripted.metrics:failing")
        register("leaving", "coabench_scripted.metrics:leaving")


@hookimpl
def coabench_register_parsers(register):
    register("last-line", "coabench_scripted.parser:last_line", description="the label stands alone in the last line")


@hookimpl
def coabench_register_transforms(register):
    register("upside-down", "coabench_scripted.transform:UpsideDown", description="turned by half a turn")


@hookimpl
def coabench_register_executors(register):
    register("here", "coabench_scripted.executor:Here", description="one run after the other, in this process")


@hookimpl
def coabench_register_sections(register):
    register("silences", "coabench_scripted.section:silences", description="how many samples have no label")


@hookimpl
def coabench_register_commands(cli):
    @cli.command("scripted-hello")
    def hello():
        """Say hello."""
        click.echo("hello from a plugin")


def note(line):
    path = os.environ.get("SCRIPTED_EVENTS")
    if path:
        with Path(path).open("a") as file:
            file.write(line + "\n")


@hookimpl
def coabench_run_started(run):
    note(f"started {run.manifest['status']}")


@hookimpl
def coabench_sample_predicted(record):  # leaves out `run`, which it does not need
    note(f"predicted {record['id']}")


@hookimpl
def coabench_run_finished(run, metrics):
    note(f"finished {run.manifest['status']} {metrics['samples']}")
    fail()


@hookimpl
def coabench_run_failed(run, error):
    note(f"failed {run.manifest['status']} after {run.done}: {error}")
    fail()


@hookimpl
def coabench_training_started(training, step):
    note(f"training {training.manifest['status']} from {step}")


@hookimpl
def coabench_training_step(step, logs):
    note(f"step {step}: {', '.join(sorted(logs))}")
    logs.clear()


@hookimpl
def coabench_training_finished(training, results):
    note(f"training {training.manifest['status']}: {', '.join(results)}")


@hookimpl
def coabench_training_failed(training, error):
    note(f"training {training.manifest['status']}: {error}")


def fail():
    if os.environ.get("SCRIPTED_RAISES"):
        raise RuntimeError("the observer is broken")
