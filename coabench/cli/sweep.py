"""``coabench sweep``."""

from __future__ import annotations

from pathlib import Path

import click

from coabench.base.text import plural
from coabench.cli import completing
from coabench.cli.command import Command, grouped
from coabench.cli.options import executor_options, format_option
from coabench.cli.output import write_tables
from coabench.cli.processes import say_interrupted
from coabench.cli.versions import checks_versions
from coabench.errors import UserError
from coabench.render.tables import Format


@click.command("sweep", cls=Command, examples=(
    ("what the combinations of a sheet would cost, as far as known", "coabench sweep sheet.yaml --dry-run"),
    ("evaluate them, two at a time; the same command resumes", "coabench sweep sheet.yaml --jobs 2"),
))  # fmt: skip
@click.argument("sheet", metavar="SHEET.yaml", type=click.Path(path_type=Path), shell_complete=completing.sheets)
@grouped(
    "Plan",
    click.option("--dry-run", is_flag=True, help="Show the plan and what it costs as far as known, and stop."),
    click.option("--measure", metavar="N", type=click.IntRange(min=1),
                 help="With --dry-run: time N samples of each run whose pace is unknown; none by default."),
)  # fmt: skip
@executor_options
@format_option
@checks_versions
def command(
    sheet: Path,
    dry_run: bool,
    measure: int | None,
    executor: str,
    jobs: int | None,
    ray_address: str | None,
    format: Format,
) -> None:
    """Evaluate every combination that SHEET.yaml asks for, each a run of its own; or, with `job: train`, train each.

    Every run is checked before the first begins. One that fails does not stop the others. The same command again skips
    what is complete and resumes the rest, wherever it was stopped.
    """
    from coabench.cli.progress import SweepTerminal
    from coabench.sweep import costs
    from coabench.sweep.choose import open_executor, runs_at_a_time
    from coabench.sweep.job import raise_failed, sweep
    from coabench.sweep.plan import make_plan
    from coabench.sweep.sheet import read_sheet
    from coabench.sweep.tables import plan_section, result_sections

    if measure is not None and not dry_run:
        raise UserError("--measure is for --dry-run", remedy="add --dry-run, or leave --measure out")
    if measure is not None and executor.partition(":")[0] != "local":
        raise UserError("--measure times runs on this machine", expected="--executor local", remedy="leave one out")
    chosen = open_executor(executor, jobs=jobs, address=ray_address)
    terminal = SweepTerminal()
    plan = make_plan(read_sheet(sheet), probe=dry_run)
    try:
        if dry_run:
            paces: dict[str, costs.Pace] = {}
            problems: list[str] = []
            if measure is not None and (runs := costs.unknown(plan)):
                chosen.check(runs)
                terminal.note(f"measuring {plural(measure, 'sample')} of every run whose pace is unknown")
                paces, problems = costs.measure(runs, measure, chosen)
            write_tables([plan_section(plan, costs.estimate(plan, paces), problems)], format, "Sweep")
            return
        results = sweep(plan, chosen, terminal, runs_at_a_time(executor, jobs))
    except KeyboardInterrupt:
        raise SystemExit(say_interrupted("what is recorded is safe, the same command continues from there")) from None
    write_tables(result_sections(plan, results), format, "Sweep")
    raise_failed(results)
