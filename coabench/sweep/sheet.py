"""The sheet of a sweep: a YAML file that says which options vary, over what, and what a run may use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import product
from pathlib import Path
from types import GenericAlias
from typing import Annotated, Any, Literal, get_args, get_origin

from coabench.base.reading import user_path
from coabench.base.schema import At, Read, Text, Unfit, must, read_fields, read_file, read_value
from coabench.errors import UserError
from coabench.sweep.jobs import KINDS
from coabench.sweep.kind import Kind
from coabench.sweep.settings import Options, Settings, matches, merged
from coabench.training.asha import Asha

SCHEMA = 1
_UNITS = {"": 1, "b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
          "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}  # fmt: skip


def _bytes(size: str | float) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", str(size).strip().casefold())
    if match is None or match[2] not in _UNITS:
        raise Unfit("bytes, or a size such as 16 GiB")
    return int(float(match[1]) * _UNITS[match[2]])


Count = Annotated[float, must(lambda n: 0 <= n <= 1 or (n > 1 and n.is_integer()), "0, a fraction, or a whole number")]


@dataclass(frozen=True)
class Resources:
    """What one run takes on a Ray cluster; None where the sheet leaves it open.

    Attributes:
        cpus, gpus: how many; a fraction shares one.
        memory: bytes.
    """

    cpus: Count | None = None
    gpus: Count | None = None
    memory: Annotated[int, Read(_bytes, str | int | float)] | None = None


@dataclass(frozen=True)
class Adjustment:
    """Settings and resources for the runs that match a pattern. What an axis or ``include`` sets stays."""

    pattern: Settings
    settings: Settings
    resources: Resources


@dataclass(frozen=True)
class Wanted:
    """One run of the sheet: every option with its value, and what it may use."""

    settings: Settings
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True)
class Sheet:
    """A sweep as its sheet describes it.

    Attributes:
        kind: what every combination becomes.
        asha: by which hopeless trainings are stopped early; None for never.
        axes: for each axis its values, each as the settings that it makes.
        include: further single runs, each with its resources.
    """

    path: Path
    kind: Kind
    name: str
    output: Path
    asha: Asha | None
    defaults: Settings
    axes: Sequence[Sequence[Settings]]
    adjust: Sequence[Adjustment]
    exclude: Sequence[Settings]
    include: Sequence[tuple[Settings, Resources]]
    resources: Resources

    def wanted(self) -> list[Wanted]:
        """Return the runs: every combination of the axes that is not excluded, the last axis fastest; then `include`.

        Raises:
            UserError: nothing is left, or a pattern of ``exclude`` or ``adjust`` fits nothing.
        """
        base = merged(self.kind.options.defaults, self.defaults)
        combinations = [merged(*values) for values in product(*self.axes)] if self.axes or not self.include else []
        excluded = [any(matches(merged(base, chosen), pattern) for pattern in self.exclude) for chosen in combinations]
        for i, pattern in enumerate(self.exclude):
            if not any(matches(merged(base, chosen), pattern) for chosen in combinations):
                raise UserError(
                    f"{self.path}: exclude[{i}] fits no combination of the axes",
                    found=text_of(pattern),
                    remedy="correct it, or leave it out",
                )
        kept = [chosen for chosen, out in zip(combinations, excluded, strict=True) if not out]
        runs = [*((chosen, Resources()) for chosen in kept), *self.include]
        if not runs:
            raise UserError(f"{self.path}: there is nothing to run", found="every combination is excluded")
        for i, adjustment in enumerate(self.adjust):
            if not any(matches(merged(base, chosen), adjustment.pattern) for chosen, _ in runs):
                raise UserError(
                    f"{self.path}: adjust[{i}] fits no run",
                    found=f"for: {text_of(adjustment.pattern)}",
                    remedy="correct it, or leave it out",
                )
        return [self._completed(base, chosen, resources) for chosen, resources in runs]

    def _completed(self, base: Settings, chosen: Settings, resources: Resources) -> Wanted:
        fitting = [a for a in self.adjust if matches(merged(base, chosen), a.pattern)]
        settings = merged(base, *(a.settings for a in fitting), chosen)
        return Wanted(settings, _merged_resources(self.resources, *(a.resources for a in fitting), resources))


@dataclass(frozen=True)
class SheetFields:
    """A sheet as it is written; options are read by `Options`."""

    job: Literal["evaluate", "train"] = "evaluate"
    name: Annotated[str, must(re.compile(r"\w[\w.+-]*").fullmatch, "a word that can name a folder")] = ""
    output: Annotated[Path, Read(Path, Text)] | None = None
    asha: Asha | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    axes: Mapping[str, Any] = field(default_factory=dict)
    adjust: tuple[Mapping[str, Any], ...] = ()
    exclude: tuple[Mapping[str, Any], ...] = ()
    include: tuple[Mapping[str, Any], ...] = ()
    resources: Resources = field(default_factory=Resources)


def read_sheet(path: Path) -> Sheet:
    """Read a sheet.

    Raises:
        UserError: the file cannot be read, a field or an option is unknown, or a value is of the wrong kind.
    """
    written, at = read_file(SheetFields, path, "sheet", schema=SCHEMA), At(path, "correct the sheet")
    name = written.name or path.stem
    kind = KINDS[written.job]
    reader = _Reader(kind.options)
    if written.asha is not None and written.job != "train":
        raise at.field("asha").wrong("only trainings are stopped early", "job: train", remedy="leave 'asha' out")
    return Sheet(
        path,
        kind,
        name,
        user_path(written.output or kind.parent / name),
        written.asha,
        kind.options.read(written.defaults, at.field("defaults")),
        reader.axes(written.axes, at.field("axes")),
        [reader.adjustment(entry, at.field("adjust").item(i)) for i, entry in enumerate(written.adjust)],
        [reader.pattern(entry, at.field("exclude").item(i)) for i, entry in enumerate(written.exclude)],
        [reader.included(entry, at.field("include").item(i)) for i, entry in enumerate(written.include)],
        written.resources,
    )


def text_of(settings: Settings) -> str:
    """Return settings for people: ``backbone: tiny, set.num_crops: 4``."""
    plain = {name: value for name, value in settings.items() if not isinstance(value, Mapping)}
    assigned = {
        f"{name}.{option}": text
        for name, value in settings.items()
        if isinstance(value, Mapping)
        for option, text in value.items()
    }
    return ", ".join(f"{name}: {value}" for name, value in {**plain, **assigned}.items())


@dataclass(frozen=True)
class _Reader:
    """Reads the parts of a sheet that hold options."""

    options: Options

    def axes(self, data: Mapping[str, Any], at: At) -> list[list[Settings]]:
        axes: list[list[Settings]] = []
        for name, values in data.items():
            kind, here = self.options.kind_of(name, at), at.field(name)
            if get_origin(kind) is Mapping:
                options: Mapping[str, Any] = read_value(Mapping[str, Any], values, here)
                for option, listed in options.items():
                    read = _read_axis(get_args(kind)[1], listed, here.field(option))
                    axes.append([{name: {option: value}} for value in read])
            else:
                axes.append([{name: value} for value in _read_axis(kind, values, here)])
        return axes

    def adjustment(self, entry: Mapping[str, Any], at: At) -> Adjustment:
        pattern = entry.get("for")
        if not isinstance(pattern, Mapping):
            raise at.wrong("nothing says which runs it is about", "a mapping with 'for'",
                           remedy="write {for: {backbone: NAME}, batch_size: 4}")  # fmt: skip
        settings = self.options.read(entry, at, ("for", "resources"))
        return Adjustment(self.pattern(pattern, at.field("for")), settings, _resources(entry, at))

    def pattern(self, entry: Mapping[str, Any], at: At) -> Settings:
        pattern = self.options.read(entry, at)
        if not pattern:
            raise at.wrong("there is no option in it", "options with the values that the runs have")
        return pattern

    def included(self, entry: Mapping[str, Any], at: At) -> tuple[Settings, Resources]:
        return self.options.read(entry, at, ("resources",)), _resources(entry, at)


def _read_axis(kind: Any, values: Any, at: At) -> tuple[Any, ...]:
    if not isinstance(values, list) or not values:
        raise at.bad(values, "a list of values", "write them in brackets; a single value belongs under 'defaults'")
    read: tuple[Any, ...] = read_value(GenericAlias(tuple, (kind, ...)), values, at)
    return read


def _resources(entry: Mapping[str, Any], at: At) -> Resources:
    return read_fields(Resources, entry.get("resources") or {}, at.field("resources"))


def _merged_resources(*layers: Resources) -> Resources:
    """Return resources merged, a later layer over an earlier one where it names a number."""
    made = Resources()
    for layer in layers:
        made = replace(made, **{f.name: v for f in fields(layer) if (v := getattr(layer, f.name)) is not None})
    return made
