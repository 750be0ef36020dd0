"""Files that no ``--output`` takes the place of: those of runs and other jobs, and what the command itself reads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from coabench.errors import UserError


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
        for manifest, kind, contents in _kinds():
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


def _kinds() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield the manifest of each kind of folder, what the folder holds, and the names that belong to it."""
    from coabench.cropping.card import CARD
    from coabench.cropping.job import MANIFEST as CROPS
    from coabench.cropping.originals import LOG, ROOT
    from coabench.robustness.folder import FILE as STRESS
    from coabench.runs.run import Run
    from coabench.training.files import CONFIG, WEIGHTS, TrainingFolder

    for job in (Run, TrainingFolder):
        yield job.declared.file, job.declared.kind, job.contents
    yield CONFIG, "adapter", (CONFIG, WEIGHTS)
    yield STRESS, "stress", (STRESS,)
    yield CROPS, "cropped data set", (CROPS, LOG, ROOT, CARD)
