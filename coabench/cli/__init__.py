"""The command line. Every command lives in a file of its own, which defines ``command`` and is imported when used."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

import click

from coabench.base import signals
from coabench.base.collector import leave_memory_to_the_system
from coabench.base.names import never_fail_to_print, use_utf8
from coabench.base.packages import unusable_package
from coabench.base.resources import shortage
from coabench.base.text import safe
from coabench.base.version import __version__
from coabench.cli.command import Group
from coabench.cli.completing import VARIABLE
from coabench.cli.output import settle_columns
from coabench.cli.processes import say_interrupted
from coabench.cli.suggestions import with_suggestion
from coabench.errors import CoabenchError, JobError, UserError
from coabench.registry.blame import contained
from coabench.registry.commands import COMMANDS, JOBS
from coabench.registry.loader import get_plugins
from coabench.support.redaction import without_credentials

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class Commands(Group):
    """The top-level group: our commands, imported lazily, and those of plugins."""

    plugin_commands_added = False

    def list_commands(self, ctx: click.Context) -> list[str]:
        _add_plugin_commands(self)
        return [*COMMANDS, *sorted(set(super().list_commands(ctx)) - set(COMMANDS))]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in COMMANDS:
            module = importlib.import_module(f"coabench.cli.{name.replace('-', '_')}")
            command: click.Command = module.command
            return command
        _add_plugin_commands(self)
        return super().get_command(ctx, name)

    def invoke(self, ctx: click.Context) -> Any:
        """Do what was typed; click would take any `KeyboardInterrupt` for the user's."""
        with contained():
            return super().invoke(ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Return what completes a command's name, without importing the commands."""
        from click.shell_completion import CompletionItem

        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        options = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(name, help=COMMANDS.get(name)) for name in names), *options]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help lines without importing the commands."""
        jobs = {job: [*commands.items()] for job, commands in JOBS.items()}
        commands = {name: super(Commands, self).get_command(ctx, name) for name in self.list_commands(ctx)}
        added = [(name, c.get_short_help_str(80)) for name, c in commands.items() if c and name not in COMMANDS]
        if added:
            jobs["Of plugins"] = added
        widest = max(map(len, commands))
        for job, ((name, line), *others) in jobs.items():
            with formatter.section(job):  # a padded name makes the columns of all sections as wide
                formatter.write_dl([(name.ljust(widest), line), *others])


def _add_plugin_commands(cli: Commands) -> None:
    if cli.plugin_commands_added:
        return
    cli.plugin_commands_added = True
    for problem in get_plugins().add_commands(cli, COMMANDS):
        click.echo(safe(problem), err=True)


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit codes: 0 done, 1 the job failed, 2 wrong usage or bad input, 130 interrupted (143, 129: by SIGTERM, "
    "SIGHUP).",
)
@click.version_option(__version__, prog_name="coabench")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Measure vision-language models on compound facial expression recognition."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line; errors become one clear message and an exit code."""
    if arguments is None:
        use_utf8()
        leave_memory_to_the_system()
    never_fail_to_print()
    settle_columns()
    words = sys.argv[1:] if arguments is None else arguments
    if instruction := os.environ.get(VARIABLE):
        from coabench.cli.completion import answer

        answer(cli, instruction)
        sys.exit(0)
    with signals.interrupting():
        try:
            if any("\0" in word for word in words):  # which no shell passes on
                raise UserError("an argument holds a null byte", remedy="leave it out")
            code = cli.main(words, prog_name="coabench", standalone_mode=False)
        except Exception as error:
            if "--debug" in words:
                raise
            code = _explain(error, words)
        except KeyboardInterrupt:
            code = say_interrupted()
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: Exception, words: Sequence[str] = ()) -> int:
    if isinstance(error, click.exceptions.Abort) or signals.received():  # of which a closed terminal makes other errors
        return say_interrupted()
    if isinstance(error, OSError) and (unwritable := _unwritable_output()):
        return _explain(unwritable)
    if isinstance(error, click.ClickException):
        shown = io.StringIO()
        with_suggestion(error, words).show(shown)
        click.echo("\n".join(map(safe, without_credentials(shown.getvalue()).rstrip().split("\n"))), err=True)
        return error.exit_code
    known = error if isinstance(error, CoabenchError) else shortage(error) or unusable_package(error)
    if known is not None:
        lines = without_credentials(str(known)).splitlines()  # an error quotes what was typed
        _say(f"Error: {safe(lines[0])}", *map(safe, lines[1:]))
        return known.exit_code
    _say(
        f"Error: {type(error).__name__}: {safe(without_credentials(str(error)))}",
        "  This is a defect of coabench or of a plugin; `coabench --debug …` shows where.",
    )
    return 1


def _say(*lines: str) -> None:
    with suppress(OSError):  # where stderr cannot be written either, the exit code says enough
        click.echo("\n".join(lines), err=True)


def _unwritable_output() -> JobError | None:
    """Return why what is printed does not get out; None where it does. Nothing is printed any more."""
    try:
        print(flush=True)  # unbuffered, it has forgotten what it could not write
    except OSError as error:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 (the interpreter flushes it again)
        return JobError("standard output cannot be written", found=error.strerror or str(error),
                        remedy="free disk space, or redirect the output to another file or program")  # fmt: skip
    return None
