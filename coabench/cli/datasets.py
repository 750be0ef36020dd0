"""``coabench datasets``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from coabench.base.text import safe
from coabench.cli.copies import check_replaceable, default_file, write_pairs
from coabench.cli.options import format_option
from coabench.dataset import Card
from coabench.registry.catalog import find_dataset
from coabench.registry.loader import get_plugins
from coabench.registry.options import distribute, parse_assignments
from coabench.render.tables import Column, Format, render


@click.group("datasets")
def command() -> None:
    """List, describe and verify data sets."""


@command.command("list")
@format_option
def list_datasets(format: Format) -> None:
    """List the data sets, with their label space and splits."""
    rows = []
    for name, entry in get_plugins().datasets.items():
        if entry.details.get("card") is not None:
            card = find_dataset(name).card
            sizes = [f"{split} {sum(card.counts[split].values()):,}" for split in card.splits if split in card.counts]
            rows.append(
                {
                    "name": name,
                    "title": card.title,
                    "labels": len(card.space.labels),
                    "samples": ", ".join(sizes),
                    "plugin": entry.plugin,
                }
            )
    click.echo(render(["name", "title", Column("labels", align="right"), "samples", "plugin"], rows, format), nl=False)


@command.command("show")
@click.argument("name")
def show(name: str) -> None:
    """Show a data set's card: labels, counts, how to get it, its terms, how to cite it."""
    card = find_dataset(name).card
    click.echo(f"{safe(card.title)} ({safe(card.name)})\n")
    for title in ("description", "homepage", "access", "terms", "citation"):
        text = getattr(card, title)
        if text:
            line = f"{title}: {safe(' '.join(text.split()))}"
            click.echo(click.wrap_text(line, width=100, subsequent_indent="  "))
    counted = [split for split in card.splits if split in card.counts]
    rows: list[dict[str, Any]] = [
        {"code": x.code, "label": x.name, "pair": " + ".join(x.pair or ()), **_sizes(card, counted, x.name)}
        for x in card.space.labels
    ]
    rows.append({"code": None, "label": "all", "pair": "", **_sizes(card, counted)})
    columns: list[Column | str] = [
        Column("code", align="right"),
        "label",
        "pair",
        *(Column(split, align="right") for split in counted),
    ]
    click.echo("\n" + render(columns, rows, "table"))
    if card.path:
        click.echo(f"card: {safe(card.path)}")


def _sizes(card: Card, splits: Sequence[str], label: str | None = None) -> dict[str, int]:
    """Return split -> number of images of *label*, or of all."""
    counts = {split: card.counts[split] for split in splits}
    return {s: sum(c.values()) if label is None else c.get(label, 0) for s, c in counts.items()}


@command.command("verify")
@click.argument("name")
@click.option("--data-root", type=click.Path(path_type=Path), help="The folder or file that holds the data set.")
@click.option("--set", "assignments", metavar="KEY=VALUE", multiple=True, help="An option of the data set; repeatable.")
@click.option(
    "--pairs",
    "pairs_file",
    type=click.Path(path_type=Path),
    help="The CSV file that lists every pair of identical and nearly identical images, if there are any. "
    "[default: DATASET.pairs.csv]",
)
def verify(name: str, data_root: Path | None, assignments: tuple[str, ...], pairs_file: Path | None) -> None:
    """Check the files of a data set against its card, and every image. Exit code 1 when a check fails."""
    from coabench.support.image_checks import verify as verify_dataset

    choice = find_dataset(name)
    options = distribute(parse_assignments(assignments), {"dataset": choice.loader.load().Options})
    dataset = choice.open(data_root, options["dataset"])
    pairs_file = pairs_file or default_file(choice.card)
    check_replaceable(pairs_file)
    for note in dataset.notes():
        click.echo(f"note     {safe(note)}")
    verification = verify_dataset(dataset)
    checks = verification.checks
    for check in checks:
        click.echo(f"{check.level:<8} {safe(check.text)}")
        for example in check.examples:
            click.echo(f"         {safe(example)}")
    failed = sum(check.level == "error" for check in checks)
    warned = sum(check.level == "warning" for check in checks)
    verdict = "failed" if failed else "passed"
    if verification.pairs:
        write_pairs(pairs_file, verification.pairs)
        click.echo(f"\n{len(verification.pairs):,} pairs of identical or nearly identical images: {safe(pairs_file)}")
    click.echo(f"\n{safe(choice.card.title)}: {verdict} ({failed} errors, {warned} warnings)")
    raise SystemExit(1 if failed else 0)
