"""``coabench calibrate``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coabench.base.text import safe
from coabench.cli import completing
from coabench.cli.command import OUTPUT, Command, grouped
from coabench.cli.kept import OutputFile
from coabench.cli.options import FiniteRange, overwrite_option, run_output_option
from coabench.cli.output import write_facts

if TYPE_CHECKING:
    from coabench.metrics.stored import StoredCalibration


@click.command("calibrate", cls=Command, examples=(
    ("how much a correction helps: fitted on half of a run, seen on the other",
     "coabench calibrate results/dev --part 0.5"),
    ("fit on one run, correct another", "coabench calibrate results/dev --apply results/test"),
))  # fmt: skip
@click.argument(
    "source", metavar="RUN|FILE.json", type=click.Path(path_type=Path), shell_complete=completing.calibrations
)
@grouped(
    "Calibration",
    click.option("--method", type=click.Choice(["temperature", "platt", "isotonic"]),
                 help="What corrects: temperature (the default) all labels; platt, isotonic the confidence alone."),
    click.option("--part", metavar="PART", type=FiniteRange(0, 1, min_open=True, max_open=True),
                 help="Fit on this part of the samples, show the effect on the others; by default on all."),
    click.option("--seed", metavar="N", type=int, default=0, show_default=True, help="Chooses the part."),
    click.option("--apply", metavar="RUN", type=click.Path(path_type=Path), multiple=True,
                 help="Make a corrected copy of this run; repeatable. None by default.",
                 shell_complete=completing.runs),
)  # fmt: skip
@grouped(
    OUTPUT,
    click.option("--save", metavar="FILE.json", type=OutputFile(),
                 help="Keep the calibration in this file; it is not kept by default."),
    run_output_option,
    overwrite_option,
)  # fmt: skip
def command(**options: Any) -> None:
    """Calibrate the confidences of runs; their labels stay the same.

    The correction is fitted on RUN, whose answers are scored (or was, and is kept in FILE.json), and applied to runs
    on other samples with the same questions and labels. Each becomes a new run; the old one is not touched.
    """
    from coabench.cli.progress import RunTerminal
    from coabench.cli.summary import print_summary
    from coabench.scoring.calibrate import Calibrating, calibrate

    done = calibrate(Calibrating(command=("coabench", *sys.argv[1:]), **options), RunTerminal())
    calibration = done.calibration
    fitted, effect = calibration.fitted, calibration.effect
    shown = ", ".join(f"{name} {value:.4g}" for name, value in calibration.parameters.items() if name != "points")
    where = "on the other samples" if effect.held_out else "on the samples fitted on, which flatters"
    facts = [
        ("calibration", f"{calibration.method}{f' ({shown})' if shown else ''}"),
        ("fitted on", f"{fitted.samples} samples of {safe(fitted.run)}"),
        ("before", _figures(effect.before)),
        ("after", f"{_figures(effect.after)}  ({where}: {effect.after.samples})"),
    ]
    if options["save"] is not None:
        facts.append(("file", safe(options["save"])))
    write_facts(facts)
    for _, run in done.runs:
        click.echo()
        print_summary(run)


def _figures(figures: StoredCalibration) -> str:
    text = f"calibration error {figures.ece:.2%} (by chance {figures.ece_chance:.2%})"
    if figures.scores is not None:
        nll = "infinite" if figures.scores.nll is None else f"{figures.scores.nll:.4f}"
        text += f", Brier {figures.scores.brier:.4f}, NLL {nll}"
    return text
