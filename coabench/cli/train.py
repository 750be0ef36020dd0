"""``coabench train``."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from coabench.base.text import NOTHING, safe
from coabench.cli import completing
from coabench.cli.command import DATA, MODEL, OUTPUT, QUESTIONS, Command, Decorator, grouped
from coabench.cli.options import (
    crop_option,
    device_option,
    fold_option,
    fold_seed_option,
    load_option,
    overwrite_option,
    set_option,
)
from coabench.cli.output import write_facts
from coabench.cli.processes import first_process
from coabench.cli.versions import checks_versions
from coabench.errors import UserError
from coabench.recipe import BETA, Balance, GrpoLoss, Objective, Recipe
from coabench.registry.defaults import BACKBONE, DATASETS, DTYPES, SEED, STRATEGY
from coabench.registry.options import parse_assignments

if TYPE_CHECKING:
    from coabench.training.result import FinishedTraining


def _names(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    return tuple(part.strip() for part in value.split(",")) if value else None


def _rates(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> dict[str, float] | None:
    try:
        return {part: float(rate) for part, rate in parse_assignments(value, option="--part-lr").items()} or None
    except ValueError:
        raise UserError("--part-lr takes a number", found=", ".join(value), remedy="write vision=2e-5") from None


def _setting(*names: str, **attributes: Any) -> Decorator:
    """Return an option for a setting of the recipe, which shows the default that a --preset may change."""
    field = names[1] if len(names) > 1 else names[0].partition("/")[0].removeprefix("--").replace("-", "_")
    default = getattr(Recipe(), field)
    if isinstance(default, bool):
        default = names[0].split("/--")[not default].removeprefix("--")
    return click.option(*names, default=None, show_default=None if default in (None, (), {}) else f"{default}",
                        **attributes)  # fmt: skip


@click.command("train", cls=Command, examples=(
    ("a LoRA for the model and the faces that ship, into a folder below adapters/", "coabench train"),
    ("what it would learn and need, with the published recipe, and stop",
     "coabench train --backbone phi-3.5-vision --preset published --dry-run"),
))  # fmt: skip
@grouped(
    MODEL,
    click.option("--backbone", metavar="NAME[:MODEL]", default=BACKBONE, show_default=True,
                 help="The model, for example phi-3.5-vision:/models/Phi-3.5-vision.",
                 shell_complete=completing.backbones),
    click.option("--from", "start", metavar="ADAPTER", type=click.Path(path_type=Path),
                 help="An adapter that coabench trained, to begin with; by default a new one.",
                 shell_complete=completing.trained),
    device_option,
    click.option("--dtype", type=click.Choice(DTYPES), show_default=Recipe.dtype,
                 help="The precision of the arithmetic; auto takes the best that the device computes fast. Not int8, "
                      "which only answers."),
    load_option,
    set_option,
)  # fmt: skip
@grouped(
    DATA,
    click.option("--dataset", "datasets", metavar="NAME|CARD.yaml[:WEIGHT]", multiple=True, default=DATASETS,
                 show_default=True,
                 help="Data set to train on, its train split; repeatable. NAME:2 is seen twice as often.",
                 shell_complete=completing.datasets),
    click.option("--data-root", metavar="PATH", type=click.Path(path_type=Path),
                 help="The folder or file that holds the data sets; by default where their cards say."),
    crop_option,
    click.option("--augment", metavar="NAME[:KEY=VALUE,…]", multiple=True,
                 help="Augment the training images, at random each time: random-… of `coabench list "
                      "transforms`; repeatable, in order.",
                      shell_complete=completing.registered("transforms", begin="random-")),
    _setting("--mirror/--no-mirror", help="Show images mirrored half of the time."),
    fold_option,
    fold_seed_option,
)  # fmt: skip
@grouped(
    QUESTIONS,
    click.option("--strategy", "strategies", metavar="NAME[:VARIANT]|FILE.yaml", multiple=True,
                 default=(STRATEGY,), show_default=True, help="Strategy whose questions are trained; repeatable.",
                 shell_complete=completing.strategies),
    _setting("--ambiguous/--unambiguous",
             help="Train on questions with several right answers too (stage 1 on compound images)."),
    _setting("--balance", type=click.Choice(get_args(Balance)),
             help="Make up for rare answers: by the loss, or by how often they are seen."),
    click.option("--balance-beta", metavar="BETA", type=float,
                 help=f"Beta of --balance effective-number; {BETA} by default."),
)  # fmt: skip
@grouped(
    "Recipe",
    click.option("--preset", metavar="NAME", shell_complete=completing.words("default", "published", "base", "grpo"),
                 help="A recipe of the backbone, such as published; options change it. `default` by default."),
    click.option("--stages", type=click.Path(path_type=Path), metavar="FILE.yaml",
                 help="Train in stages, each with its data, epochs and learning rate, on one adapter; by default one.",
                 shell_complete=completing.sheets),
    _setting("--epochs", metavar="N", type=float, help="How often every question is seen."),
    click.option("--steps", metavar="N", type=int, help="Optimizer steps; by default as many as --epochs makes."),
    _setting("--batch-size", metavar="N", type=int, help="Questions per optimizer step, over all processes."),
    _setting("--share/--no-share",
             help="Questions about an image share a step; without, batches are the published script's."),
    click.option("--micro-batch", metavar="N", type=click.IntRange(min=1),
                 help="Questions per forward pass and process; by default the preset's, else what fits."),
    click.option("--vision-cache", metavar="GIB", type=float,
                 help="Keep what a frozen vision tower makes of images in the cache folder, up to so many GiB; by "
                      "default nothing is kept."),
    _setting("--lr", "learning_rate", metavar="RATE", type=float, help="Learning rate of AdamW."),
    click.option("--part-lr", metavar="PART=RATE", multiple=True, callback=_rates,
                 help="Learning rate of one part, such as vision=2e-5; repeatable. By default that of --lr."),
    _setting("--schedule", metavar="NAME", shell_complete=completing.words("cosine", "linear", "constant"),
             help="How it changes, by a scheduler of transformers: cosine, linear, constant …"),
    _setting("--warmup", metavar="PART", type=float,
             help="In which part of the steps the learning rate rises, from 0 to below 1."),
    _setting("--weight-decay", metavar="RATE", type=float, help="Weight decay of AdamW."),
    _setting("--checkpointing/--no-checkpointing",
             help="Compute activations again instead of keeping them: less memory, a third more time."),
    click.option("--seed", metavar="N", type=int, default=SEED, show_default=True,
                 help="Chooses the order, the LoRA's first values and the dev part."),
    click.option("--trainer", "fields", metavar="KEY=VALUE", multiple=True,
                 help="A further field of transformers' TrainingArguments; repeatable."),
)  # fmt: skip
@grouped(
    "What is trained",
    _setting("--full/--lora", help="Train every parameter instead of a LoRA."),
    _setting("--rank", metavar="N", type=int, help="Rank of the LoRA."),
    _setting("--alpha", metavar="ALPHA", type=float, help="Alpha of the LoRA: its update is alpha / rank * B A."),
    _setting("--dropout", metavar="PART", type=float, help="Dropout of the LoRA, from 0 to below 1."),
    _setting("--dora/--no-dora", help="Learn lengths and directions of the weights apart (DoRA)."),
    _setting("--rslora/--no-rslora",
             help="Scale the update by alpha / sqrt(rank) (rsLoRA); lower --alpha with it."),
    _setting("--lora-plus", type=float, metavar="RATIO",
             help="Learning rate of B over that of A (LoRA+), such as 16; lower --lr with it."),
    click.option("--targets", metavar="PART,…", callback=_names,
                 shell_complete=completing.words("language", "projector", "vision"),
                 help="Parts that are trained: language, projector, vision; by default all."),
    click.option("--modules-to-save", metavar="NAME,…", callback=_names,
                 help="Parts or modules that are trained whole beside the LoRA, such as projector; none by default."),
)  # fmt: skip
@grouped(
    "Rewards",
    _setting("--objective", type=click.Choice(get_args(Objective)),
             help="Learn the right answers, or from rewards for drawn ones."),
    _setting("--group", metavar="N", type=int, help="Of grpo: dialogues that are drawn about an image each time."),
    _setting("--kl", metavar="WEIGHT", type=float,
             help="Of grpo: how strongly answers are held to those of the model at the start."),
    _setting("--grpo-loss", type=click.Choice(get_args(GrpoLoss)),
             help="Of grpo: dr-grpo has no bias by length and difficulty."),
    _setting("--reward-partial", metavar="REWARD", type=float,
             help="Of grpo: for a label with one right emotion of two."),
    _setting("--reward-invalid", metavar="REWARD", type=float,
             help="Of grpo: for no label; the right one has 1, a wrong one 0."),
    _setting("--reward-length", metavar="REWARD", type=float,
             help="Of grpo: taken away for each token of an answer."),
)  # fmt: skip
@grouped(
    "Selection",
    _setting("--dev", metavar="PART", type=float,
             help="Part of each train split kept to select by (by subject where known); 0 for none."),
    _setting("--evaluations", metavar="N", type=int,
             help="How often the dev part is evaluated, and a checkpoint saved."),
    click.option("--patience", metavar="N", type=int,
                 help="Stop after N evaluations without a better dev UAR; by default never."),
)  # fmt: skip
@grouped(
    OUTPUT,
    click.option("--output", metavar="DIR", type=click.Path(path_type=Path),
                 help="Where the adapter goes; by default a folder below adapters/."),
    overwrite_option,
    click.option("--export", type=click.Choice(["published"]),
                 help="Also write the published script's layout; by default PEFT's alone."),
    click.option("--dry-run", is_flag=True, help="Show examples, tokens, parameters and memory, and stop."),
)  # fmt: skip
@checks_versions
def command(
    strategies: tuple[str, ...],
    datasets: tuple[str, ...],
    assignments: tuple[str, ...],
    fields: tuple[str, ...],
    export: str | None,
    dry_run: bool,
    **rest: Any,
) -> None:
    """Train a LoRA adapter (or, with --full, a whole model) on a strategy's questions.

    Questions and right answers come from the strategy itself. A part of each train split is kept to select the best
    checkpoint by; test splits are never touched. The same command resumes a training that was stopped. Under
    torchrun the same command trains on several devices: torchrun --nproc-per-node 2 -m coabench train …

    A default in parentheses is one that a --preset may change.
    """
    from coabench.cli.progress import TrainingTerminal
    from coabench.training.plan import Training, check
    from coabench.training.stages import plans, train_all

    request = Training(
        strategies=strategies,
        datasets=datasets,
        settings={field.name: rest.pop(field.name) for field in dataclasses.fields(Recipe)},
        options=parse_assignments(assignments),
        trainer=parse_assignments(fields, option="--trainer"),
        published=export is not None,
        command=("coabench", *sys.argv[1:]),
        **rest,
    )
    with first_process("the same command continues from the last checkpoint") as first:
        if dry_run:
            from coabench.training.estimate import describe_plan

            for stage, plan in plans(request) if request.stages else [("", check(request))]:
                facts = [*([("stage", stage)] if stage else []), *describe_plan(plan)]
                write_facts(((name, safe(text)) for name, text in facts), 20)
            return
        done = train_all(request, TrainingTerminal() if first else None)
        if first:
            _summary(rest["backbone"], rest["crop"], done)


def _summary(backbone: str, crop: str | None, done: FinishedTraining) -> None:
    manifest = done.manifest
    dev = manifest.get("dev") or {}
    counts = {name: manifest.get(name) for name in ("examples", "trainable", "selected_step", "steps")}
    texts = {name: NOTHING if count is None else f"{count:,}" for name, count in counts.items()}
    rows = [("examples", texts["examples"]), ("trained parameters", texts["trainable"])]
    shown = sorted(
        (name for name in dev if name.startswith(("uar", "invalid"))), key=lambda name: (name != "uar", name)
    )
    rows += [(f"dev {name}", f"{dev[name]:.2%}") for name in shown]
    rows.append(("step selected", f"{texts['selected_step']} of {texts['steps']}"))
    rows.append(("written to", safe(done.directory)))
    write_facts(((safe(name, 60), value) for name, value in rows), 28)
    click.echo(f"{'to use it':<28} {safe(done.evaluate_command(backbone, crop))}")  # whole, to be copied
