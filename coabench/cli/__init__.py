"""The command line. Every command lives in a file of its own, which defines ``command`` and is imported when used."""

from __future__ import annotations

import importlib
import sys
from typing import NoReturn

import click

from coabench.base.text import safe
from coabench.base.version import __version__
from coabench.errors import CoabenchError, UserError
from coabench.registry.commands import COMMANDS
from coabench.registry.loader import get_plugins


class Commands(click.Group):
    """The top-level group: our commands, imported lazily, and those of plugins."""

    plugin_commands_added = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        _add_plugin_commands(self)
        return [*COMMANDS, *sorted(set(super().list_commands(ctx)) - set(COMMANDS))]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in COMMANDS:
            module = importlib.import_module(f"coabench.cli.{name}")
            command: click.Command = module.command
            return command
        _add_plugin_commands(self)
        return super().get_command(ctx, name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help lines without importing the commands."""
        rows = []
        for name in self.list_commands(ctx):
            command = None if name in COMMANDS else super().get_command(ctx, name)
            rows.append((name, COMMANDS.get(name) or (command.get_short_help_str(80) if command else "")))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _add_plugin_commands(cli: Commands) -> None:
    if cli.plugin_commands_added:
        return
    cli.plugin_commands_added = True
    for problem in get_plugins().add_commands(cli, COMMANDS):
        click.echo(safe(problem), err=True)


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done, 1 the job failed, 2 wrong usage or bad input, 130 interrupted.",
)
@click.version_option(__version__, prog_name="coabench")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Measure vision-language models on compound facial expression recognition."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line; errors become one clear message and an exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        if any("\0" in word for word in words):  # which no shell passes on
            raise UserError("an argument holds a null byte", remedy="leave it out")
        code = cli.main(words, prog_name="coabench", standalone_mode=False)
    except Exception as error:
        if "--debug" in words:
            raise
        code = _explain(error)
    except KeyboardInterrupt:
        click.echo("\ninterrupted", err=True)
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: Exception) -> int:
    if isinstance(error, CoabenchError):
        lines = str(error).splitlines()
        click.echo("\n".join([f"Error: {safe(lines[0])}", *map(safe, lines[1:])]), err=True)
        return error.exit_code
    if isinstance(error, click.exceptions.Abort):
        click.echo("interrupted", err=True)
        return 130
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        return 1
    click.echo(f"Error: {type(error).__name__}: {safe(error)}", err=True)
    click.echo("  This is a defect of coabench or of a plugin; `coabench --debug …` shows where.", err=True)
    return 1
