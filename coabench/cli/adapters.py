"""``coabench adapters``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from coabench.base.text import plural, safe
from coabench.cli import completing
from coabench.cli.command import MODEL, OUTPUT, Group, grouped
from coabench.cli.options import format_option, output_option
from coabench.cli.output import write, write_facts, write_tables
from coabench.errors import UserError
from coabench.render.tables import Column, Format, Section

base_option = grouped(MODEL, click.option(
    "--backbone", metavar="NAME[:MODEL]", help="Its base; by default the one that its training names.",
    shell_complete=completing.backbones,
))  # fmt: skip


@click.group("adapters", cls=Group)
def command() -> None:
    """Show, compare, average, export and publish adapters."""


@command.command("export", examples=(
    ("as PEFT reads it", "coabench adapters export adapters/mine --as peft"),
    ("base and adapter as one checkpoint", "coabench adapters export adapters/mine --as merged --output mine-merged"),
))  # fmt: skip
@click.argument("adapter", shell_complete=completing.trained)
@grouped(OUTPUT, click.option(
    "--as", "layout", type=click.Choice(["published", "peft", "merged"]), required=True,
    help="The published script's layout, PEFT's, or a whole checkpoint.",
))  # fmt: skip
@base_option
@grouped(OUTPUT, click.option(
    "--output", metavar="DIR", type=click.Path(path_type=Path), help="A new folder; ADAPTER-LAYOUT here by default."
))  # fmt: skip
def export(adapter: str, layout: str, backbone: str | None, output: Path | None) -> None:
    """Write an adapter, a folder or a hub id, in another layout."""
    from typing import cast

    from coabench.adapters.export import Layout
    from coabench.adapters.export import export as convert
    from coabench.support.hub import folder_of

    folder = folder_of(adapter, "adapter")
    output = output or Path(f"{folder.resolve().name}-{layout}")
    for note in convert(folder, cast("Layout", layout), output, backbone):
        click.echo(f"note: {safe(note)}", err=True)
    click.echo(f"written to {safe(output)}")


@command.command("show", examples=(
    ("an adapter in a folder", "coabench adapters show adapters/mine"),
    ("one of the hub", "coabench adapters show owner/name"),
))  # fmt: skip
@click.argument("adapter", shell_complete=completing.trained)
def show(adapter: str) -> None:
    """Show what an adapter is, from what, on what, and how it did."""
    from coabench.adapters.show import describe
    from coabench.support.hub import folder_of

    write_facts(((safe(name, 40), safe(text)) for name, text in describe(folder_of(adapter, "adapter"))), 20)


@command.command("compare", examples=(
    ("two adapters", "coabench adapters compare adapters/first adapters/second"),
    ("all of their modules, for a program",
     "coabench adapters compare adapters/first adapters/second --modules 1000 --format csv"),
))  # fmt: skip
@click.argument("adapter", shell_complete=completing.trained)
@click.argument("other", shell_complete=completing.trained)
@grouped(OUTPUT, click.option(
    "--modules", metavar="N", type=click.IntRange(min=0), default=5, show_default=True,
    help="How many modules to show, those furthest apart first.",
))  # fmt: skip
@format_option
def compare(adapter: str, other: str, modules: int, format: Format) -> None:
    """Compare the settings and the updates of two adapters.

    The cosine of the updates of a module is 1 where they differ in size alone.
    """
    from coabench.adapters.compare import compare as compared
    from coabench.support.hub import folder_of

    lines, rows = compared(folder_of(adapter, "adapter"), folder_of(other, "adapter"))
    if format == "table":
        for line in lines or ["the settings are the same"]:
            click.echo(safe(line))
    columns = [Column("module"), *(Column(name, align="right") for name in ("cosine", "norm", "other norm"))]
    rounded = [{k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()} for row in rows[: modules + 1]]
    write_tables([Section(columns, rounded)], format)


@command.command("soup", examples=(
    ("the mean of two adapters", "coabench adapters soup adapters/first adapters/second"),
    ("of three, without those that lower the dev UAR",
     "coabench adapters soup adapters/a adapters/b adapters/c --greedy --output greedy-soup"),
))  # fmt: skip
@click.argument("adapters", nargs=-1, required=True, shell_complete=completing.trained)
@grouped(
    "Selection",
    click.option("--greedy", is_flag=True,
                 help="Add one after the other, the best first, as long as the dev UAR does not fall."),
    click.option("--dataset", metavar="NAME|CARD.yaml",
                 help="Of --greedy: whose development part to select by; all they learnt from by default.",
                 shell_complete=completing.datasets),
    click.option("--split", metavar="NAME",
                 help="Of --greedy: a whole split of --dataset, which none has learnt from; by default its "
                      "development part.",
                      shell_complete=completing.splits),
    click.option("--data-root", metavar="PATH", type=click.Path(path_type=Path),
                 help="Of --greedy: the folder or file of the data set; by default where its card says."),
    click.option("--backbone", metavar="NAME[:MODEL]",
                 help="Of --greedy: the base; by default the one of the training.",
                 shell_complete=completing.backbones),
    click.option("--strategy", "strategies", metavar="NAME[:VARIANT]|FILE.yaml", multiple=True,
                 help="Of --greedy: the questions of the trainings, where they came from a file; repeatable.",
                 shell_complete=completing.strategies),
    click.option("--device", metavar="NAME", help="Of --greedy: where the model runs; auto by default, cpu, cuda …",
                 shell_complete=completing.words("auto", "cpu", "cuda")),
)  # fmt: skip
@grouped(
    OUTPUT,
    click.option("--output", metavar="DIR", type=click.Path(path_type=Path), default=Path("soup"), show_default=True,
                 help="A new folder for the adapter."),
)  # fmt: skip
def soup(adapters: tuple[str, ...], greedy: bool, output: Path, **choice: Any) -> None:
    """Write the mean of the updates of several LoRAs as one.

    They must be of the same base and modules; the rank is the sum of theirs. With --greedy those are left out that
    lower the UAR on images that none was fitted on: what their development parts have in common, or another split.
    """
    from coabench.support.hub import folder_of

    folders = [folder_of(adapter, "adapter") for adapter in adapters]
    chosen = {name: value for name, value in choice.items() if value not in (None, ())}
    if greedy:
        _greedy(folders, output, chosen)
        return
    if chosen:
        option = "--" + min(chosen).replace("strategies", "strategy").replace("_", "-")
        raise UserError(f"{option} has no effect on a uniform soup", remedy=f"add --greedy, or leave out {option}")
    from coabench.adapters.soup import soup as mix

    rank = mix(folders, output)
    click.echo(f"the mean of {len(adapters)} adapters, of rank {rank}: written to {safe(output)}")


def _greedy(folders: list[Path], output: Path, chosen: dict[str, Any]) -> None:
    from coabench.adapters.greedy import Choice, greedy_soup

    made = greedy_soup(folders, output, Choice(**chosen), lambda line: click.echo(safe(line), err=True))
    for note in made.notes:
        click.echo(f"note: {safe(note)}", err=True)
    columns = [Column("adapter"), *(Column(name, align="right") for name in ("UAR", "soup with it")), Column("")]
    rows = [
        {
            "adapter": safe(step.adapter),
            "UAR": f"{step.uar:.2%}",
            "soup with it": f"{step.soup_uar:.2%}",
            "": "taken" if step.taken else "left out",
        }
        for step in made.steps
    ]
    write_tables([Section(columns, rows)])
    on = "; ".join(f"{p['dataset']}, {p['split']}: {plural(p['samples'], 'image')}" for p in made.selected_on)
    click.echo(f"selected on {safe(on)}")
    taken = sum(step.taken for step in made.steps)
    click.echo(f"the mean of {taken} of {len(folders)} adapters, of rank {made.rank}: written to {safe(output)}")


@command.command("card", examples=(
    ("a card with the figures of a run, into a file",
     "coabench adapters card adapters/mine --run results/my-run --output README.md"),
    ("publish it with the adapter, privately", "coabench adapters card adapters/mine --push owner/name"),
))  # fmt: skip
@click.argument("adapter", shell_complete=completing.trained)
@base_option
@grouped(
    OUTPUT,
    click.option("--run", "runs", metavar="RUN", type=click.Path(path_type=Path), multiple=True,
                 help="A complete run of it, whose figures the card has; repeatable.",
                 shell_complete=completing.runs),
    output_option,
    click.option("--push", "repository", metavar="OWNER/NAME",
                 help="Commit adapter and card to a repository of the hub, a private one where it is new."),
)  # fmt: skip
def card(
    adapter: str, runs: tuple[Path, ...], backbone: str | None, output: Path | None, repository: str | None
) -> None:
    """Write a model card, with figures of complete runs.

    Nothing leaves this machine without --push.
    """
    from coabench.adapters.card import card as describe
    from coabench.support.hub import folder_of

    folder = folder_of(adapter, "adapter")
    text = describe(folder, runs, backbone)
    if repository is None or output is not None:
        write(text, output)
    if repository is not None:
        from coabench.adapters.push import push

        click.echo(f"pushed: {safe(push(folder, repository, text))}")
