"""``coabench appendix``."""

from __future__ import annotations

from pathlib import Path

import click

from coabench.cli import completing
from coabench.cli.command import OUTPUT, Command, grouped
from coabench.cli.options import output_option
from coabench.cli.output import write
from coabench.render.document import FORMATS, DocumentFormat


@click.command("appendix", cls=Command, examples=(
    ("what it takes to repeat two runs, as Markdown", "coabench appendix results/first results/second"),
    ("for a paper, with the training of the adapter",
     "coabench appendix results/first adapters/mine --format latex --output appendix.tex"),
))  # fmt: skip
@click.argument("runs", metavar="RUN…", nargs=-1, required=True, type=click.Path(path_type=Path),
                shell_complete=completing.reported)  # fmt: skip
@grouped(
    OUTPUT,
    click.option("--format", type=click.Choice(FORMATS), default="markdown", show_default=True,
                 help="Of the appendix; latex is a part to \\input into a paper."),
)  # fmt: skip
@output_option
def command(runs: tuple[Path, ...], format: DocumentFormat, output: Path | None) -> None:
    """Write the reproducibility appendix of runs, trainings and stresses, with two checklists.

    Versions, hashes, the questions as asked, decoding, seeds, data, hardware, time, figures with their intervals,
    training and commands, as the files in the directories record them; what they do not record is said. What all runs
    share stands once. NeurIPS' and ACL's checklists are answered as far as that goes.

    It holds your commands and paths: look through it before you submit anonymously.
    """
    from coabench.render.document import render_document
    from coabench.robustness.appendix import appendix

    write(render_document(appendix(runs), format), output)
