"""``coabench explain``."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

import click

from coabench.base.text import safe
from coabench.cli import completing
from coabench.cli.command import OUTPUT, RUNNING, Command, grouped
from coabench.cli.kept import OutputFile, check_output
from coabench.cli.options import data_root_option, device_option, set_option
from coabench.cli.output import write
from coabench.cli.versions import checks_versions
from coabench.registry.defaults import BATCH_SIZE, SEED


@click.command("explain", cls=Command, examples=(
    ("twelve wrong answers of a run, as a page", "coabench explain results/my-run"),
    ("two right ones, with smaller windows",
     "coabench explain results/my-run --samples right:2 --window 0.15 --output right.html"),
))  # fmt: skip
@click.argument("run", type=click.Path(path_type=Path), shell_complete=completing.runs)
@grouped(
    "What is explained",
    click.option("--samples", metavar="GROUP:N|ID,…", default="wrong:12", show_default=True,
                 help="Which samples: wrong:N, right:N or all:N, drawn by --seed; or ids."),
    click.option("--question", type=click.Choice(["primary", "secondary", "all"]), default="all", show_default=True,
                 help="Of the questions with an answer: the first, the second, or all."),
    click.option("--seed", metavar="N", type=int, default=SEED, show_default=True,
                 help="Draws samples, and the random deletions."),
    data_root_option,
)  # fmt: skip
@grouped(
    "Windows",
    click.option("--window", metavar="PART", type=click.FloatRange(0.02, 1), default=0.25, show_default=True,
                 help="The side of a covered window, in parts of the image's."),
    click.option("--overlap", metavar="PART", type=click.FloatRange(0, 0.9), default=0.5, show_default=True,
                 help="The part of a side that neighbouring windows share."),
    click.option("--fill", type=click.Choice(["mean", "grey", "blur"]), default="mean", show_default=True,
                 help="What covers: the image's mean colour, mid grey, or the image blurred."),
)  # fmt: skip
@grouped(
    RUNNING,
    click.option("--batch-size", metavar="N", type=click.IntRange(min=1), default=BATCH_SIZE, show_default=True,
                 help="Images at a time."),
    device_option,
    set_option,
)  # fmt: skip
@grouped(
    OUTPUT,
    click.option("--format", "format", type=click.Choice(["html", "json"]), default="html", show_default=True,
                 help="A page, with its numbers in a .json beside it; or the numbers alone."),
    click.option("--output", metavar="FILE", type=OutputFile(),
                 help="Where to write; explain.html (explain.json) here by default."),
)  # fmt: skip
@checks_versions
def command(
    run: Path, samples: str, question: str, window: float, overlap: float, fill: str, data_root: Path | None,
    batch_size: int, device: str, seed: int, assignments: tuple[str, ...], format: str, output: Path | None,
) -> None:  # fmt: skip
    """Show which parts of the images the answers of the finished run in the directory RUN depend on.

    Windows cover one part of an image after the other, and the questions of the run are asked again: a map shows by how
    much that lowers the log-probability of the answer given. With the share of brows, eyes, nose and mouth, a deletion
    test of the maps, and for rendered faces the pointing game. Needs a backbone that scores, and the images.
    """
    from coabench.cli.progress import ExplainTerminal
    from coabench.explanation.job import Explaining, explain
    from coabench.explanation.page import beside, numbers
    from coabench.explanation.page import write as write_page
    from coabench.explanation.windows import Windows

    output = output or Path(f"explain.{format}")
    if format == "html":
        check_output(beside(output))
    request = Explaining(
        run, samples, question, Windows(window, overlap, fill), data_root, batch_size, device, seed, assignments  # type: ignore[arg-type]
    )  # fmt: skip
    with redirect_stdout(sys.stderr):  # stdout is for data, whatever plugins print
        done = explain(request, ExplainTerminal())
    if format == "json":
        write(numbers(done), output)
        return
    for file in write_page(done, output):
        click.echo(f"written to {safe(file)}", err=True)
