"""``coabench plugins``."""

from __future__ import annotations

import click

from coabench.cli.formats import format_option
from coabench.plugins import DISABLE, get_plugins
from coabench.tables import Column, Format, render


@click.group("plugins")
def command() -> None:
    """List the installed plugins and what became of them."""


@command.command("list")
@format_option
def list_plugins(format: Format) -> None:
    """List every plugin with its distribution, version, hooks, registrations, status and error."""
    plugins = get_plugins().loaded
    rows = [
        {
            "plugin": p.name,
            "distribution": p.distribution,
            "version": p.version,
            "status": p.status,
            "hooks": ", ".join(h.removeprefix("coabench_") for h in p.hooks),
            "registers": "; ".join(f"{kind}: {', '.join(names)}" for kind, names in p.registered.items()),
            "error": p.error,
        }
        for p in plugins
    ]
    columns: list[Column | str] = [
        "plugin", "distribution", "version", "status", Column("hooks", width=30), Column("registers", width=40),
        Column("error", width=40),
    ]  # fmt: skip
    click.echo(render(columns, rows, format), nl=False)
    if any(p.status == "failed" for p in plugins):
        click.echo(f"a failed plugin is left out: repair it, uninstall it, or set {DISABLE}=NAME", err=True)
