"""``coabench plugins``."""

from __future__ import annotations

from pathlib import Path

import click

from coabench.base.text import plural, safe
from coabench.cli import completing
from coabench.cli.command import MODEL, OUTPUT, Group, grouped
from coabench.cli.options import data_root_option, device_option, format_option, set_option, weights_option
from coabench.cli.output import write_tables
from coabench.registry.defaults import DTYPES
from coabench.registry.loaded_plugin import DISABLE
from coabench.registry.loader import get_plugins
from coabench.registry.options import parse_assignments
from coabench.render.tables import Column, Format, Section
from coabench.scaffold import KINDS, trial, write


@click.group("plugins", cls=Group)
def command() -> None:
    """List, check and begin plugins."""


@command.command("list", examples=(
    ("the plugins, and what became of each", "coabench plugins list"),
    ("for a program", "coabench plugins list --format json"),
))  # fmt: skip
@format_option
@click.pass_context
def list_plugins(context: click.Context, format: Format) -> None:
    """List the plugins and what became of each.

    With distribution, version, status, hooks, what it registers, and what to do about one that is left out.
    """
    _commands_of(context)  # a plugin may fail only when its commands are asked for
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
            "remedy": p.remedy,
        }
        for p in plugins
    ]
    columns: list[Column | str] = [
        "plugin", "distribution", "version", Column("status", kept=True),
        Column("hooks", width=30), Column("registers", width=40),
    ]  # fmt: skip
    failed = [p for p in plugins if p.status == "failed"]
    notes = [f"{p.name} ({p.distribution} {p.version}) is left out: {p.error}. What to do: {p.remedy}" for p in failed]
    write_tables([Section(columns, rows, notes=notes)], format)
    if failed:
        names = ", ".join(safe(p.name) for p in failed)
        click.echo(f"left out: {names}; `coabench plugins check NAME` says more, {DISABLE}=NAME silences it", err=True)


def _commands_of(context: click.Context) -> click.Group:
    """Return the command line with the commands of plugins in it."""
    root = context.find_root().command
    assert isinstance(root, click.Group)
    root.list_commands(context)
    return root


@command.command("check", examples=(
    ("a plugin that is installed", "coabench plugins check coabench-mood"),
    ("with a model for its backbone", "coabench plugins check coabench-llm --backbone llm:/models/llm --device cpu"),
))  # fmt: skip
@click.argument("name", metavar="PLUGIN|DISTRIBUTION", shell_complete=completing.plugins)
@grouped(
    MODEL,
    click.option("--backbone", "backbones", metavar="NAME:MODEL", multiple=True,
                 help="Open this backbone with this model, or allow one that sends images away; repeatable.",
                 shell_complete=completing.backbones),
    click.option("--adapter", metavar="DIR|ID", help="Open backbones with this adapter; with none by default.",
                 shell_complete=completing.adapters),
    device_option,
    click.option("--dtype", type=click.Choice(DTYPES),
                 help="The precision, by default float32; in half precision near ties fall either way."),
    set_option,
)  # fmt: skip
@data_root_option
@weights_option
@click.pass_context
def check(
    context: click.Context,
    name: str,
    backbones: tuple[str, ...],
    adapter: str | None,
    device: str,
    dtype: str | None,
    data_root: Path | None,
    weights: Path | None,
    assignments: tuple[str, ...],
) -> None:
    """Say what is wrong with an installed plugin.

    Everything that it registers is checked against what the bench needs; each finding says why it matters and what to
    do. What cannot be looked at without a model or files is listed. A plugin that is left out since a process did not
    survive loading it is loaded again. Exit code 1 where something is wrong.
    """
    from coabench.registry.loading_marks import forget
    from coabench.testing.whole_plugin import CheckOptions, check, check_options, find

    forget(name)  # a plugin that an earlier process did not survive is loaded again
    root = _commands_of(context)
    plugins = find(name)
    models = {spec.partition(":")[0]: spec.partition(":")[2] or None for spec in backbones}
    options = CheckOptions(models, parse_assignments(assignments), data_root, weights, adapter, device, dtype)
    check_options(plugins, options)
    count = {"error": 0, "warning": 0, "unchecked": 0}
    click.echo(f"{safe(plugins[0].distribution)} {safe(plugins[0].version)}")
    for plugin in plugins:
        for what, findings in check(plugin, root, options):
            levels = {finding.defect.level for finding in findings}
            verdict = next((level for level in ("error", "warning", "unchecked") if level in levels), "ok")
            click.echo(f"{verdict:<10} {safe(what)}")
            for finding in findings:
                count[finding.defect.level] += 1
                for line in str(finding).splitlines():
                    click.echo(f"           {safe(line)}")
    verdict = "failed" if count["error"] else "passed"
    counts = (
        f"{plural(count['error'], 'error')}, {plural(count['warning'], 'warning')}, {count['unchecked']} not checked"
    )
    click.echo(f"\n{safe(name)}: {verdict} ({counts})")
    raise SystemExit(1 if count["error"] else 0)


@command.command("new", examples=(
    ("a plugin with a strategy", "coabench plugins new mood --kind strategy"),
    ("one with a data set, beside others", "coabench plugins new my-faces --kind dataset --output plugins"),
))  # fmt: skip
@click.argument("name")
@grouped(
    OUTPUT,
    click.option("--kind", metavar="KIND", required=True,
                 help=f"What the plugin will add: {', '.join(KINDS)}.",
                 shell_complete=completing.words(*KINDS)),
    click.option("--output", metavar="DIR", type=click.Path(path_type=Path), default=Path(),
                 help="The folder to write it in; by default here."),
)  # fmt: skip
def new(name: str, kind: str, output: Path) -> None:
    """Begin a plugin: write a package that works.

    The package is coabench-NAME, with code, tests, README and all; what to do next is printed.
    """
    folder = write(name, kind, output)
    click.echo(safe(folder))
    steps = [
        f"cd {folder}",
        "pip install -e '.[dev]'",
        "pytest",
        f"coabench plugins check coabench-{name}",
        trial(name, kind),
    ]
    click.echo("written. Next:\n" + "\n".join(f"  {safe(step)}" for step in steps), err=True)
