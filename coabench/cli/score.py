"""``coabench score``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from coabench.base.reading import is_file, is_folder
from coabench.cli import completing
from coabench.cli.command import Command, grouped
from coabench.cli.options import data_root_option, overwrite_option, run_output_option, split_option
from coabench.cli.output import write_tables
from coabench.cli.summary import print_summary
from coabench.errors import UserError
from coabench.registry.options import parse_assignments

CODES = ("card", "0-based", "1-based")
FOR_RUNS = {"parser", "strategy", "labels", "output", "overwrite"}
"""The options that make sense when a run is scored again."""


def _list_formats(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Print the formats and end."""
    if not value or context.resilient_parsing:
        return
    from coabench.render.tables import Column, Section
    from coabench.scoring.formats.files import FORMATS

    columns = (
        Column("Format", "name"), Column("Tool", "tool"), Column("Files", "files", width=22),
        Column("Recognised by", "recognised", width=34), Column("Read", "reads", width=34),
    )  # fmt: skip
    rows = [{"name": f.name, "tool": f.tool, "files": ", ".join(f.endings), "recognised": f.recognised,
             "reads": f.reads} for f in FORMATS.values()]  # fmt: skip
    write_tables([Section(columns, rows)])
    click.echo()
    context.exit()


@click.command("score", cls=Command, examples=(
    ("a table with the columns id, target and prediction",
     "coabench score predictions.csv --labels raf-db-compound --name 'my model'"),
    ("the answers of a run, read by another parser", "coabench score results/my-run --parser lenient"),
))  # fmt: skip
@click.argument("source", metavar="FILE|RUN", type=click.Path(path_type=Path))
@grouped(
    "File",
    click.option("--list-formats", is_flag=True, is_eager=True, expose_value=False, callback=_list_formats,
                 help="List the formats of files that can be read, and stop."),
    click.option("--format", metavar="NAME", shell_complete=completing.formats,
                 help="The format of FILE, see --list-formats; by default it is recognised."),
    click.option("--name", metavar="TEXT", help="What to call the model; the file's name by default."),
    click.option("--unknown", type=click.Choice(["error", "invalid"]), default="error", show_default=True,
                 help="What a prediction that is no label means: an error, or an invalid answer."),
)  # fmt: skip
@grouped(
    "Labels",
    click.option("--labels", metavar="NAME|CARD.yaml",
                 help="The labels: a data set's name or card; compound or basic for RAF-DB's. By default those of "
                      "--dataset or --like.",
                      shell_complete=completing.labels),
    click.option("--codes", type=click.Choice(CODES), default="card", show_default=True,
                 help="What numbers mean: the card's codes, or its labels counted from 0 or 1."),
    click.option("--parser", metavar="NAME",
                 help="Read sentences with this parser (`coabench list parsers`), of a run its responses. By default "
                      "predictions are labels.",
                      shell_complete=completing.registered("parsers")),
    click.option("--strategy", metavar="TEXT|NAME|FILE.yaml",
                 help="FILE: what to call how it was asked (external by default). RUN: its strategy, if it is not "
                      "found.",
                      shell_complete=completing.strategies),
)  # fmt: skip
@grouped(
    "Columns",
    click.option("--prediction-column", metavar="NAME[,NAME]",
                 help="The predictions; prediction or what the format has by default. Two hold two basic emotions."),
    click.option("--target-column", metavar="NAME[,NAME]",
                 help="The true labels; target or what the format has by default."),
    click.option("--id-column", metavar="NAME",
                 help="The samples' ids; id or what the format has by default, else the row's number."),
    click.option("--probability-columns", metavar="LABEL[=NAME],…",
                 help="Instead of predictions: a column of probabilities for each label; the highest is predicted."),
    click.option("--logits", is_flag=True, help="The columns of probabilities hold logits or log-probabilities."),
    click.option("--image-column", metavar="NAME", help="The images' names, to be kept; none by default."),
    click.option("--subject-column", metavar="NAME",
                 help="Who is on the image; kept as the attribute subject. None by default."),
    click.option("--attribute", "attributes", metavar="NAME", multiple=True, help="A column to keep; repeatable."),
)  # fmt: skip
@grouped(
    "Samples",
    click.option("--like", metavar="RUN", type=click.Path(path_type=Path),
                 help="The samples are those of this run; by default what the file has.",
                 shell_complete=completing.runs),
    click.option("--dataset", metavar="NAME|CARD.yaml",
                 help="The samples are those of this data set; by default what the file has.",
                 shell_complete=completing.datasets),
    data_root_option,
    split_option,
    click.option("--set", "assignments", metavar="KEY=VALUE", multiple=True,
                 help="An option of the data set's plugin; repeatable."),
)  # fmt: skip
@run_output_option
@overwrite_option
@click.pass_context
def command(context: click.Context, /, source: Path, assignments: tuple[str, ...], **rest: Any) -> None:
    """Import predictions as a run, or parse the answers of a run anew; no model is asked.

    FILE holds predictions made elsewhere, one row per sample: a table, or what lmms-eval, lm-evaluation-harness,
    VLMEvalKit or inspect_ai wrote. RUN is the directory of a run whose recorded responses are read again, with another
    --parser. The run that results is like any other: the leaderboard ranks it and it can be compared.
    """
    from coabench.cli.progress import RunTerminal

    typed = ("coabench", *sys.argv[1:])
    if is_folder(source) or (rest["parser"] is not None and not is_file(source)):
        from coabench.scoring.rescore import Rescoring, rescore

        _check_options(context, source, rest["parser"])
        shared = {name: rest[name] for name in FOR_RUNS}
        print_summary(rescore(Rescoring(run=source, command=typed, **shared), RunTerminal()))
        return
    from coabench.scoring.job import score
    from coabench.scoring.request import Scoring

    rest["strategy"] = rest["strategy"] or "external"
    options = parse_assignments(assignments)
    print_summary(score(Scoring(predictions=source, options=options, command=typed, **rest), RunTerminal()))


def _check_options(context: click.Context, source: Path, parser: str | None) -> None:
    """Check that a run is scored with the options for runs."""
    if parser is None:
        raise UserError(
            f"{source} is a folder: with which parser are the responses of this run to be read?",
            expected="--parser NAME for a run; a file of predictions otherwise",
            remedy="add --parser lenient, or another one",
        )
    for parameter in context.command.params:
        name = parameter.name or ""
        if (
            isinstance(parameter, click.Option)
            and name not in FOR_RUNS
            and context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        ):
            option = parameter.opts[0]
            raise UserError(
                f"{option} does not fit: {source} is a run, which has its samples and its labels",
                expected=", ".join(sorted(f"--{each}" for each in FOR_RUNS)),
                remedy=f"leave {option} out",
            )
