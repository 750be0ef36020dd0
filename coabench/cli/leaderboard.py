"""``coabench leaderboard``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from coabench.cli import completing
from coabench.cli.command import Command, grouped
from coabench.cli.options import format_option, output_option, write
from coabench.render.tables import Format, render_sections


@click.command("leaderboard", cls=Command, examples=(
    ("the runs in results/", "coabench leaderboard"),
    ("those of one data set, as a page with a chart",
     "coabench leaderboard results --dataset synthface-compound --format html --output leaderboard.html"),
))  # fmt: skip
@click.argument("directory", metavar="[DIR]", type=click.Path(path_type=Path), default=Path("results"))
@grouped(
    "Rows",
    click.option("--dataset", metavar="NAME", help="Only the runs on this data set; by default all.",
                 shell_complete=completing.datasets),
    click.option("--over", type=click.Choice(["seed", "fold"]), multiple=True,
                 help="One row for runs that differ in a seed, or the fold, only; repeatable."),
    click.option("--baseline", metavar="RUN", type=click.Path(path_type=Path),
                 help="Compare the others with this run; none by default.",
                 shell_complete=completing.runs),
)  # fmt: skip
@format_option
@output_option
def command(
    directory: Path,
    dataset: str | None,
    baseline: Path | None,
    over: tuple[str, ...],
    format: Format,
    output: Path | None,
) -> None:
    """Rank the complete runs in DIR (results), with intervals, beside the published numbers.

    Runs are compared where they answered the same samples with the same labels. A run made with --limit, or one that
    is unfinished, failed or damaged, is listed with the reason and not ranked.
    """
    from coabench.reports.leaderboard import leaderboard
    from coabench.stress.folder import is_stress

    sections = leaderboard(directory, dataset, baseline, workers=os.cpu_count() or 1, over=over)
    write(render_sections(sections, format, "Leaderboard"), output)
    if is_stress(directory):
        message = (
            "this folder holds a stress: its conditions are not ranked; `coabench report` on it says what they change"
        )
        click.echo(message, err=True)
