"""``coabench datasets``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from coabench.base.text import plural, safe
from coabench.cli import completing
from coabench.cli.command import DATA, FACES, OUTPUT, Group, grouped
from coabench.cli.copies import check_replaceable, default_file, write_pairs
from coabench.cli.options import (
    align_option,
    data_root_option,
    detector_option,
    format_option,
    set_option,
    weights_option,
)
from coabench.cli.output import terminal_width, write_tables
from coabench.dataset import Card
from coabench.registry.catalog import find_dataset
from coabench.registry.loader import get_plugins
from coabench.registry.options import distribute, parse_assignments
from coabench.render.tables import Column, Format, Section
from coabench.support.crop_settings import MARGIN, MARGINS, MIN_FACE, PADDINGS, SIZES, CropSettings


@click.group("datasets", cls=Group)
def command() -> None:
    """List, describe, verify and crop data sets."""


@command.command("list", examples=(
    ("the data sets", "coabench datasets list"),
    ("with everything, for a program", "coabench datasets list --format json"),
))  # fmt: skip
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
    columns: list[Column | str] = ["name", "title", Column("labels", align="right"), "samples", "plugin"]
    write_tables([Section(columns, rows)], format)


@command.command("show", examples=(
    ("the faces that ship", "coabench datasets show synthface-compound"),
    ("how to get RAF-DB, and its terms", "coabench datasets show raf-db-compound"),
))  # fmt: skip
@click.argument("name", shell_complete=completing.datasets)
def show(name: str) -> None:
    """Show a data set's card: labels, counts, how to get it, its terms, how to cite it."""
    card = find_dataset(name).card
    width = min(100, terminal_width() or 100)
    click.echo(click.wrap_text(f"{safe(card.title)} ({safe(card.name)})", width) + "\n")
    for title in ("description", "homepage", "access", "terms", "citation"):
        text = getattr(card, title)
        if text:
            line = f"{title}: {safe(' '.join(text.split()))}"
            click.echo(click.wrap_text(line, width, subsequent_indent="  "))
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
    click.echo()
    write_tables([Section(columns, rows)])
    click.echo()
    if card.path:
        click.echo(f"card: {safe(card.path)}")


def _sizes(card: Card, splits: Sequence[str], label: str | None = None) -> dict[str, int]:
    """Return split -> number of images of *label*, or of all."""
    counts = {split: card.counts[split] for split in splits}
    return {s: sum(c.values()) if label is None else c.get(label, 0) for s, c in counts.items()}


@command.command("verify", examples=(
    ("the faces that ship", "coabench datasets verify synthface-compound"),
    ("RAF-DB, in a folder", "coabench datasets verify raf-db-compound --data-root RAF-DB/compound"),
))  # fmt: skip
@click.argument("name", shell_complete=completing.datasets)
@data_root_option
@grouped(
    DATA,
    click.option("--set", "assignments", metavar="KEY=VALUE", multiple=True,
                 help="An option of the data set; repeatable."),
)  # fmt: skip
@grouped(
    OUTPUT,
    click.option("--pairs", "pairs_file", metavar="FILE", type=click.Path(path_type=Path),
                 help="The CSV file that lists every pair of identical and nearly identical images, if there are any; "
                      "DATASET.pairs.csv by default."),
)  # fmt: skip
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
        click.echo(
            f"\n{plural(len(verification.pairs), 'pair')} of identical or nearly identical images: {safe(pairs_file)}"
        )
    click.echo(f"\n{safe(choice.card.title)}: {verdict} ({plural(failed, 'error')}, {plural(warned, 'warning')})")
    raise SystemExit(1 if failed else 0)


@command.command("crop", examples=(
    ("a folder of photographs", "coabench datasets crop photos/ --output photos-cropped"),
    ("with room around the faces, what has none left out",
     "coabench datasets crop my-faces.yaml --output my-faces-cropped --margin 0.2 --missing skip"),
))  # fmt: skip
@click.argument("name", metavar="NAME|CARD.yaml|FOLDER", shell_complete=completing.datasets)
@data_root_option
@grouped(
    DATA,
    click.option("--split", "splits", multiple=True, metavar="NAME",
                 help="Only this split; repeatable. All by default.",
                 shell_complete=completing.splits),
    set_option,
)  # fmt: skip
@detector_option
@weights_option
@grouped(
    FACES,
    click.option("--faces", type=click.Choice(["largest", "centre", "all"]), default="largest", show_default=True,
                 help="Which of several faces are cropped."),
    click.option("--min-face", metavar="PIXELS", type=click.IntRange(min=1), default=MIN_FACE, show_default=True,
                 help="Smaller faces, in width or height, are ignored."),
    click.option("--missing", type=click.Choice(["refuse", "skip", "whole"]), default="refuse", show_default=True,
                 help="What to do with pictures without a face."),
)  # fmt: skip
@grouped(
    "Crops",
    align_option,
    click.option("--margin", metavar="PART", type=click.FloatRange(*MARGINS), default=MARGIN, show_default=True,
                 help="What is added on every side, in parts of the face's longer side."),
    click.option("--size", metavar="PIXELS", type=click.IntRange(*SIZES),
                 help="The side of a crop in pixels; as in the picture by default."),
    click.option("--square/--no-square", default=True, show_default=True,
                 help="Make a box a square by its longer side; with --no-align."),
    click.option("--padding", type=click.Choice(PADDINGS), default="shift", show_default=True,
                 help="What a crop shows beyond the picture; shift moves a box inwards instead."),
)  # fmt: skip
@grouped(
    OUTPUT,
    click.option("--output", metavar="DIR", type=click.Path(path_type=Path), required=True,
                 help="A new folder for faces and card."),
)  # fmt: skip
def crop(
    name: str,
    data_root: Path | None,
    output: Path,
    detector: str,
    weights: Path | None,
    assignments: tuple[str, ...],
    **rest: Any,
) -> None:
    """Crop the faces in a data set's pictures; write them, with a card, into a new folder."""
    from coabench.cropping.job import Policy, crop_dataset
    from coabench.registry.detectors import find_detector

    settings = CropSettings(**{each.name: rest[each.name] for each in fields(CropSettings)})
    choice, chosen = find_dataset(name), find_detector(detector, weights)
    groups = {"dataset": choice.loader.load().Options, "detector": chosen.options}
    options = distribute(parse_assignments(assignments), groups)
    dataset = choice.open(data_root, options["dataset"])
    click.echo(f"detector: {safe(chosen.registration.name)}", err=True)
    with click.progressbar(length=0, label="pictures", file=sys.stderr, show_pos=True) as bar:

        def tick(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        outcome = crop_dataset(
            choice,
            dataset,
            chosen,
            output,
            data_root=data_root,
            splits=rest["splits"],
            options=options["detector"],
            settings=settings,
            policy=Policy(rest["faces"], rest["min_face"], rest["missing"]),
            tick=tick,
        )
    click.echo(", ".join(f"{what}: {count:,}" for what, count in sorted(outcome.counts.items())))
    click.echo(f"faces aligned by landmarks: {outcome.aligned:,}, cut out by their box: {outcome.by_box:,}")
    if outcome.several:
        click.echo(f"with several faces: {outcome.several:,} ({rest['faces']} taken)")
    for picture, reason in outcome.failures.items():
        click.echo(f"  {safe(picture)}: {safe(reason)}")
    if outcome.sheet:
        click.echo(f"these pictures on one sheet: {safe(outcome.sheet)}")
    click.echo(f"evaluate them with --dataset {safe(outcome.card)} --data-root {safe(output)}")
