"""``coabench synthface``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ENOSPC
from pathlib import Path
from typing import Literal, TypeVar

import click
from click.core import ParameterSource

from coabench.base.reading import exists, is_file, is_folder, what_is_at, why
from coabench.base.text import safe
from coabench.errors import JobError, UserError
from coabench.registry.options import distribute, parse_assignments
from coabench_synthface.difficulty import Difficulty

DESIGNS = ("intensity", "pose", "light", "resolution", "identity", "blends")

AnyDifficulty = TypeVar("AnyDifficulty", bound=Difficulty)

_knobs = click.option(
    "--set", "assignments", metavar="KNOB=VALUE", multiple=True,
    help="A knob of the difficulty, such as strongest=0.7; repeatable.",
)  # fmt: skip
_seed = click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The seed of everything.")
_workers = click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes.")


_design = click.option(
    "--design", type=click.Choice(DESIGNS), help="One thing varies, everything else is the same: see the documentation."
)


@click.group("synthface")
def command() -> None:
    """Render synthetic faces with known expressions."""


@command.command("make")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--subset", type=click.Choice(["both", "basic", "compound"]), default="both", show_default=True)
@click.option("--per-class-train", type=click.IntRange(0), default=100, show_default=True, help="Training images.")
@click.option("--per-class-dev", type=click.IntRange(0), default=0, show_default=True, help="Development images.")
@click.option("--per-class-test", type=click.IntRange(0), default=50, show_default=True, help="Test images.")
@click.option("--per-person", type=click.IntRange(1), default=1, show_default=True, help="Images of the same person.")
@_design
@click.option("--persons", type=click.IntRange(1, 9999), help="Of a design: how many.")
@click.option("--size", type=click.IntRange(32, 1024), help="Of a design: width and height of its pictures; 100.")
@_seed
@_knobs
@_workers
@click.pass_context
def make(
    context: click.Context,
    folder: Path,
    subset: Literal["both", "basic", "compound"],
    per_class_train: int,
    per_class_dev: int,
    per_class_test: int,
    per_person: int,
    design: str | None,
    persons: int | None,
    size: int | None,
    seed: int,
    assignments: tuple[str, ...],
    workers: int,
) -> None:
    """Make a set of synthetic faces in DIR, a new or empty folder."""
    from coabench_synthface.make import make_set

    _check_options(context, design)
    if design is not None:
        _make_design(folder, design, subset, persons, size, seed, workers)
        return
    counts = {"train": per_class_train, "dev": per_class_dev, "test": per_class_test}
    difficulty = _difficulty(assignments, Difficulty)
    with _writing(folder):
        make_set(
            folder,
            basic=counts if subset != "compound" else {},
            compound=counts if subset != "basic" else {},
            seed=seed,
            difficulty=difficulty,
            per_person=per_person,
            workers=workers,
            progress=_Progress(),
        )
    click.echo(safe(folder))


def _make_design(
    folder: Path, design: str, subset: str, persons: int | None, size: int | None, seed: int, workers: int
) -> None:
    from coabench_synthface.make_design import SIZE, make_design
    from coabench_synthface.shipped import SUBSETS_OF

    subsets = [name for name in SUBSETS_OF[design] if subset in (name, "both")]
    if not subsets:
        raise UserError(
            f"there is no {subset} half of the design {design}",
            expected=f"--subset {SUBSETS_OF[design][0]}",
            remedy="leave --subset away",
        )
    if design == "resolution" and size is not None:
        raise UserError(
            "the sizes of the design resolution are its levels", found=f"--size {size}", remedy="leave it away"
        )
    with _writing(folder):
        make_design(
            folder,
            design,
            subsets=subsets,
            seed=seed,
            persons=persons,
            size=size or SIZE,
            workers=workers,
            progress=_Progress(),
        )
    click.echo(safe(folder))
    click.echo(f"evaluate it with --dataset synthface-{design} --data-root {safe(folder)}", err=True)


def _check_options(context: click.Context, design: str | None) -> None:
    """Refuse options that mean something with a design alone, or without one alone."""
    of_designs = ("persons", "size")
    others = ("per_class_train", "per_class_dev", "per_class_test", "per_person", "assignments")
    given = [
        f"--{'set' if name == 'assignments' else name.replace('_', '-')}"
        for name in (of_designs if design is None else others)
        if context.get_parameter_source(name) != ParameterSource.DEFAULT
    ]
    if given:
        raise UserError(
            f"{given[0]} means nothing {'without' if design is None else 'with'} --design",
            remedy=f"leave {given[0]} away" + (", or give --design NAME" if design is None else ""),
        )


@command.command("scenes")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--count", type=click.IntRange(1, 100_000), default=220, show_default=True, help="Scenes.")
@click.option("--subset", type=click.Choice(["basic", "compound"]), default="compound", show_default=True)
@_seed
@_knobs
@_workers
def scenes(folder: Path, count: int, subset: str, seed: int, assignments: tuple[str, ...], workers: int) -> None:
    """Make a data set of whole scenes in DIR: heads that are small, tilted and off the centre, and where they are."""
    from coabench_synthface.scenes import CARD, SceneDifficulty, make_scenes

    difficulty = _difficulty(assignments, SceneDifficulty)
    with _writing(folder):
        make_scenes(
            folder,
            count=count,
            subset=subset,
            seed=seed,
            difficulty=difficulty,
            workers=workers,
            progress=_Progress(),
        )
    click.echo(safe(folder))
    click.echo(f"evaluate them with --dataset {safe(folder / CARD)} --data-root {safe(folder)}", err=True)


@command.command("rebuild")
@click.argument("file", metavar="FILE.zip", type=click.Path(path_type=Path))
@_design
@_workers
def rebuild(file: Path, design: str | None, workers: int) -> None:
    """Render the set (or the design) that comes with coabench anew, as FILE.zip."""
    from coabench_synthface.shipped import rebuild

    with _writing(file):
        rebuild(file, design, workers=workers, progress=_Progress())
    click.echo(safe(file))


@command.command("sheet")
@click.argument("file", metavar="FILE.png", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--persons", type=click.IntRange(1, 20), default=4, show_default=True, help="Images of each class.")
@_seed
@_knobs
def sheet(file: Path, persons: int, seed: int, assignments: tuple[str, ...]) -> None:
    """Draw a labelled contact sheet of all 18 classes."""
    from coabench_synthface.sheet import draw_sheet

    if file.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError(f"{file} is no name of a picture", expected="FILE.png or FILE.jpg", remedy="change its ending")
    difficulty = _difficulty(assignments, Difficulty)
    with _writing(file):
        draw_sheet(file, seed=seed, persons=persons, difficulty=difficulty)
    click.echo(safe(file))


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Say in words why *path* cannot be written: `JobError` where the disk is full, else `UserError`."""
    if exists(path) and not (is_file(path) or is_folder(path)):
        raise UserError(f"{path} cannot be written", found=what_is_at(path), remedy="choose another name")
    try:
        with suppress(FileNotFoundError):
            path.lstat()  # a name that no file can have fails here, and not after minutes of drawing
        yield
    except OSError as error:
        kind, remedy = (JobError, "make room") if error.errno == ENOSPC else (UserError, "choose another name")
        raise kind(f"{path} cannot be written", found=why(error), remedy=remedy) from None


def _difficulty(assignments: tuple[str, ...], kind: type[AnyDifficulty]) -> AnyDifficulty:
    knobs = distribute(parse_assignments(assignments), {"difficulty": kind})["difficulty"]
    assert isinstance(knobs, kind)
    return knobs


class _Progress:
    """A line on stderr: renewed in a terminal, a new one every ten seconds in a file."""

    def __init__(self) -> None:
        self._began = self._printed = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now, tty = time.monotonic(), sys.stderr.isatty()
        if done < total and now - self._printed < (0.2 if tty else 10):
            return
        self._printed = now
        speed = done / max(now - self._began, 1e-9)
        text = f"{done:,}/{total:,} images  {speed:.0f}/s  {(total - done) / speed:.0f} s left"
        end = "\n" if done == total or not tty else ""
        print(f"\r{text:<60}" if tty else text, end=end, file=sys.stderr, flush=True)
