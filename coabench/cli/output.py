"""The ``--output`` option of every command that prints a table or a page."""

from __future__ import annotations

from pathlib import Path

import click

from coabench.base.files import write_text
from coabench.base.text import safe
from coabench.errors import UserError

output_option = click.option(
    "--output", metavar="FILE", type=click.Path(path_type=Path), help="Write to this file instead of the terminal."
)


def write(text: str, output: Path | None) -> None:
    """Print *text*, or write it to a file and say so.

    Raises:
        UserError: the file cannot be written.
    """
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        write_text(output, text)
    except OSError as error:
        raise UserError(f"{output} cannot be written", found=error.strerror, remedy="choose another --output") from None
    click.echo(f"written to {safe(output)}", err=True)
