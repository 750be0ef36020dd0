"""Checks of the commands that a plugin adds."""

from __future__ import annotations

import click
from click.testing import CliRunner

from coabench.testing.defects import commands as defects
from coabench.testing.findings import Finding, Findings, describe


def check(command: click.Command, name: str | None = None) -> list[Finding]:
    """Check a command and those below it, and return what is wrong."""
    return _check(command, name or command.name or "?")


def _check(command: click.Command, path: str) -> list[Finding]:
    findings = Findings(f"command {path!r}")
    below: list[Finding] = []

    def help_text() -> None:
        result = CliRunner().invoke(command, ["--help"], prog_name=f"coabench {path}")
        if result.exit_code != 0 or result.exception is not None:
            evidence = describe(result.exception) if result.exception else result.output.strip()[-200:]
            findings.fail(defects.HELP_FAILS, evidence)
        findings.need(command.get_short_help_str() or command.hidden, defects.NO_HELP)

    def members() -> None:
        if not isinstance(command, click.Group):
            return
        context = click.Context(command)
        for name in findings.attempt(defects.HELP_FAILS, command.list_commands, context):
            member = findings.attempt(defects.HELP_FAILS, command.get_command, context, name)
            if member is None:
                findings.add(defects.HELP_FAILS, f"it lists a command {name!r} that is not there")
            else:
                below.extend(_check(member, f"{path} {name}"))

    return [*findings.run([help_text, members]), *below]
