"""Files that no ``--output`` takes the place of: those of runs and other jobs, and what the command itself reads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from coabench.errors import UserError

KINDS = (
    ("run.json", "run", ("run.json", "predictions.jsonl", "metrics.json", "pending", "parts", ".lock")),
    ("training.json", "training", ("training.json", "training.jsonl", "checkpoints", "tensorboard", ".lock")),
    ("adapter_config.json", "adapter", ("adapter_config.json", "adapter_model.safetensors")),
    ("stress.json", "stress", ("stress.json",)),
    ("crops.json", "cropped data set", ("crops.json", "crops.jsonl", "originals.json", "card.yaml")),
)
"""Of each kind of folder its manifest, what it holds, and the names that belong to it. They stand here, and a test
compares them: the modules that write these folders import torch and cv2, and every command imports this one."""


class OutputFile(click.Path):
    """A file that a command writes whole; `coabench.cli.command.Command` checks that nothing is lost by it."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)


def check_outputs(ctx: click.Context) -> None:
    """Check what the command line gives to every option that is an `OutputFile`; `UserError` as in `check_output`."""
    parameters = ctx.command.get_params(ctx)
    outputs = [each for each in parameters if isinstance(each.type, OutputFile)]
    read = [ctx.params.get(str(each.name)) for each in parameters if each not in outputs]
    for parameter in outputs:
        if (path := ctx.params.get(str(parameter.name))) is not None:
            check_output(path, parameter.opts[0], _paths(read))


def check_output(path: Path, option: str = "--output", read: Iterable[Path] = ()) -> None:
    """Refuse to write *path* in place of a file that is needed.

    Args:
        option: what names it.
        read: what the command reads.

    Raises:
        UserError: it is a file of a run, a training, an adapter, a stress or a cropped data set, or one of *read*.
    """
    remedy = f"choose another {option}"
    if any(_is_same(path, each) for each in read):
        raise UserError(f"{option} {path} is a file that this command reads", remedy=remedy)
    real = Path(os.path.realpath(path))
    for folder in real.parents:
        for manifest, kind, contents in KINDS:
            if real.relative_to(folder).parts[0] in contents and os.path.lexists(folder / manifest):
                raise UserError(f"{option} {path} is a file of the {kind} in {folder}", remedy=remedy)


def _is_same(path: Path, other: Path) -> bool:
    try:
        return os.path.samefile(path, other)  # noqa: PTH121  # which raises for no name
    except (OSError, ValueError):
        return False


def _paths(values: Iterable[Any]) -> Iterator[Path]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _paths(value)
        elif isinstance(value, str | os.PathLike) and value:
            yield Path(value)
