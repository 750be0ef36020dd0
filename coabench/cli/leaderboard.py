"""``coabench leaderboard``."""

from __future__ import annotations

from pathlib import Path

import click

from coabench.cli.formats import format_option
from coabench.errors import UserError
from coabench.tables import Format, render_sections


@click.command("leaderboard")
@click.argument("directory", metavar="[DIR]", type=click.Path(path_type=Path), default=Path("results"))
@click.option("--dataset", metavar="NAME", help="Only this data set.")
@format_option
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), help="Write to this file.")
def command(directory: Path, dataset: str | None, format: Format, output: Path | None) -> None:
    """Rank the complete runs in DIR (results), with intervals, beside the published numbers.

    Runs are compared where they answered the same samples with the same labels. A run made with --limit, or one that
    is unfinished, failed or damaged, is listed with the reason and not ranked.
    """
    from coabench.leaderboard import leaderboard

    text = render_sections(leaderboard(directory, dataset), format)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UserError(f"{output} cannot be written", found=error.strerror, remedy="choose another --output") from None
    click.echo(f"written to {output}", err=True)
