"""``coabench evaluate``."""

from __future__ import annotations

import sys
from typing import Any

import click

from coabench.cli import completing
from coabench.cli.command import DATA, Command, grouped
from coabench.cli.options import (
    allow_trained_split_option,
    backbone_option,
    batch_size_option,
    data_options,
    fold_option,
    fold_seed_option,
    limit_option,
    model_options,
    overwrite_option,
    parser_option,
    rewrite_option,
    run_output_option,
    transform_option,
)
from coabench.cli.processes import first_process
from coabench.cli.summary import print_folds, print_summary
from coabench.cli.versions import checks_versions
from coabench.registry.options import parse_assignments


@click.command("evaluate", cls=Command, examples=(
    ("the model and the faces that ship, into a folder below results/", "coabench evaluate"),
    ("another strategy on faces of your own, in a folder per emotion",
     "coabench evaluate --strategy direct --dataset faces/ --output results/faces-direct"),
))  # fmt: skip
@backbone_option
@data_options
@limit_option
@grouped(
    DATA,
    click.option("--folds", metavar="N|subjects",
                 help="All N folds, or one for each person; {fold} in --adapter is the number of one.",
                 shell_complete=completing.words("subjects")),
)  # fmt: skip
@fold_option
@fold_seed_option
@transform_option
@allow_trained_split_option
@model_options
@rewrite_option
@parser_option
@batch_size_option
@run_output_option
@overwrite_option
@checks_versions
def command(assignments: tuple[str, ...], folds: str | None, **rest: Any) -> None:
    """Evaluate a backbone with a strategy on a data set; with no options, the model and the faces that ship.

    The run directory gets a manifest (run.json), one record per sample (predictions.jsonl) and metrics.json. The same
    command resumes a run that was stopped. Under torchrun it spreads over several devices: torchrun
    --nproc-per-node 8 -m coabench evaluate …
    """
    from coabench.cli.progress import RunTerminal
    from coabench.evaluation.folds import evaluate_folds
    from coabench.evaluation.job import evaluate
    from coabench.evaluation.plan import Evaluation

    request = Evaluation(options=parse_assignments(assignments), command=("coabench", *sys.argv[1:]), **rest)
    with first_process("what is recorded is safe, the same command continues from there") as first:
        progress = RunTerminal() if first else None
        if folds is not None:
            done = evaluate_folds(request, folds, progress)
            if first:
                print_folds(done)
            return
        run = evaluate(request, progress)
        if first:
            print_summary(run)
