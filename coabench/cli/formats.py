"""The ``--format`` option of every command that prints a table."""

from __future__ import annotations

import click

from coabench.render.tables import FORMATS

format_option = click.option(
    "--format", "format", type=click.Choice(FORMATS), default="table", show_default=True, help="How to print the table."
)
