"""``coabench power``."""

from __future__ import annotations

from pathlib import Path

import click

from coabench.base.text import interval, percent
from coabench.cli import completing
from coabench.cli.command import Command, grouped
from coabench.cli.options import FiniteRange, format_option, output_option
from coabench.cli.output import write_tables
from coabench.errors import UserError
from coabench.render.tables import Column, Format, Section

DISAGREEMENTS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
"""Shares of samples that just one of two runs gets right: from two checkpoints of a training to unrelated models."""


def _sizes(context: click.Context, option: click.Parameter, text: str | None) -> list[int] | None:
    if text is None:
        return None
    parts = text.split(",")
    if not all(part.strip().isascii() and part.strip().isdecimal() and 0 < int(part) < 10**9 for part in parts):
        raise click.BadParameter(f"{text!r} is no list of whole numbers above 0, such as 135,47,22")
    return [int(part) for part in parts]


@click.command("power", cls=Command, examples=(
    ("a test set of three classes, at a difference of three points", "coabench power --classes 135,47,22"),
    ("the test split of a data set, at five points", "coabench power --dataset raf-db-compound --difference 0.05"),
))  # fmt: skip
@grouped(
    "Test set",
    click.option("--classes", "sizes", metavar="N,N,…", callback=_sizes,
                 help="Samples of each class; by default those of --dataset."),
    click.option("--dataset", metavar="NAME|CARD.yaml", help="The counts of a data set's card; by default --classes.",
                 shell_complete=completing.datasets),
    click.option("--split", metavar="NAME", help="The split of --dataset; the card's first by default.",
                 shell_complete=completing.splits),
)  # fmt: skip
@grouped(
    "What is to be found",
    click.option("--uar", metavar="PART", type=FiniteRange(0, 1), default=0.6, show_default=True,
                 help="The UAR you expect, from 0 to 1."),
    click.option("--difference", metavar="PART", type=FiniteRange(0, 1, min_open=True), default=0.03,
                 show_default=True, help="The true difference of UAR that you want to find: 0.03 is three points."),
    click.option("--disagreement", "disagreements", metavar="PART", type=FiniteRange(0, 1, min_open=True),
                 multiple=True, help="Part of the samples that one of two runs alone gets right; repeatable. By "
                                     "default several, from 0.02 to 0.4."),
)  # fmt: skip
@format_option
@output_option
def command(
    sizes: list[int] | None,
    dataset: str | None,
    split: str | None,
    uar: float,
    difference: float,
    disagreements: tuple[float, ...],
    format: Format,
    output: Path | None,
) -> None:
    """Show what a test set can detect: the power for a difference, and the smallest one that it detects.

    How much two runs disagree decides, and is known only after both have run: `coabench compare` counts it as Only A
    and Only B.
    """
    from coabench.metrics.statistics import LEVEL, POWER, detectable, mean_score_interval, power

    counts = _of_card(dataset, split) if sizes is None else sizes
    rows = []
    for disagreement in disagreements or [share for share in DISAGREEMENTS if share > difference]:
        possible = difference <= disagreement
        rows.append(
            {
                "disagreement": disagreement,
                "power": power(counts, difference, disagreement) if possible else None,
                "detectable": detectable(counts, disagreement),
            }
        )
    low, high = mean_score_interval([uar * n for n in counts], counts)
    columns = [
        Column("Only one is right", lambda row: f"{percent(row['disagreement'], 1)} %", "right", value="disagreement"),
        Column(f"Power at {percent(difference, 1)} points", lambda row: f"{percent(row['power'], 0)} %", "right",
               value="power"),
        Column("Smallest difference shown", lambda row: percent(row["detectable"], 1), "right", value="detectable"),
    ]  # fmt: skip
    notes = [
        f"{sum(counts):,} samples in {len(counts)} classes, the smallest of {min(counts)}. A UAR of {percent(uar, 1)}"
        f" % would have the 95 % interval {interval(percent(low, 1), percent(high, 1))}.",
        f"Power: of 100 comparisons of two runs whose true UAR differs so much, how many find it at "
        f"{100 * (1 - LEVEL):.0f} %. Smallest difference shown: in points of UAR, found in {100 * POWER:.0f} of 100.",
    ]
    section = Section(columns, rows, "What this test set can show", notes)
    write_tables([section], format, section.title, output)


def _of_card(dataset: str | None, split: str | None) -> list[int]:
    """Return the counts per class of a card, classes without samples left out."""
    from coabench.registry.catalog import find_dataset

    if dataset is None:
        raise UserError("how many samples are there of each class?", remedy="pass --classes N,N,… or --dataset NAME")
    card = find_dataset(dataset).card
    split = split or card.splits[0]
    card.check_split(split)
    counts = [n for n in card.counts.get(split, {}).values() if n]
    if not counts:
        raise UserError(
            f"the card of {card.name} has no counts for the split {split!r}",
            expected="counts: split -> label -> number of images",
            remedy="pass --classes N,N,…",
        )
    return counts
