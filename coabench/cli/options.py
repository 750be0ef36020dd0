"""Options that several commands have: one spelling, one default."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from coabench.cli import completing
from coabench.cli.command import ANSWERS, DATA, FACES, MODEL, OUTPUT, QUESTIONS, RUNNING, grouped, several
from coabench.cli.kept import OutputFile
from coabench.decode import DECODES, ONCE
from coabench.inference.batching import BatchSize
from coabench.recipe import LOADS
from coabench.registry.defaults import BACKBONE, BATCH_SIZE, DATASET, DECODE, DEVICE, DTYPE, DTYPES, SEED, STRATEGY
from coabench.registry.detectors import AUTO
from coabench.render.tables import FORMATS
from coabench.support.crop_settings import MARGIN


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


backbone_option = grouped(MODEL, click.option(
    "--backbone", metavar="NAME[:MODEL]", default=BACKBONE, show_default=True,
    help="The model, for example phi-3.5-vision:/models/Phi-3.5-vision.",
    shell_complete=completing.backbones,
))  # fmt: skip
adapter_option = grouped(MODEL, click.option(
    "--adapter", metavar="DIR|ID|none", help="A LoRA adapter: a folder or a hub id; by default the included one.",
    shell_complete=completing.adapters,
))  # fmt: skip
load_option = grouped(MODEL, click.option(
    "--load", type=click.Choice(LOADS),
    help="Keep the language model's weights in 8 or 4 bits; by default in the precision of --dtype.",
))  # fmt: skip
dtype_option = grouped(MODEL, click.option(
    "--dtype", type=click.Choice(DTYPES), default=DTYPE, show_default=True,
    help="The precision of the model's numbers; auto takes the best that the device computes fast. int8 is for CPUs.",
))  # fmt: skip
device_option = grouped(MODEL, click.option(
    "--device", default=DEVICE, show_default=True, metavar="NAME",
    help="Where the model runs: auto, cpu, cuda, cuda:1 …",
    shell_complete=completing.words("auto", "cpu", "cuda"),
))  # fmt: skip
allow_remote_option = grouped(MODEL, click.option(
    "--allow-remote-backbone", "allow_remote", is_flag=True,
    help="Use a backbone that sends pictures to another machine, which is refused by default.",
))  # fmt: skip
set_option = grouped(MODEL, click.option(
    "--set", "assignments", metavar="KEY=VALUE", multiple=True, help="An option of a plugin in use; repeatable."
))  # fmt: skip

dataset_option = grouped(DATA, click.option(
    "--dataset", metavar="NAME|CARD.yaml|FOLDER", default=DATASET, show_default=True,
    help="A data set, a card, class folders, a .zip or .tar of them, or a .parquet table.",
    shell_complete=completing.datasets,
))  # fmt: skip
data_root_option = grouped(DATA, click.option(
    "--data-root", metavar="PATH", type=click.Path(path_type=Path),
    help="The folder or file that holds the data set; by default where its card says.",
))  # fmt: skip
split_option = grouped(DATA, click.option(
    "--split", metavar="NAME", help="The split of the data set; by default the card's first.",
    shell_complete=completing.splits,
))  # fmt: skip
crop_option = grouped(DATA, click.option(
    "--crop", metavar="[DETECTOR[:KEY=VALUE,…]]", is_flag=False, flag_value=AUTO,
    help="Crop the face in every picture, as `datasets crop` does; without a name, the best detector that works here.",
    shell_complete=completing.registered("detectors"),
))  # fmt: skip
limit_option = grouped(DATA, click.option(
    "--limit", metavar="N", type=click.IntRange(min=1),
    help="Only N samples, of every label; not comparable. By default all.",
))  # fmt: skip
fold_option = grouped(DATA, click.option(
    "--fold", metavar="K/N|K/subjects", help="Fold K of N of the train split, or its Kth person: 3/10, 3/subjects."
))  # fmt: skip
fold_seed_option = grouped(DATA, click.option(
    "--fold-seed", metavar="N", type=int, help="Which samples are in which fold; 0 by default."
))  # fmt: skip
transform_option = grouped(DATA, click.option(
    "--transform", metavar="NAME[:KEY=VALUE,…]", multiple=True,
    help="Change every image (`coabench list transforms`); repeatable, in order. A variant: never ranked.",
    shell_complete=completing.registered("transforms"),
))  # fmt: skip
allow_trained_split_option = grouped(DATA, click.option(
    "--allow-trained-split", is_flag=True, help="Score what the adapter was trained on, which is refused by default."
))  # fmt: skip

strategy_option = grouped(QUESTIONS, click.option(
    "--strategy", metavar="NAME[:VARIANT]|FILE.yaml", default=STRATEGY, show_default=True,
    help="Which questions to ask: a strategy (`coabench list strategies`) or a prompt file.",
    shell_complete=completing.strategies,
))  # fmt: skip
labels_option = grouped(QUESTIONS, click.option(
    "--labels", metavar="NAME|CARD.yaml", default=DATASET, show_default=True,
    help="The data set whose labels are asked about.",
    shell_complete=completing.labels,
))  # fmt: skip
exemplars_from_option = grouped(QUESTIONS, click.option(
    "--exemplars-from", metavar="NAME|CARD.yaml",
    help="The data set that a strategy's exemplars come from; none by default.",
    shell_complete=completing.datasets,
))  # fmt: skip
rewrite_option = grouped(QUESTIONS, click.option(
    "--rewrite", metavar="NAME[:KEY=VALUE,…]", multiple=True,
    help="Rewrite every question (`coabench list rewrites`); repeatable, in order. A variant: never ranked.",
    shell_complete=completing.registered("rewrites"),
))  # fmt: skip

parser_option = grouped(ANSWERS, click.option(
    "--parser", metavar="NAME",
    help="Parse free answers with this parser (`coabench list parsers`); by default the strategy's.",
    shell_complete=completing.registered("parsers"),
))  # fmt: skip
decode_option = grouped(ANSWERS, click.option(
    "--decode", type=click.Choice(DECODES), default=DECODE, show_default=True,
    help="Free greedy answers, the best-scoring of the options, or a vote among sampled dialogues.",
))  # fmt: skip
decode_once_option = grouped(ANSWERS, click.option(
    "--decode", type=click.Choice(ONCE), default=DECODE, show_default=True,
    help="Free greedy answers, or the best-scoring of the options, with a confidence.",
))  # fmt: skip
temperature_option = grouped(ANSWERS, click.option(
    "--temperature", type=float, metavar="T", help="Of --decode sample: logits are divided by it; 0.7 by default."
))  # fmt: skip
top_p_option = grouped(ANSWERS, click.option(
    "--top-p", type=float, metavar="P",
    help="Of --decode sample: draw among the likeliest tokens that together have this probability; 1 by default.",
))  # fmt: skip
samples_option = grouped(ANSWERS, click.option(
    "--samples", type=int, metavar="N", help="Of --decode sample: dialogues about each image, 8 by default."
))  # fmt: skip
seed_option = grouped(ANSWERS, click.option(
    "--seed", metavar="N", type=int, default=SEED, show_default=True,
    help="Chooses exemplars, samples within --limit, and what --decode sample draws.",
))  # fmt: skip

batch_size_option = grouped(RUNNING, click.option(
    "--batch-size", metavar="N|auto", type=_batch_size, default=BATCH_SIZE, show_default=True,
    help="Samples at a time; auto for what is fastest and fits.", shell_complete=completing.words("auto"),
))  # fmt: skip

align_option = grouped(FACES, click.option(
    "--align/--no-align", default=True, show_default=True,
    help="Turn faces upright by their landmarks, where the detector knows them.",
))  # fmt: skip
detector_option = grouped(FACES, click.option(
    "--detector", default=AUTO, show_default=True, metavar="NAME",
    help="What finds faces (`coabench list detectors`); auto takes the best that works here.",
    shell_complete=completing.detectors,
))  # fmt: skip
weights_option = grouped(FACES, click.option(
    "--detector-weights", "weights", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
    help="The file of a detector that does not bring its own.",
))  # fmt: skip
margin_option = grouped(FACES, click.option(
    "--margin", metavar="PART", type=float,
    help=f"What a crop adds around the face, in parts of its longer side; {MARGIN:g} by default.",
))  # fmt: skip

format_option = grouped(OUTPUT, click.option(
    "--format", "format", type=click.Choice(FORMATS), default="table", show_default=True, help="How to print the table."
))  # fmt: skip
output_option = grouped(OUTPUT, click.option(
    "--output", metavar="FILE", type=OutputFile(),
    help="Write to this file; by default to the terminal.",
))  # fmt: skip
run_output_option = grouped(OUTPUT, click.option(
    "--output", metavar="DIR", type=click.Path(path_type=Path),
    help="The run directory; by default one below results/.",
))  # fmt: skip
overwrite_option = grouped(OUTPUT, click.option(
    "--overwrite", is_flag=True, help="Delete what an earlier job left at --output, instead of continuing or refusing."
))  # fmt: skip

data_options = several(adapter_option, strategy_option, dataset_option, data_root_option, split_option, crop_option)
"""What is asked, and about which samples: adapter, strategy, data set, its folder, split, faces alone."""

model_options = several(
    decode_option, temperature_option, top_p_option, samples_option, device_option, dtype_option, load_option,
    seed_option, set_option,
)  # fmt: skip
"""How the model answers: decode mode, sampling, device, precision, seed, options of plugins."""

executor_options = grouped(
    RUNNING,
    click.option("--executor", metavar="NAME[:KEY=VALUE,…]", default="local", show_default=True,
                 help="What carries out the runs (`coabench list executors`).",
                 shell_complete=completing.registered("executors")),
    click.option("--jobs", metavar="N", type=click.IntRange(min=1),
                 help="Runs at a time, with --executor local; 1 by default."),
    click.option("--ray-address", metavar="ADDRESS",
                 help="The Ray cluster; that of RAY_ADDRESS, else one on this machine, by default."),
)  # fmt: skip
"""What carries out the runs of a sweep, and how many at a time, or where."""
