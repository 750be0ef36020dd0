"""``coabench compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from coabench.cli import completing
from coabench.cli.command import OUTPUT, Command, grouped
from coabench.cli.options import format_option, output_option
from coabench.cli.output import write, write_json, write_tables
from coabench.errors import UserError
from coabench.render.tables import Format

if TYPE_CHECKING:
    from coabench.reports.compare import Comparison
    from coabench.reports.compare_recipes import RecipeComparison

BETWEEN = "--"
"""What separates the runs of two recipes."""


class _Recipes(Command):
    """A command whose arguments may be two lists with ``--`` between them; click alone would drop it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if BETWEEN in args:
            place = args.index(BETWEEN)
            before, after = args[:place], args[place + 1 :]
            ctx.meta[BETWEEN] = len(after)
            args = [*before, BETWEEN, *after]
        return super().parse_args(ctx, args)


@click.command("compare", cls=_Recipes, examples=(
    ("is the second run better than the first by more than chance?", "coabench compare results/first results/second"),
    ("are three seeds of one recipe better than three of another?",
     "coabench compare results/a-0 results/a-1 results/a-2 -- results/b-0 results/b-1 results/b-2"),
))  # fmt: skip
@click.argument("runs", metavar="A B | A… -- B…", nargs=-1, required=True, type=click.Path(path_type=Path),
                shell_complete=completing.runs)  # fmt: skip
@grouped(
    OUTPUT,
    click.option("--flips", metavar="N", type=click.IntRange(min=0), default=20, show_default=True,
                 help="Show N of the samples that only one run gets right; json has all."),
    click.option("--images", is_flag=True,
                 help="Of the html page of two runs: put small versions of the images into it."),
    click.option("--image-side", metavar="PIXELS", type=click.IntRange(16, 1024),
                 help="With --images: their longer side, at most; 96 pixels by default."),
    click.option("--data-root", metavar="PATH", type=click.Path(path_type=Path),
                 help="With --images: the folder or file that holds them, by default the one that the runs name."),
    click.option("--dataset", metavar="NAME|CARD.yaml", shell_complete=completing.datasets,
                 help="With --images: the data set, by default the one that the runs name."),
    click.option("--samples", metavar="N", type=click.IntRange(min=1),
                 help="How many samples that page holds at most; 100,000 by default."),
)  # fmt: skip
@format_option
@output_option
@click.pass_context
def command(
    context: click.Context,
    runs: tuple[Path, ...],
    flips: int,
    images: bool,
    image_side: int | None,
    data_root: Path | None,
    dataset: str | None,
    samples: int | None,
    format: Format,
    output: Path | None,
) -> None:
    """Compare the runs A and B on the same samples: is the difference more than chance?

    With several runs on either side of --, which differ in nothing but a seed, recipes are compared: is the difference
    more than other seeds and other samples would make? Options come before the runs. csv holds the figures, json
    everything; html is of two runs a page with every sample and both answers to it.
    """
    after = context.meta.get(BETWEEN)
    paged = format == "html" and after is None and len(runs) == 2
    if (images or samples) and not paged:
        name = "--images" if images else "--samples"
        raise UserError(f"{name} is for the page of two runs", remedy=f"add --format html, or leave {name} out")
    if (data_root or dataset or image_side) and not images:
        given = "--data-root, --dataset and --image-side"
        raise UserError(f"{given} are about images", remedy="add --images, or leave them out")
    if paged:
        from coabench.reports.compare_page import SAMPLES, ComparisonPage, comparison_page
        from coabench.support.thumbnails import SIDE

        a, b = runs
        side = image_side or SIDE
        page = ComparisonPage(a, b, images, data_root, dataset, samples or SAMPLES, side)
        write(comparison_page(page), output)
        return
    comparison = _compare(runs, after)
    if format == "json":
        write_json(comparison.as_json(), output)
    else:
        sections = [comparison.figures_section()] if format == "csv" else comparison.sections(flips)
        write_tables(sections, format, f"{comparison.a} against {comparison.b}", output)


def _compare(runs: tuple[Path, ...], after: int | None) -> Comparison | RecipeComparison:
    from coabench.reports.compare_recipes import compare_sides

    if after is None and len(runs) != 2:
        raise UserError(
            f"{len(runs)} run{'s' if len(runs) > 1 else ''} cannot be compared",
            expected="two runs, A B, or the runs of two recipes with -- between them, A… -- B…",
            found=", ".join(map(str, runs)),
        )
    split = 1 if after is None else len(runs) - after
    return compare_sides(runs[:split], runs[split:])
