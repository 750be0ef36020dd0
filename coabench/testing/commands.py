"""Checks of the commands that a plugin adds."""

from __future__ import annotations

from collections.abc import Iterator

import click
from click.testing import CliRunner

from coabench.testing.defects.commands import HELP_FAILS, NO_HELP
from coabench.testing.findings import Finding, Findings, Stop, told


def check(command: click.Command, name: str | None = None) -> list[Finding]:
    """Check a command and those below it, and return what is wrong."""
    findings: list[Finding] = []
    for path, each in _walk(command, (name or command.name or "?",), findings):
        found = Findings(f"command {' '.join(path)!r}")
        result = CliRunner().invoke(each, ["--help"], prog_name=f"coabench {' '.join(path)}")
        failed = result.exit_code != 0 or result.exception is not None
        found.need(not failed, HELP_FAILS, told(result.exception) if result.exception else result.output.strip()[-200:])
        found.need(failed or each.get_short_help_str() or each.hidden, NO_HELP)
        findings += found.all
    return findings


def _walk(
    command: click.Command, path: tuple[str, ...], findings: list[Finding]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield a command and those below it; note those that are listed and cannot be had."""
    yield path, command
    if not isinstance(command, click.Group):
        return
    context = click.Context(command)
    found = Findings(f"command {' '.join(path)!r}")
    try:
        for name in found.attempt(HELP_FAILS, command.list_commands, context):
            below = found.attempt(HELP_FAILS, command.get_command, context, name)
            if below is None:
                found.add(HELP_FAILS, f"it lists a command {name!r} that is not there")
            else:
                yield from _walk(below, (*path, name), findings)
    except Stop:
        pass
    known = [(f.subject, f.defect) for f in findings]
    findings += [f for f in found.all if (f.subject, f.defect) not in known]
