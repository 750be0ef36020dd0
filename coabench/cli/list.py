"""``coabench list``."""

from __future__ import annotations

import click

from coabench.cli.command import Command
from coabench.cli.options import format_option
from coabench.cli.output import write_tables
from coabench.registry.loader import get_plugins
from coabench.registry.registrations import KINDS, singular
from coabench.render.tables import Column, Format, Row, Section


@click.command("list", cls=Command, examples=(
    ("all that is registered", "coabench list"),
    ("what can be asked, for a program", "coabench list strategies --format json"),
))  # fmt: skip
@click.argument("kind", metavar="[KIND]", type=click.Choice(KINDS), required=False)
@format_option
def command(kind: str | None, format: Format) -> None:
    """List what is registered, each with its plugin; of one KIND only, if given.

    KIND: backbones, strategies, datasets, detectors, metrics, sections, parsers, transforms, rewrites or executors.
    """
    from coabench.registry.detectors import unavailable
    from coabench.registry.transforms import list_severities

    registries = get_plugins().registries
    rows = [
        {
            "kind": singular(each),
            "name": name,
            "variants": ", ".join(entry.details.get("variants", ())),
            "description": entry.description,
            **({"severities": list_severities(entry)} if kind == "transforms" else {}),
            "plugin": f"{entry.plugin} {entry.version}",
            "unavailable": str(unavailable(entry) or ""),
        }
        for each in ([kind] if kind else KINDS)
        for name, entry in registries[each].items()
    ]
    columns: list[Column | str] = ["kind", "name", "variants", Column("description", _describe, width=50, kept=True)]
    columns += [*([Column("severities", width=40)] if kind == "transforms" else []), "plugin"]
    write_tables([Section(columns, rows)], format)
    failed = [p.name for p in get_plugins().loaded if p.status == "failed"]
    if failed:
        click.echo(f"plugins that failed to load: {', '.join(failed)}; see `coabench plugins list`", err=True)


def _describe(row: Row) -> str:
    return f"{row['description']} – not here: {row['unavailable']}" if row["unavailable"] else row["description"]
