"""Options that several commands have: one spelling, one default."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from coabench.base.files import write_text
from coabench.base.text import safe
from coabench.decode import DECODES, ONCE
from coabench.errors import UserError
from coabench.inference.batching import BatchSize
from coabench.recipe import LOADS
from coabench.registry.defaults import BACKBONE, BATCH_SIZE, DATASET, DECODE, DEVICE, DTYPE, DTYPES, SEED, STRATEGY
from coabench.registry.detectors import AUTO
from coabench.render.tables import FORMATS

Command = Callable[..., Any]
"""A function that becomes a command."""


class FiniteRange(click.FloatRange):
    """A number in a range, which NaN never is: click compares, and every comparison with it is false."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no number", param, ctx)
        return number


def _batch_size(value: object) -> BatchSize:
    """Read a number, 1 or more, or ``auto``."""
    if value == "auto":
        return "auto"
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if number < 1:
        raise click.BadParameter(f"{value!r} is neither a whole number of 1 or more nor auto")
    return number


backbone_option = click.option(
    "--backbone", metavar="NAME[:MODEL]", default=BACKBONE, show_default=True,
    help="The model, for example phi-3.5-vision:/models/Phi-3.5-vision.",
)  # fmt: skip
adapter_option = click.option(
    "--adapter", metavar="DIR|ID|none", help="A LoRA adapter: a folder or a hub id; what ships by default."
)
strategy_option = click.option("--strategy", metavar="NAME[:VARIANT]|FILE.yaml", default=STRATEGY, show_default=True)
dataset_option = click.option(
    "--dataset", metavar="NAME|CARD.yaml|FOLDER", default=DATASET, show_default=True,
    help="A data set, a card, class folders, a .zip or .tar of them, or a .parquet table.",
)  # fmt: skip
data_root_option = click.option(
    "--data-root", type=click.Path(path_type=Path), help="The folder or file that holds the data set."
)
crop_option = click.option(
    "--crop", metavar="[DETECTOR[:KEY=VALUE,…]]", is_flag=False, flag_value=AUTO,
    help="Cut the face out of every picture, as `datasets crop` does; alone with the best detector that works here.",
)  # fmt: skip
align_option = click.option(
    "--align/--no-align", default=True, show_default=True,
    help="Turn faces upright by their landmarks, where the detector knows them.",
)  # fmt: skip
split_option = click.option("--split", help="The split; the card's first by default.")
batch_size_option = click.option(
    "--batch-size", metavar="N|auto", type=_batch_size, default=BATCH_SIZE, show_default=True,
    help="Samples at a time; auto for what is fastest and fits.",
)  # fmt: skip
decode_option = click.option(
    "--decode", type=click.Choice(DECODES), default=DECODE, show_default=True,
    help="Free greedy answers, the best-scoring of the options, or a vote among sampled dialogues.",
)  # fmt: skip
decode_once_option = click.option(
    "--decode", type=click.Choice(ONCE), default=DECODE, show_default=True,
    help="Free greedy answers, or the best-scoring of the options, with a confidence.",
)  # fmt: skip
temperature_option = click.option(
    "--temperature", type=float, metavar="T", help="Of --decode sample: logits are divided by it; 0.7 by default."
)
top_p_option = click.option(
    "--top-p", type=float, metavar="P",
    help="Of --decode sample: draw among the likeliest tokens that together have this probability; 1 by default.",
)  # fmt: skip
samples_option = click.option(
    "--samples", type=int, metavar="N", help="Of --decode sample: dialogues about each image, 8 by default."
)
device_option = click.option("--device", default=DEVICE, show_default=True, help="auto, cpu, cuda, cuda:1 …")
dtype_option = click.option("--dtype", type=click.Choice(DTYPES), default=DTYPE, show_default=True)
load_option = click.option(
    "--load", type=click.Choice(LOADS), help="Keep the language model's weights in 8 or 4 bits; all of --dtype else."
)
seed_option = click.option(
    "--seed", type=int, default=SEED, show_default=True,
    help="Chooses exemplars, samples within --limit, and what --decode sample draws.",
)  # fmt: skip
fold_option = click.option(
    "--fold", metavar="K/N|K/subjects", help="Fold K of N of the train split, or its Kth person: 3/10, 3/subjects."
)
fold_seed_option = click.option("--fold-seed", type=int, help="Which samples are in which fold; 0 by default.")
limit_option = click.option(
    "--limit", type=click.IntRange(min=1), help="Only N samples, of every label; not comparable."
)
allow_trained_split_option = click.option(
    "--allow-trained-split", is_flag=True, help="Score what the adapter was trained on."
)
set_option = click.option(
    "--set", "assignments", metavar="KEY=VALUE", multiple=True, help="An option of a plugin; repeatable."
)


parser_option = click.option(
    "--parser", metavar="NAME", help="Read answers in words with this parser; that of the strategy by default."
)


transform_option = click.option(
    "--transform", metavar="NAME[:KEY=VALUE,…]", multiple=True,
    help="Change every image (`coabench list transforms`); repeatable, in order. A variant: never ranked.",
)  # fmt: skip
rewrite_option = click.option(
    "--rewrite", metavar="NAME[:KEY=VALUE,…]", multiple=True,
    help="Rewrite every question (`coabench list rewrites`); repeatable, in order. A variant: never ranked.",
)  # fmt: skip


def data_options(command: Command) -> Command:
    """Add what is asked, and about which samples: adapter, strategy, data set, its folder, split, faces alone."""
    data = dataset_option, data_root_option, split_option, crop_option
    return _add(command, adapter_option, strategy_option, *data)


def model_options(command: Command) -> Command:
    """Add how the model answers: decode mode, sampling, device, precision, seed, options of plugins."""
    sampling = temperature_option, top_p_option, samples_option
    return _add(command, decode_option, *sampling, device_option, dtype_option, load_option, seed_option, set_option)


def executor_options(command: Command) -> Command:
    """Add what carries out the runs of a sweep, and how many at a time, or where."""
    return _add(
        command,
        click.option("--executor", metavar="NAME[:KEY=VALUE,…]", default="local", show_default=True,
                     help="What carries out the runs: see `coabench list executors`."),
        click.option("--jobs", metavar="N", type=click.IntRange(min=1),
                     help="Runs at a time, with --executor local; 1."),
        click.option("--ray-address", metavar="ADDRESS",
                     help="The Ray cluster; that of RAY_ADDRESS, else one on this machine, by default."),
    )  # fmt: skip


def _add(command: Command, *options: Callable[[Command], Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


format_option = click.option(
    "--format", "format", type=click.Choice(FORMATS), default="table", show_default=True, help="How to print the table."
)
output_option = click.option(
    "--output", metavar="FILE", type=click.Path(path_type=Path), help="Write to this file instead of the terminal."
)


def write(text: str, output: Path | None) -> None:
    """Print *text*, or write it to the file of ``--output`` and say so.

    Raises:
        UserError: the file cannot be written.
    """
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        write_text(output, text)
    except OSError as error:
        raise UserError(f"{output} cannot be written", found=error.strerror, remedy="choose another --output") from None
    click.echo(f"written to {safe(output)}", err=True)
