"""``coabench score``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from coabench.base.reading import is_file, is_folder
from coabench.cli.summary import print_summary
from coabench.errors import UserError
from coabench.registry.options import parse_assignments

FOR_RUNS = {"parser", "strategy", "labels", "output", "overwrite"}
"""The options that make sense when a run is scored again."""
FILE_ONLY_PARSER = "responses are parsed when a run is scored; the values of a file are labels already"


@click.command("score")
@click.argument("source", metavar="FILE|RUN", type=click.Path(path_type=Path))
@click.option("--labels", metavar="NAME|CARD.yaml",
              help="The labels: a data set's name or card; compound or basic for RAF-DB's.")  # fmt: skip
@click.option("--prediction-column", metavar="NAME[,NAME]", default="prediction", show_default=True,
              help="The predictions; two columns hold two basic emotions.")  # fmt: skip
@click.option("--target-column", metavar="NAME[,NAME]", help="The true labels; the column target by default.")
@click.option("--id-column", metavar="NAME", help="The samples' ids; by default the column id, or the row's number.")
@click.option("--image-column", metavar="NAME", help="The images' names, to be kept.")
@click.option("--subject-column", metavar="NAME", help="Who is on the image; kept as the attribute subject.")
@click.option("--attribute", "attributes", metavar="NAME", multiple=True, help="A column to keep; repeatable.")
@click.option("--unknown", type=click.Choice(["error", "invalid"]), default="error", show_default=True,
              help="What a prediction that is no label means.")  # fmt: skip
@click.option("--name", metavar="TEXT", help="What to call the model; the file's name by default.")
@click.option("--like", metavar="RUN", type=click.Path(path_type=Path), help="The samples are those of this run.")
@click.option("--dataset", metavar="NAME|CARD.yaml", help="The samples are those of this data set.")
@click.option("--data-root", type=click.Path(path_type=Path), help="The folder that holds the data set.")
@click.option("--split", help="Its split; the card's first by default.")
@click.option("--set", "assignments", metavar="KEY=VALUE", multiple=True, help="An option of its plugin; repeatable.")
@click.option("--parser", metavar="NAME", help="RUN: read its responses with this parser: exact, standard, lenient.")
@click.option("--strategy", metavar="TEXT|NAME|FILE.yaml",
              help="FILE: what to call how it was asked (external by default). RUN: its strategy, if it is not found.",
              )  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path), help="The run directory; below results/ by default.")
@click.option("--overwrite", is_flag=True, help="Delete the run that is in the output directory.")
@click.pass_context
def command(context: click.Context, /, source: Path, assignments: tuple[str, ...], **rest: Any) -> None:
    """Make a run of predictions that are there already; nothing is asked of a model.

    FILE (.csv, .tsv, .jsonl) holds somebody's predictions, one row per sample. RUN is the directory of a run whose
    recorded responses are read again, with another --parser. The run that results is like any other: the
    leaderboard ranks it and it can be compared.
    """
    from coabench.cli.progress import RunTerminal

    typed = ("coabench", *sys.argv[1:])
    if is_folder(source) or rest["parser"] is not None:
        from coabench.scoring.rescore import Rescoring, rescore

        _check_options(context, source, rest["parser"])
        shared = {name: rest[name] for name in FOR_RUNS}
        print_summary(rescore(Rescoring(run=source, command=typed, **shared), RunTerminal()))
        return
    from coabench.scoring.job import Scoring, score

    del rest["parser"]
    rest["strategy"] = rest["strategy"] or "external"
    options = parse_assignments(assignments)
    print_summary(score(Scoring(predictions=source, options=options, command=typed, **rest), RunTerminal()))


def _check_options(context: click.Context, source: Path, parser: str | None) -> None:
    """Check that a run is scored with the options for runs."""
    if is_file(source):
        raise UserError(f"--parser does not fit {source}: {FILE_ONLY_PARSER}", remedy="leave --parser out")
    if parser is None:
        raise UserError(
            f"{source} is a folder: with which parser are the responses of this run to be read?",
            expected="--parser NAME for a run; a .csv, .tsv or .jsonl file of predictions otherwise",
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
