"""Checks of the commands that a plugin adds."""

from __future__ import annotations

from collections.abc import Iterator

import click
from click.testing import CliRunner

from coabench.testing.defects import commands as defects
from coabench.testing.findings import Finding, Findings, Stop, describe


def check(command: click.Command, name: str | None = None) -> list[Finding]:
    """Check a command and those below it, and return what is wrong."""
    seen: list[Finding] = []
    for path, each in _walk(command, (name or command.name or "?",), seen):
        findings = Findings(f"command {' '.join(path)!r}")
        result = CliRunner().invoke(each, ["--help"], prog_name=f"coabench {' '.join(path)}")
        failed = result.exit_code != 0 or result.exception is not None
        findings.need(
            not failed,
            defects.HELP_FAILS,
            describe(result.exception) if result.exception else result.output.strip()[-200:],
        )
        findings.need(failed or each.get_short_help_str() or each.hidden, defects.NO_HELP)
        seen += findings.all
    return seen


def _walk(
    command: click.Command, path: tuple[str, ...], seen: list[Finding]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield a command and those below it; note in *seen* those that are listed and not there."""
    yield path, command
    if not isinstance(command, click.Group):
        return
    context = click.Context(command)
    findings = Findings(f"command {' '.join(path)!r}")
    try:
        for name in findings.attempt(defects.HELP_FAILS, command.list_commands, context):
            below = findings.attempt(defects.HELP_FAILS, command.get_command, context, name)
            if below is None:
                findings.add(defects.HELP_FAILS, f"it lists a command {name!r} that is not there")
            else:
                yield from _walk(below, (*path, name), seen)
    except Stop:
        pass
    known = [(f.subject, f.defect) for f in seen]
    seen += [f for f in findings.all if (f.subject, f.defect) not in known]
