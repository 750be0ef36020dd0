"""``coabench leaderboard``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from coabench.base.text import safe
from coabench.cli import completing
from coabench.cli.command import OUTPUT, Command, grouped
from coabench.cli.options import format_option, output_option
from coabench.cli.output import write_tables
from coabench.errors import UserError
from coabench.render.tables import Format, Section


@click.command("leaderboard", cls=Command, examples=(
    ("the runs in results/", "coabench leaderboard"),
    ("as pages with charts, whose rows lead to reports",
     "coabench leaderboard results --format html --with-reports site"),
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
@grouped(
    OUTPUT,
    click.option("--with-reports", "folder", metavar="FOLDER", type=click.Path(path_type=Path),
                 help="Write the page of --format html, and a report for every run, here; none by default."),
)  # fmt: skip
@format_option
@output_option
def command(
    directory: Path,
    dataset: str | None,
    baseline: Path | None,
    over: tuple[str, ...],
    folder: Path | None,
    format: Format,
    output: Path | None,
) -> None:
    """Rank the complete runs in DIR (results), with intervals, beside the published numbers.

    Runs are compared where they answered the same samples with the same labels. A run made with --limit, or one that
    is unfinished, failed or damaged, is listed with the reason and not ranked.
    """
    if folder is not None and (format != "html" or output is not None):
        raise UserError(
            "--with-reports writes a folder of pages",
            expected="--format html, and no --output",
            remedy="add --format html, leave out --output",
        )
    from coabench.reports.leaderboard import leaderboard
    from coabench.robustness.folder import is_stress

    sections = leaderboard(directory, dataset, baseline, workers=os.cpu_count() or 1, over=over)
    if folder is not None:
        _write_pages(sections, folder)
    else:
        write_tables(sections, format, "Leaderboard", output)
    if is_stress(directory):
        message = (
            "this folder holds a stress: its conditions are not ranked; `coabench report` on it says what they change"
        )
        click.echo(message, err=True)


def _write_pages(sections: Sequence[Section], folder: Path) -> None:
    from coabench.reports.board_folder import INDEX, write_board

    for problem in write_board(sections, folder, os.cpu_count() or 1):
        click.echo(problem, err=True)
    click.echo(f"written to {safe(folder / INDEX)}", err=True)
