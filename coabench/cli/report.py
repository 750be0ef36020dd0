"""``coabench report``."""

from __future__ import annotations

from pathlib import Path

import click

from coabench.cli.options import write
from coabench.errors import UserError


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--output", metavar="FILE", type=click.Path(path_type=Path), help="The page; RUN.html here by default.")
@click.option("--min-group", metavar="N", type=click.IntRange(min=1), default=20, show_default=True,
              help="Groups of fewer samples are counted and not scored.")  # fmt: skip
@click.option("--images", is_flag=True, help="Put small versions of the images into the page.")
@click.option("--data-root", type=click.Path(path_type=Path), help="With --images: the folder or file that holds them.")
@click.option("--dataset", metavar="NAME|CARD.yaml", help="With --images: the data set, if not the one the run names.")
@click.option("--samples", metavar="N", type=click.IntRange(min=1), default=100_000, show_default=True,
              help="How many samples the page holds at most; its figures are over all.")  # fmt: skip
@click.option("--only", type=click.Choice(["right", "wrong", "invalid", "error"]), multiple=True,
              help="Hold only samples with this result; repeatable.")  # fmt: skip
def command(
    run: Path,
    output: Path | None,
    min_group: int,
    images: bool,
    data_root: Path | None,
    dataset: str | None,
    samples: int,
    only: tuple[str, ...],
) -> None:
    """Show the run in the directory RUN as one self-contained HTML page.

    Figures with their intervals, confusions, calibration, groups, timing, and a browser of the samples with their
    prompts and raw responses. The page needs no network and holds no images unless --images is given; like the log, it
    holds the ids and labels of the data set, whose terms apply to it.
    """
    from coabench.reports.report import Report, report

    if not images and (data_root is not None or dataset is not None):
        raise UserError("--data-root and --dataset say where images are", remedy="add --images, or leave them out")
    text = report(Report(run, min_group, images, data_root, dataset, samples, only))
    write(text, output or Path(f"{run.resolve().name}.html"))
