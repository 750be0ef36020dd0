"""Commands whose help stands under headings and begins with examples.

An option says where it belongs by the decorator that adds it: ``grouped("Faces", margin_option, align_option)``. The
options of one heading may be added at several places; headings stand in the order in which they first occur. A test
names every option of the bench that has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from coabench.cli.kept import check_outputs

Decorated = Callable[..., Any]
"""A function that becomes a command."""

Decorator = Callable[[Decorated], Decorated]
"""What adds options to it."""

MODEL, DATA, QUESTIONS, ANSWERS = "Model", "Data", "Questions", "Answers"
FACES, RUNNING, OUTPUT = "Faces", "Running", "Output"
"""Headings that several commands have."""

_HEADING = "coabench_heading"
_TERM = 30
"""Characters of the column of options, at most: a longer one stands on a line of its own."""


def grouped(heading: str, *options: Decorator) -> Decorator:
    """Return a decorator that adds *options* under a heading, in this order; it prevails over one they have."""

    def add(function: Decorated) -> Decorated:
        memo: list[click.Parameter] = function.__dict__.setdefault("__click_params__", [])
        before = len(memo)
        for option in reversed(options):
            option(function)
        for parameter in memo[before:]:
            setattr(parameter, _HEADING, heading)
        return function

    return add


def several(*options: Decorator) -> Decorator:
    """Return a decorator that adds *options* in this order, each under the heading that it has."""

    def add(function: Decorated) -> Decorated:
        for option in reversed(options):
            option(function)
        return function

    return add


def heading_of(parameter: click.Parameter) -> str | None:
    """Return the heading that an option stands under; None where nothing was said."""
    return getattr(parameter, _HEADING, None)


class Command(click.Command):
    """A command with examples, whose options stand under the headings of `grouped`.

    Attributes:
        examples: what it does -> the command line that does it.
    """

    def __init__(self, *arguments: Any, examples: Sequence[tuple[str, str]] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.examples = tuple(examples)

    def invoke(self, ctx: click.Context) -> Any:
        check_outputs(ctx)
        return super().invoke(ctx)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help_text(ctx, formatter)
        if not self.examples:
            return
        with formatter.section("Examples"):
            for what, line in self.examples:
                formatter.write(f"{'':{formatter.current_indent}}# {what}\n")
                formatter.write(f"{'':{formatter.current_indent}}{line}\n")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):  # --help is the last
            if isinstance(parameter, click.Option) and (row := parameter.get_help_record(ctx)) is not None:
                rows.setdefault(heading_of(parameter) or "Help", []).append(row)
        widest = min(max(len(term) for each in rows.values() for term, _ in each), _TERM)
        for heading, each in rows.items():
            (term, text), *others = each
            with formatter.section(heading):  # a padded term makes the columns of all sections as wide
                formatter.write_dl([(term.ljust(widest), text), *others], col_max=_TERM)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command
