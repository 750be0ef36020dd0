"""Where what is printed goes, and how wide it is there: tables, facts one a line, files of ``--output``."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click

from coabench.base.files import write_text
from coabench.base.text import safe
from coabench.errors import UserError
from coabench.render.tables import Format, Room, Section, render_sections

COLUMNS = "COLUMNS"
WIDTHS = 20, 10_000
"""The narrowest and the widest that is printed, in characters, whatever ``COLUMNS`` says."""
NAMES = 60
"""In a narrower terminal what follows a long name does not stand below its beginning."""


def terminal_width() -> int | None:
    """Return the width of what stdout leads to, in characters; None where that is no terminal.

    The variable ``COLUMNS`` prevails, as it does for ``ls``: who sets it says what is wanted, also of a pipe.
    """
    if typed := _typed_width():
        return typed
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError, AttributeError):  # a pipe or a file; closed; a stream of Python's own
        return None


def settle_columns() -> None:
    """Make ``COLUMNS`` a width that all who read it can use, click and rich among them; unset it where it is none."""
    if COLUMNS in os.environ:
        width = _typed_width()
        os.environ.pop(COLUMNS)
        if width is not None:
            os.environ[COLUMNS] = str(width)


def _typed_width() -> int | None:
    typed = os.environ.get(COLUMNS, "").strip()
    digits = typed.lstrip("0") if typed.isascii() and typed.isdecimal() else ""
    if not digits:
        return None
    narrowest, widest = WIDTHS
    return widest if len(digits) > len(str(widest)) else min(max(int(digits), narrowest), widest)


def write_tables(
    sections: Sequence[Section], format: Format = "table", heading: str = "coabench", output: Path | None = None
) -> None:
    """Print tables, which fit the terminal, or write them to the file of ``--output``, at their full width.

    Raises:
        UserError: the file cannot be written.
    """
    width = terminal_width() if output is None else None
    more = f"A wider terminal shows them, or a pipe{', or --format csv' if _prints_csv() else ''}."
    write(render_sections(sections, format, heading, None if width is None else Room(width, more)), output)


def _prints_csv() -> bool:
    """Whether the command that runs takes ``--format csv``."""
    context = click.get_current_context(silent=True)
    types = [param.type for param in context.command.params if param.name == "format"] if context else []
    return any(isinstance(kind, click.Choice) and "csv" in kind.choices for kind in types)


def write(text: str, output: Path | None) -> None:
    """Print *text*, or write it to the file of ``--output`` and say so.

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


def write_json(data: Any, output: Path | None) -> None:
    """Print data as JSON for programs, or write it to the file of ``--output``.

    `json.dumps` would hold a million pieces of it at once, each an object of its own.
    """
    pieces = json.JSONEncoder(indent=2, allow_nan=False).iterencode(data)
    blocks = iter(lambda: "".join(islice(pieces, 100_000)), "")
    write("".join(blocks) + "\n", output)


def write_facts(facts: Iterable[tuple[str, object]], names: int = 22, *, err: bool = False) -> None:
    """Print names and values, a pair a line; in a terminal a long value continues below its beginning.

    Args:
        names: the width of the column of names, in characters.
    """
    width = terminal_width()
    for name, value in facts:
        line = f"{name:<{names}} {value}"
        if width is not None:
            below = " " * (names + 1 if width >= NAMES else 4)
            line = textwrap.fill(
                line, width, subsequent_indent=below, break_on_hyphens=False, break_long_words=False,
                replace_whitespace=False,
            )  # fmt: skip
        click.echo(line, err=err)
