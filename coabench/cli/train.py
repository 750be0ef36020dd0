"""``coabench train``."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from coabench.base.text import NOTHING, safe
from coabench.cli.options import crop_option, device_option, fold_option, fold_seed_option, load_option, set_option
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


@click.command("train")
@click.option("--backbone", metavar="NAME[:MODEL]", default=BACKBONE, show_default=True, help="The model.")
@click.option("--strategy", "strategies", metavar="NAME[:VARIANT]|FILE.yaml", multiple=True,
              default=(STRATEGY,), show_default=True, help="Whose questions; repeatable.")  # fmt: skip
@click.option("--dataset", "datasets", metavar="NAME|CARD.yaml[:WEIGHT]", multiple=True, default=DATASETS,
              show_default=True,
              help="Whose train split to learn from; repeatable. NAME:2 is seen twice as often.")  # fmt: skip
@click.option("--data-root", type=click.Path(path_type=Path), help="The folder or file that holds the data sets.")
@crop_option
@click.option("--augment", metavar="NAME[:KEY=VALUE,…]", multiple=True,
              help="Augment the training images, at random each time: random-… of `coabench list "
                   "transforms`; repeatable, in order.")  # fmt: skip
@click.option("--from", "start", metavar="ADAPTER", type=click.Path(path_type=Path),
              help="An adapter that coabench trained, to begin with.")  # fmt: skip
@click.option("--stages", type=click.Path(path_type=Path), metavar="FILE.yaml",
              help="Train in stages, each with its data, epochs and learning rate, on one adapter.")  # fmt: skip
@click.option("--objective", type=click.Choice(get_args(Objective)),
              help="Learn the right answers (supervised, the default), or from rewards for drawn ones.")  # fmt: skip
@click.option("--group", type=int, help="Of grpo: dialogues that are drawn about an image each time.")
@click.option("--kl", type=float, help="Of grpo: how strongly answers are held to those of the model at the start.")
@click.option("--grpo-loss", type=click.Choice(get_args(GrpoLoss)),
              help="Of grpo: dr-grpo has no bias by length and difficulty.")  # fmt: skip
@click.option("--reward-partial", type=float, help="Of grpo: for a label with one right emotion of two.")
@click.option("--reward-invalid", type=float, help="Of grpo: for no label; the right one has 1, a wrong one 0.")
@click.option("--reward-length", type=float, help="Of grpo: taken away for each token of an answer.")
@click.option("--preset", metavar="NAME", help="A recipe of the backbone, such as published; options change it.")
@click.option("--full/--lora", default=None, help="Train every parameter instead of a LoRA.")
@click.option("--rank", type=int, help="Rank of the LoRA.")
@click.option("--alpha", type=float, help="Alpha of the LoRA: its update is alpha / rank * B A.")
@click.option("--dropout", type=float, help="Dropout of the LoRA.")
@click.option("--dora/--no-dora", default=None, help="Learn lengths and directions of the weights apart (DoRA).")
@click.option("--rslora/--no-rslora", default=None,
              help="Scale the update by alpha / sqrt(rank) (rsLoRA); lower --alpha with it.")  # fmt: skip
@click.option("--lora-plus", type=float, metavar="RATIO",
              help="Learning rate of B over that of A (LoRA+), such as 16; lower --lr with it.")  # fmt: skip
@click.option("--targets", metavar="PART,…", callback=_names,
              help="Parts that are trained: language, projector, vision; all.")  # fmt: skip
@click.option("--modules-to-save", metavar="NAME,…", callback=_names,
              help="Parts or modules that are trained whole beside the LoRA, such as projector.")  # fmt: skip
@click.option("--mirror/--no-mirror", default=None, help="Show images mirrored half of the time.")
@click.option("--ambiguous/--unambiguous", default=None,
              help="Train on questions with several right answers too (stage 1 on compound images).")  # fmt: skip
@click.option("--balance", type=click.Choice(get_args(Balance)),
              help="Make up for rare answers: by the loss, or by how often they are seen.")  # fmt: skip
@click.option("--balance-beta", type=float, help=f"Beta of --balance effective-number; {BETA} by default.")
@click.option("--epochs", type=float, help="How often every question is seen.")
@click.option("--steps", type=int, help="Optimizer steps, instead of --epochs.")
@click.option("--batch-size", type=int, help="Questions per optimizer step, over all processes.")
@click.option("--share/--no-share", default=None,
              help="Questions about an image share a step; without, batches are the published script's.")  # fmt: skip
@click.option("--micro-batch", type=click.IntRange(min=1), help="Questions per forward pass and process.")
@click.option("--lr", "learning_rate", type=float, help="Learning rate of AdamW.")
@click.option("--part-lr", metavar="PART=LR", multiple=True, callback=_rates,
              help="Learning rate of one part, such as vision=2e-5; repeatable.")  # fmt: skip
@click.option("--schedule", help="A scheduler of transformers: cosine, linear, constant …")
@click.option("--warmup", type=float, help="Fraction of the steps in which the learning rate rises.")
@click.option("--weight-decay", type=float, help="Of AdamW.")
@click.option("--checkpointing/--no-checkpointing", default=None, help="Less memory, a third more time.")
@click.option("--dev", type=float, help="Fraction of train kept to select by (by subject where known); 0 for none.")
@click.option("--evaluations", type=int, help="How often the development part is evaluated, and a checkpoint saved.")
@click.option("--patience", type=int, help="Stop after so many evaluations without a better dev UAR.")
@device_option
@click.option("--dtype", type=click.Choice(DTYPES), help="Of the arithmetic.")
@load_option
@click.option("--seed", type=int, default=SEED, show_default=True, help="Of the order, the LoRA and the dev part.")
@fold_option
@fold_seed_option
@set_option
@click.option("--trainer", "fields", metavar="KEY=VALUE", multiple=True,
              help="A further field of transformers' TrainingArguments; repeatable.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path), help="Where the adapter goes; below adapters/ by default.")
@click.option("--overwrite", is_flag=True, help="Delete the training that is in the output directory.")
@click.option("--export", type=click.Choice(["published"]), help="Also write the published script's layout.")
@click.option("--dry-run", is_flag=True, help="Show examples, tokens, parameters and memory, and stop.")
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
    checkpoint by; test splits are never touched. The same command goes on where a killed training stopped. Under
    torchrun the same command trains on several devices: torchrun --nproc-per-node 2 -m coabench train …
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
                for name, text in [*([("stage", stage)] if stage else []), *describe_plan(plan)]:
                    click.echo(f"{name:<20} {safe(text)}")
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
    for name, value in rows:
        click.echo(f"{safe(name, 60):<28} {value}")
    click.echo(f"{'written to':<28} {safe(done.directory)}")
    click.echo(f"{'to use it':<28} {safe(done.evaluate_command(backbone, crop))}")
