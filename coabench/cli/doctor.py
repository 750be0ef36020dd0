"""``coabench doctor``."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from coabench.base.text import safe
from coabench.cli import completing
from coabench.cli.command import DATA, MODEL, OUTPUT, RUNNING, Command, grouped
from coabench.cli.options import data_options, format_option, model_options
from coabench.cli.output import write_tables
from coabench.registry.defaults import BATCH_SIZE
from coabench.registry.options import parse_assignments
from coabench.render.tables import Format


@click.command("doctor", cls=Command, examples=(
    ("check the installation", "coabench doctor"),
    ("whether the answers of the model that ships depend on the batch", "coabench doctor --backbone tiny --limit 8"),
))  # fmt: skip
@grouped(
    MODEL,
    click.option("--backbone", metavar="NAME[:MODEL]",
                 help="Check whether its answers depend on the batch; by default the installation is checked.",
                 shell_complete=completing.backbones),
)  # fmt: skip
@data_options
@grouped(
    DATA,
    click.option("--limit", metavar="N", type=click.IntRange(min=1), default=32, show_default=True,
                 help="Ask about N samples."),
)  # fmt: skip
@model_options
@grouped(
    RUNNING,
    click.option("--batch-size", metavar="N", type=click.IntRange(min=2), default=BATCH_SIZE, show_default=True,
                 help="Ask about one at a time, and about N."),
)  # fmt: skip
@format_option
@grouped(
    OUTPUT,
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object with everything, for bug reports."),
)  # fmt: skip
@click.pass_context
def command(
    context: click.Context,
    /,
    backbone: str | None,
    assignments: tuple[str, ...],
    format: Format,
    as_json: bool,
    **rest: Any,
) -> None:
    """Check the installation: versions, devices, plugins, extras, detectors, folders. And try it: the
    model that ships answers about an image, every image format and a video are read, a face is found.

    Exit code 1 where something is broken that is needed or installed: a version outside of the supported range, a
    package that cannot be imported, a plugin that failed, a check without its answer. Nothing is fetched, and nothing
    is left behind.

    With --backbone: ask it about the same samples one at a time and --batch-size at a time, and say which labels,
    responses and scores differ. Exit code 1 where a label does. No run is made.
    """
    if as_json:
        _check_json(context)
    if backbone is None:
        _check_alone(context)
        _machine(context, format, as_json)
    else:
        _batches(format, backbone=backbone, options=parse_assignments(assignments), **rest)


def _check_alone(context: click.Context) -> None:
    """Refuse options that say how to ask where nobody is asked."""
    from click.core import ParameterSource

    from coabench.errors import UserError

    found = [
        parameter.opts[-1]
        for parameter in context.command.params
        if parameter.name not in ("backbone", "format", "as_json")
        and context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    ]
    if found:
        raise UserError(
            f"{', '.join(found)} needs --backbone" if len(found) == 1 else f"{', '.join(found)} need --backbone",
            expected="the backbone whose batches are to be compared",
            remedy="add --backbone NAME[:MODEL], or leave the rest out",
        )


def _check_json(context: click.Context) -> None:
    """Refuse --json beside options that decide what is printed."""
    from click.core import ParameterSource

    from coabench.errors import UserError

    for name in ("backbone", "format"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UserError(
                f"--json and --{name} do not go together",
                expected="--json alone, for a bug report about this machine",
                remedy="leave one out; with --backbone, --format json has everything",
            )


def _machine(context: click.Context, format: Format, as_json: bool) -> None:
    from coabench.doctor.diagnosis import report, sections
    from coabench.doctor.machine import examine

    root = context.find_root().command
    assert isinstance(root, click.Group)
    findings = examine(lambda: root.list_commands(context))  # which adds the commands of plugins
    try:
        if as_json:
            click.echo(json.dumps(report(findings), indent=2, allow_nan=False))
        else:
            write_tables(sections(findings), format, "coabench doctor")
    except ImportError as error:  # what draws the table may be what is missing
        lines = [f"{f.topic:<10} {f.state:<8} {safe(f.item)}: {safe(f.found)} {safe(f.remedy)}" for f in findings]
        click.echo("\n".join([f"without a table: {safe(error)}", *lines]))
    broken = dict.fromkeys(safe(f.item) for f in findings if f.state == "broken")
    click.echo(f"broken: {', '.join(broken)}" if broken else "nothing is broken", err=True)
    raise SystemExit(1 if broken else 0)


def _batches(format: Format, **options: Any) -> None:
    from coabench.cli.progress import RunTerminal
    from coabench.doctor.batches import compare_batches
    from coabench.evaluation.plan import Evaluation

    request = Evaluation(**options, allow_trained_split=True, command=("coabench", *sys.argv[1:]))  # nothing is ranked
    result = compare_batches(request, RunTerminal())
    if format == "json":
        click.echo(json.dumps(result.as_json(), indent=2, allow_nan=False))
    else:
        write_tables([result.figures_section()] if format == "csv" else result.sections(), format, "coabench doctor")
    raise SystemExit(0 if result.invariant else 1)
