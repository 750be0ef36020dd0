"""``coabench report``."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import click
from click.core import ParameterSource
from markupsafe import Markup

from coabench.base.files import write_text
from coabench.cli import completing
from coabench.cli.command import OUTPUT, Command, grouped
from coabench.cli.kept import OutputFile
from coabench.cli.output import write
from coabench.errors import UserError

EVERY = 10
"""Seconds between two writings of the page of a training that runs."""


@click.command("report", cls=Command, examples=(
    ("a run as a page", "coabench report results/my-run"),
    ("what it got wrong alone, with small images", "coabench report results/my-run --only wrong --images"),
))  # fmt: skip
@click.argument("run", type=click.Path(path_type=Path), shell_complete=completing.reported)
@grouped(
    "Samples",
    click.option("--samples", metavar="N", type=click.IntRange(min=1), default=100_000, show_default=True,
                 help="How many samples the page holds at most; its figures are over all."),
    click.option("--only", type=click.Choice(["right", "wrong", "invalid", "error"]), multiple=True,
                 help="Hold only samples with this result; repeatable. By default all."),
    click.option("--min-group", metavar="N", type=click.IntRange(min=1), default=20, show_default=True,
                 help="Groups of fewer samples are counted and not scored."),
    click.option("--explain", metavar="N", type=click.IntRange(min=1),
                 help="Explain N wrong answers, as `coabench explain` does: asks the model again. None by default."),
)  # fmt: skip
@grouped(
    "Images",
    click.option("--images", is_flag=True, help="Put small versions of the images into the page."),
    click.option("--image-side", metavar="PIXELS", type=click.IntRange(16, 1024),
                 help="With --images: their longer side, at most; 96 pixels by default."),
    click.option("--data-root", metavar="PATH", type=click.Path(path_type=Path),
                 help="With --images, --explain: the folder or file that holds them; by default the run's."),
    click.option("--dataset", metavar="NAME|CARD.yaml",
                 help="With --images: the data set, by default the one that the run names.",
                 shell_complete=completing.datasets),
)  # fmt: skip
@grouped(
    OUTPUT,
    click.option("--output", metavar="FILE", type=OutputFile(),
                 help="The page; RUN.html here by default."),
    click.option("--format", type=click.Choice(["html", "json"]), default="html", show_default=True,
                 help="Of a stress: the page, or its measures for programs."),
    click.option("--watch", is_flag=True,
                 help="Of a training: write the page again every ten seconds until the training ends."),
)  # fmt: skip
@click.pass_context
def command(
    context: click.Context,
    run: Path,
    output: Path | None,
    min_group: int,
    images: bool,
    image_side: int | None,
    data_root: Path | None,
    dataset: str | None,
    samples: int,
    only: tuple[str, ...],
    format: str,
    explain: int | None,
    watch: bool,
) -> None:
    """Show the run, the training or the stress in the directory RUN as one self-contained HTML page.

    Figures with their intervals, confusions, calibration, groups, timing, and a browser of the samples with their
    prompts and raw responses. The page needs no network and holds no images unless --images is given; like the log, it
    holds the ids and labels of the data set, whose terms apply to it.

    Of a training, also one that is running or was stopped: loss, dev UAR and learning rate over the steps, the examples
    of each answer, and its recipe beside the published one.

    Of a stress: what each condition changes, curves over the severities, the worst order of the options, the positions
    that are chosen and the labels that break first; with --images some samples at each severity.
    """
    from coabench.reports.report import Report, report
    from coabench.reports.training_page import is_training
    from coabench.robustness.folder import is_stress
    from coabench.support.thumbnails import SIDE

    page = output or Path(f"{Path(os.path.realpath(run)).name}.html")
    if is_training(run):
        _check_options(context, "a training", ("watch",))
        _write_training(run, page, watch)
        return
    if watch:
        raise UserError("--watch follows a training", found=f"{run}, which holds none", remedy="leave it out")
    if is_stress(run):
        _check_options(context, "a stress", ("images", "data_root", "dataset", "format"))
    elif format != "html":
        raise UserError("--format json is for a stress", found=str(run), remedy="read metrics.json of the run")
    if not (images or explain) and data_root is not None:
        raise UserError("--data-root says where images are", remedy="add --images or --explain N, or leave it out")
    if not images and image_side is not None:
        raise UserError("--image-side says how large images are", remedy="add --images, or leave it out")
    if not images and dataset is not None:
        raise UserError("--dataset says which data set has the images", remedy="add --images, or leave it out")
    if is_stress(run):
        _write_stress(run, output, page, format, (dataset, data_root) if images else None)
        return
    explained = None if explain is None else _explained(run, explain, data_root)
    side = image_side or SIDE
    text = report(Report(run, min_group, images, data_root, dataset, samples, only, side), explained)
    write(text, page)


def _explained(run: Path, number: int, data_root: Path | None) -> Markup:
    """Return the maps of some wrong answers, for the page."""
    from coabench.cli.progress import ExplainTerminal
    from coabench.explanation.job import Explaining, explain
    from coabench.explanation.page import parts

    with redirect_stdout(sys.stderr):
        return parts(explain(Explaining(run, f"wrong:{number}", data_root=data_root), ExplainTerminal()))


def _check_options(context: click.Context, found: str, allowed: Sequence[str]) -> None:
    for name in context.params:
        typed = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if typed and name not in ("run", "output", *allowed):
            raise UserError(f"--{name.replace('_', '-')} is for runs", found=found, remedy="leave it out")


def _write_stress(
    folder: Path, output: Path | None, page: Path, format: str, images: tuple[str | None, Path | None] | None
) -> None:
    from coabench.robustness.page import stress_page
    from coabench.robustness.summary import summarise

    summary = summarise(folder)
    if format == "json":
        write(json.dumps(summary.as_json(), ensure_ascii=False, indent=2, allow_nan=False) + "\n", output)
        return
    write(stress_page(summary, images), page)


def _write_training(folder: Path, page: Path, watch: bool) -> None:
    """Write the page of a training once, or until it ends; a page that is not written again does not reload itself."""
    from coabench.reports.training_page import is_running, training_page

    if watch and is_running(folder):
        write(training_page(folder, reload=EVERY), page)
        click.echo("written again while it trains; open it in a browser, Ctrl-C ends this", err=True)
        try:
            while is_running(folder):
                time.sleep(EVERY)
                write_text(page, training_page(folder, reload=EVERY))
        finally:
            write_text(page, training_page(folder))
        return
    write(training_page(folder), page)
