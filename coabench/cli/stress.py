"""``coabench stress``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from coabench.base.vocabulary import COMPLETE
from coabench.cli import completing
from coabench.cli.command import OUTPUT, RUNNING, Command, grouped
from coabench.cli.options import (
    allow_trained_split_option,
    backbone_option,
    batch_size_option,
    data_options,
    executor_options,
    fold_option,
    fold_seed_option,
    format_option,
    limit_option,
    model_options,
    parser_option,
)
from coabench.cli.output import write_tables
from coabench.cli.processes import say_interrupted
from coabench.cli.versions import checks_versions
from coabench.registry.defaults import SUITE
from coabench.registry.options import parse_assignments
from coabench.render.tables import Format


@click.command("stress", cls=Command, examples=(
    ("other words and orders in the questions, on the included faces",
     "coabench stress --output stress/questions"),
    ("list the conditions with blurred, noisy and rotated images, and stop",
     "coabench stress --suite images --output stress/images --dry-run"),
))  # fmt: skip
@backbone_option
@data_options
@grouped(
    "Conditions",
    click.option("--suite", metavar="NAME|SUITE.yaml", default=SUITE, show_default=True,
                 help="What is changed: questions, images, occlusion, all, or a sheet of your own.",
                 shell_complete=completing.suites),
)  # fmt: skip
@limit_option
@fold_option
@fold_seed_option
@allow_trained_split_option
@model_options
@parser_option
@batch_size_option
@executor_options
@grouped(
    RUNNING,
    click.option("--dry-run", is_flag=True, help="Show the conditions and how far they are, and stop."),
)  # fmt: skip
@grouped(
    OUTPUT,
    click.option("--output", metavar="DIR", type=click.Path(path_type=Path), required=True,
                 help="The folder of the stress: a run in it for each condition."),
)  # fmt: skip
@format_option
@checks_versions
def command(
    assignments: tuple[str, ...],
    suite: str,
    output: Path,
    dry_run: bool,
    executor: str,
    jobs: int | None,
    ray_address: str | None,
    format: Format,
    **rest: Any,
) -> None:
    """Evaluate as `evaluate` does, and again with pictures or questions changed: does the answer survive?

    Each condition of the suite is a run of its own, the clean one too. Those that change the question alone look at the
    images together. The same command again skips what is complete and resumes the rest.
    """
    from coabench.cli.progress import SweepTerminal
    from coabench.evaluation.plan import Evaluation
    from coabench.robustness.findings import sections
    from coabench.robustness.job import stress
    from coabench.robustness.plan import make_plan
    from coabench.robustness.suites import find_suite
    from coabench.robustness.summary import summarise
    from coabench.robustness.tables import plan_section, result_section
    from coabench.sweep.choose import open_executor, runs_at_a_time
    from coabench.sweep.job import raise_failed

    chosen = open_executor(executor, jobs=jobs, address=ray_address)
    request = Evaluation(options=parse_assignments(assignments), **rest)
    plan = make_plan(request, find_suite(suite), output)
    if dry_run:
        write_tables([plan_section(plan)], format, "Stress")
        return
    try:
        results = stress(plan, chosen, SweepTerminal(), runs_at_a_time(executor, jobs))
    except KeyboardInterrupt:
        raise SystemExit(say_interrupted("what is recorded is safe, the same command continues from there")) from None
    says = format not in ("csv", "json") and all(result.status == COMPLETE for result in results)
    shown = sections(summarise(output)) if says else [result_section(plan, results)]
    write_tables(shown, format, "Stress")
    if says:
        click.echo(f"curves, labels and pictures: coabench report {output} --images", err=True)
    raise_failed(results)
