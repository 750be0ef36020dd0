"""Defects of commands, planted, are named; those that ship have none."""

from __future__ import annotations

import click
from support.planted import assert_named

from coabench.cli import cli
from coabench.testing.commands import check


@click.group("mine")
def sound() -> None:
    """Do several things."""


@sound.command("first")
def first() -> None:
    """Do one."""


def test_a_sound_command_has_no_finding() -> None:
    assert check(sound) == []


def test_help_that_needs_something_is_named_with_its_command() -> None:
    class Opens(click.Command):
        def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
            raise FileNotFoundError("settings.toml")

    findings = check(Opens("mine", help="Do something."))
    assert_named(findings, "help-fails", "command 'mine'")
    assert_named(findings, "help-fails", "FileNotFoundError: settings.toml (test_commands.py, line ")


def test_a_command_below_another() -> None:
    class Broken(click.Command):
        def format_help_text(self, context: click.Context, formatter: click.HelpFormatter) -> None:
            raise ImportError("no module named tomllib")

    group = click.Group("mine", {"sound": first, "broken": Broken("broken", help="Fails.")}, help="Do several things.")
    findings = check(group)
    assert_named(findings, "help-fails", "command 'mine broken'")
    assert len(findings) == 1


def test_commands_that_are_listed_and_not_there() -> None:
    class Lazy(click.Group):
        def list_commands(self, context: click.Context) -> list[str]:
            return ["gone"]

    assert_named(check(Lazy("mine", help="Lazily.")), "help-fails", "'gone' that is not there")

    class Broken(click.Group):
        def list_commands(self, context: click.Context) -> list[str]:
            raise OSError("no such folder")

    assert_named(check(Broken("mine", help="Lazily.")), "help-fails", "no such folder")


def test_a_command_without_help_is_advised() -> None:
    [finding] = check(click.Command("mine"))
    assert (finding.defect.name, finding.defect.level) == ("no-help", "warning")
    assert check(click.Command("mine", hidden=True)) == []


def test_every_command_here_conforms() -> None:
    for name in cli.list_commands(click.Context(cli)):
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert [str(finding) for finding in check(command, name)] == []
