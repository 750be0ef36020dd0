"""The sheet of a sweep: a YAML file that says which options vary, over what, and what a run may use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import product
from pathlib import Path
from typing import Any

from coabench.base.yaml import read_yaml
from coabench.errors import UserError, did_you_mean
from coabench.sweep.settings import (
    DEFAULTS,
    SET,
    Settings,
    known,
    laid,
    matches,
    read_assignment,
    read_settings,
    read_value,
    told,
)

SCHEMA = 1
FIELDS = ("schema", "name", "output", "defaults", "axes", "adjust", "exclude", "include", "resources")
_UNITS = {"": 1, "b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
          "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}  # fmt: skip


@dataclass(frozen=True)
class Resources:
    """What one run takes on a Ray cluster; None where the sheet says nothing.

    Attributes:
        cpus, gpus: how many; a fraction shares one.
        memory: bytes.
    """

    cpus: float | None = None
    gpus: float | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Adjustment:
    """Settings and resources for the runs that match a pattern. What an axis or ``include`` says stays."""

    pattern: Settings
    settings: Settings
    resources: Resources


@dataclass(frozen=True)
class Wanted:
    """One run that the sheet asks for: every option with its value, and what it may use."""

    settings: Settings
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True)
class Sheet:
    """A sweep as its sheet describes it.

    Attributes:
        axes: for each axis its values, each as the settings that it makes.
        include: further single runs, each with its resources.
    """

    path: Path
    name: str
    output: Path
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
        base = laid(DEFAULTS, self.defaults)
        combinations = [laid(*values) for values in product(*self.axes)] if self.axes or not self.include else []
        excluded = [matches_any(laid(base, chosen), self.exclude) for chosen in combinations]
        for i, pattern in enumerate(self.exclude):
            if not any(matches(laid(base, chosen), pattern) for chosen in combinations):
                raise UserError(
                    f"{self.path}: exclude[{i}] fits no combination of the axes",
                    found=shown(pattern),
                    remedy="correct it, or leave it out",
                )
        kept = [chosen for chosen, out in zip(combinations, excluded, strict=True) if not out]
        asked = [*((chosen, Resources()) for chosen in kept), *self.include]
        if not asked:
            raise UserError(f"{self.path}: there is nothing to run", found="every combination is excluded")
        for i, adjustment in enumerate(self.adjust):
            if not any(matches(laid(base, chosen), adjustment.pattern) for chosen, _ in asked):
                raise UserError(
                    f"{self.path}: adjust[{i}] fits no run",
                    found=f"for: {shown(adjustment.pattern)}",
                    remedy="correct it, or leave it out",
                )
        return [self._completed(base, chosen, resources) for chosen, resources in asked]

    def _completed(self, base: Settings, chosen: Settings, resources: Resources) -> Wanted:
        fitting = [a for a in self.adjust if matches(laid(base, chosen), a.pattern)]
        settings = laid(base, *(a.settings for a in fitting), chosen)
        return Wanted(settings, _over(self.resources, *(a.resources for a in fitting), resources))


def read_sheet(path: Path) -> Sheet:
    """Read a sheet.

    Raises:
        UserError: the file cannot be read, a field or an option is unknown, or a value is of the wrong kind.
    """
    data = read_yaml(path, what="sheet")
    for key in data:
        if key not in FIELDS:
            raise UserError(
                f"{path}: unknown field {key!r}",
                expected=", ".join(FIELDS),
                remedy=f"{did_you_mean(str(key), FIELDS)}correct the sheet",
            )
    if data.get("schema", SCHEMA) != SCHEMA:
        raise UserError(f"{path}: schema {data['schema']!r} is unknown", expected=f"schema: {SCHEMA}")
    name = data.get("name", path.stem)
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.+-]*", name):
        raise UserError(f"{path}: name does not fit", expected="a word that can name a folder", found=told(name))
    output = data.get("output", f"results/{name}")
    if not isinstance(output, str) or not output:
        raise UserError(f"{path}: output does not fit", expected="a folder", found=told(output))
    return Sheet(
        path,
        name,
        Path(output).expanduser(),
        read_settings(_mapping(data.get("defaults"), f"{path}: defaults"), f"{path}: defaults"),
        _read_axes(_mapping(data.get("axes"), f"{path}: axes"), f"{path}: axes"),
        [_read_adjustment(entry, where) for entry, where in _entries(data, "adjust", path)],
        [_read_pattern(entry, where) for entry, where in _entries(data, "exclude", path)],
        [_read_included(entry, where) for entry, where in _entries(data, "include", path)],
        _read_resources(data.get("resources"), f"{path}: resources"),
    )


def shown(settings: Settings) -> str:
    """Return settings for people: ``backbone: tiny, set.num_crops: 4``."""
    plain = [f"{name}: {value}" for name, value in settings.items() if name != SET]
    return ", ".join([*plain, *(f"{SET}.{option}: {text}" for option, text in settings.get(SET, {}).items())])


def matches_any(settings: Settings, patterns: Sequence[Settings]) -> bool:
    """Whether one of the patterns fits."""
    return any(matches(settings, pattern) for pattern in patterns)


def _read_axes(data: Mapping[str, Any], where: str) -> list[list[Settings]]:
    axes: list[list[Settings]] = []
    for name, values in data.items():
        known(name, where)
        if name == SET:
            if not isinstance(values, Mapping):
                raise UserError(f"{where}: {SET} cannot be read", expected="a mapping, option: [value, …]",
                                found=told(values), remedy=f"write {SET}: {{num_crops: [4, 16]}}")  # fmt: skip
            for option, texts in values.items():
                place = f"{where}: {SET}.{option}"
                read = [read_assignment(text, place) for text in _axis(texts, place)]
                axes.append([{SET: {str(option): text}} for text in read])
        else:
            place = f"{where}: {name}"
            axes.append([{name: read_value(name, value, place)} for value in _axis(values, place)])
    return axes


def _axis(values: Any, where: str) -> list[Any]:
    if not isinstance(values, list) or not values:
        raise UserError(f"{where} is no axis", expected="a list of values", found=told(values),
                        remedy="write the values in brackets; a single value belongs under 'defaults'")  # fmt: skip
    return values


def _read_adjustment(entry: Any, where: str) -> Adjustment:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("for"), Mapping) or not entry["for"]:
        raise UserError(f"{where} cannot be read", expected="a mapping with 'for': which runs it is about",
                        found=told(entry), remedy="write {for: {backbone: NAME}, batch_size: 4}")  # fmt: skip
    further = {"for": "the runs", "resources": "what they take"}
    return Adjustment(
        _read_pattern(entry["for"], f"{where}: for"),
        read_settings(entry, where, further=further),
        _read_resources(entry.get("resources"), f"{where}: resources"),
    )


def _read_pattern(entry: Any, where: str) -> Settings:
    pattern = read_settings(entry, where)
    if not pattern:
        raise UserError(f"{where} says nothing", expected="options with the values that the runs have")
    return pattern


def _read_included(entry: Any, where: str) -> tuple[Settings, Resources]:
    settings = read_settings(entry, where, further={"resources": "what it takes"})
    return settings, _read_resources(entry.get("resources"), f"{where}: resources")


def _read_resources(data: Any, where: str) -> Resources:
    entry = _mapping(data, where)
    names = [f.name for f in fields(Resources)]
    for name in entry:
        if name not in names:
            raise UserError(f"{where}: there is no resource {name!r}", expected=", ".join(names),
                            remedy=f"{did_you_mean(str(name), names)}correct the sheet")  # fmt: skip
    memory = entry.get("memory")
    return Resources(
        _count(entry.get("cpus"), f"{where}: cpus"),
        _count(entry.get("gpus"), f"{where}: gpus"),
        None if memory is None else _bytes(memory, f"{where}: memory"),
    )


def _count(value: Any, where: str) -> float | None:
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")
    if not number or (value > 1 and value != int(value)):
        raise UserError(f"{where} does not fit", expected="0, a fraction, or a whole number", found=told(value))
    return float(value)


def _bytes(value: Any, where: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", str(value).strip().casefold())
    if found is None or isinstance(value, bool) or found[2] not in _UNITS:
        raise UserError(f"{where} does not fit", expected="bytes, or a size such as 16 GiB", found=told(value))
    return int(float(found[1]) * _UNITS[found[2]])


def _over(*layers: Resources) -> Resources:
    """Return resources laid over one another, the later on top where they say something."""
    made = Resources()
    for layer in layers:
        made = replace(made, **{f.name: v for f in fields(layer) if (v := getattr(layer, f.name)) is not None})
    return made


def _mapping(data: Any, where: str) -> Mapping[str, Any]:
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise UserError(f"{where} cannot be read", expected="a mapping", found=told(data))
    return data


def _entries(data: Mapping[str, Any], name: str, path: Path) -> list[tuple[Any, str]]:
    entries = data.get(name)
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise UserError(f"{path}: {name} cannot be read", expected="a list of mappings", found=told(entries))
    return [(entry, f"{path}: {name}[{i}]") for i, entry in enumerate(entries)]
