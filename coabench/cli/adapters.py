"""``coabench adapters``."""

from __future__ import annotations

from pathlib import Path

import click

from coabench.base.text import safe


@click.group("adapters")
def command() -> None:
    """Show, compare, average and export adapters."""


@command.command("export")
@click.argument("adapter")
@click.option("--as", "layout", type=click.Choice(["published", "peft", "merged"]), required=True,
              help="The published script's layout, PEFT's, or a whole checkpoint.")  # fmt: skip
@click.option("--backbone", metavar="NAME[:MODEL]", help="Its base, where it is not the one that its training names.")
@click.option("--output", type=click.Path(path_type=Path), help="A new folder; ADAPTER-LAYOUT here by default.")
def export(adapter: str, layout: str, backbone: str | None, output: Path | None) -> None:
    """Write ADAPTER, a folder or a hub id, in another layout."""
    from typing import cast

    from coabench.adapters.export import Layout
    from coabench.adapters.export import export as write
    from coabench.support.hub import folder_of

    folder = folder_of(adapter, "adapter")
    output = output or Path(f"{folder.resolve().name}-{layout}")
    for note in write(folder, cast("Layout", layout), output, backbone):
        click.echo(f"note: {safe(note)}", err=True)
    click.echo(f"written to {safe(output)}")
