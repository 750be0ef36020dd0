"""The names on the command line: the built-in commands, and a group of those that plugins add."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from coabench.registry.loader import get_plugins

if TYPE_CHECKING:
    import click

JOBS: Mapping[str, Mapping[str, str]] = {
    "Measure": {
        "evaluate": "Evaluate a backbone with a strategy on a data set; resume one that was stopped.",
        "sweep": "Evaluate, or train, many combinations of options; resume one that was stopped.",
        "stress": "Evaluate with pictures and questions changed in many ways: does the answer survive?",
        "score": "Import a file of predictions as a run, or parse a run's responses anew.",
        "calibrate": "Calibrate confidences: fit on one run whose labels are known, apply to others.",
    },
    "Look at results": {
        "leaderboard": "Rank the complete runs in a folder, with intervals, beside the published numbers.",
        "serve": "Serve a folder of runs as a site that follows new ones: leaderboard, reports, comparisons.",
        "report": "Show a run as one self-contained page: figures, confusions, groups, every sample.",
        "compare": "Compare two runs on the same samples: is the difference more than chance?",
        "explain": "Show what answers of a run depend on: parts of the image are covered, the questions asked again.",
        "power": "Show what a test set can detect: the power for a difference, and the smallest one that it detects.",
        "appendix": "Write the reproducibility appendix of a paper: versions, questions, seeds, hardware, hours.",
    },
    "Use": {
        "predict": "Predict the expression of every face in images, folders and videos.",
        "webcam": "Try a backbone and a strategy live: on a camera, a video, a folder or a stream.",
        "replay-live": "Show a live session as one page: what was answered about whom, and when, beside its recording.",
    },
    "Train": {
        "train": "Train an adapter on a strategy's questions; resume one that was stopped.",
        "adapters": "Show, compare, average, export and publish adapters.",
    },
    "Set up": {
        "datasets": "List, describe and verify data sets.",
        "plugins": "List, check and begin plugins.",
        "list": "List backbones, strategies, data sets, detectors, metrics and what else is registered.",
        "completion": "Print the script that lets bash, zsh or fish complete commands, options and values.",
        "doctor": "Check the installation, or whether a backbone's answers depend on the batch.",
    },
}
"""What the commands are for -> command -> its help line, as ``coabench --help`` shows them."""

COMMANDS = {name: line for job in JOBS.values() for name, line in job.items()}
"""Command -> its help line. `coabench.cli` has a module for each; no plugin can take their names."""


@cache
def plugin_commands() -> click.Group:
    """Return a group of the commands that plugins add; a plugin whose commands do not fit is marked as failed."""
    import click

    group = click.Group("plugins")
    get_plugins().add_commands(group, COMMANDS)
    return group
