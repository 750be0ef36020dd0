"""``coabench evaluate``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from coabench.cli.summary import print_summary
from coabench.options import parse_assignments


@click.command("evaluate")
@click.option("--backbone", metavar="NAME[:MODEL]", default="tiny", show_default=True,
              help="The model, for example phi-3.5-vision:/models/Phi-3.5-vision.")  # fmt: skip
@click.option("--adapter", metavar="DIR|ID|none", help="A LoRA adapter: a folder or a hub id; what ships by default.")
@click.option("--strategy", metavar="NAME[:VARIANT]|FILE.yaml", default="chain-of-affect", show_default=True)
@click.option("--dataset", metavar="NAME|CARD.yaml", default="synthface-compound", show_default=True,
              help="The data set, for example raf-db-compound.")  # fmt: skip
@click.option("--data-root", type=click.Path(path_type=Path), help="The folder that holds the data set.")
@click.option("--split", help="The split; the card's first by default.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N samples; the run is not comparable.")
@click.option("--batch-size", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--decode", type=click.Choice(["generate", "score"]), default="generate", show_default=True,
              help="Free greedy answers, or the best-scoring of the options.")  # fmt: skip
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 …")
@click.option(
    "--dtype", type=click.Choice(["auto", "float32", "bfloat16", "float16"]), default="auto", show_default=True
)
@click.option("--seed", type=int, default=0, show_default=True, help="Chooses exemplars.")
@click.option("--set", "assignments", metavar="KEY=VALUE", multiple=True, help="An option of a plugin; repeatable.")
@click.option("--output", type=click.Path(path_type=Path), help="The run directory; below results/ by default.")
@click.option("--overwrite", is_flag=True, help="Delete the run that is in the output directory.")
@click.option("--allow-trained-split", is_flag=True, help="Score a split that the adapter was trained on.")
def command(assignments: tuple[str, ...], **rest: Any) -> None:
    """Evaluate a backbone with a strategy on a data set; with no options, the model and the faces that ship.

    The run directory gets a manifest (run.json), one record per sample (predictions.jsonl) and metrics.json. The same
    command goes on where a killed run stopped.
    """
    from coabench.cli.progress import Terminal
    from coabench.evaluate import Evaluation, evaluate

    request = Evaluation(
        options=parse_assignments(assignments),
        command=("coabench", *sys.argv[1:]),
        **rest,
    )
    try:
        done = evaluate(request, Terminal())
    except KeyboardInterrupt:
        click.echo("\ninterrupted: what is recorded is safe, the same command goes on from there", err=True)
        raise SystemExit(130) from None
    print_summary(done)
