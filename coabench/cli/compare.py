"""``coabench compare``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from coabench.cli.options import format_option, output_option, write
from coabench.render.tables import Format, render_sections


@click.command("compare")
@click.argument("first", metavar="A", type=click.Path(path_type=Path))
@click.argument("second", metavar="B", type=click.Path(path_type=Path))
@click.option("--flips", metavar="N", type=click.IntRange(min=0), default=20, show_default=True,
              help="Show N of the samples that only one run gets right; json has all.")  # fmt: skip
@format_option
@output_option
def command(first: Path, second: Path, flips: int, format: Format, output: Path | None) -> None:
    """Compare the runs A and B on the same samples: is the difference more than chance?

    The difference of UAR comes with the interval of a paired bootstrap and the p-value of a sign-flip test, that of WAR
    with McNemar's exact test. csv holds the figures, json everything.
    """
    from coabench.reports.compare import compare

    comparison = compare(first, second)
    if format == "json":
        text = json.dumps(comparison.as_json(), indent=2, allow_nan=False) + "\n"
    else:
        sections = [comparison.figures_section()] if format == "csv" else comparison.sections(flips)
        text = render_sections(sections, format, f"{comparison.a} against {comparison.b}")
    write(text, output)
