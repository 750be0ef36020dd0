"""The sheets of conditions: those that ship, and a user's own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from coabench.base.reading import user_path
from coabench.base.schema import At, NotEmpty, Read, Text, read_file
from coabench.errors import UserError, did_you_mean
from coabench.registry.loader import get_plugins
from coabench.registry.options import parse_component, spell_component
from coabench.registry.rewrites import find_rewrite
from coabench.registry.transforms import SEVERITY, find_transform, spell_severities
from coabench.robustness.conditions import CLEAN, Condition, Name

SCHEMA = 1
FOLDER = Path(__file__).with_name("suites")


def _several(written: str | tuple[str, ...]) -> tuple[str, ...]:
    return (written,) if isinstance(written, str) else written


Specs = Annotated[tuple[Text, ...], Read(_several, Text | tuple[Text, ...])]
"""One, or a list of those that follow one another."""


@dataclass(frozen=True)
class Entry:
    """An entry of a sheet: one condition, or several of one family.

    Attributes:
        name, family: that of its first component by default.
        transform, rewrite: as ``--transform`` and ``--rewrite`` take them.
        severities: of its only transform: which of them, one condition each.
        rotations: all orders that ``order:rotate=`` makes of the longest list of options, one condition each.
    """

    name: Name | None = None
    family: Name | None = None
    transform: Specs = ()
    rewrite: Specs = ()
    severities: Literal["all"] | Annotated[tuple[int, ...], NotEmpty] | None = None
    rotations: Literal["all"] | None = None


@dataclass(frozen=True)
class _Sheet:
    """A suite as it is written."""

    name: Name | None = None
    include: tuple[str, ...] = ()
    conditions: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Suite:
    """A suite.

    Attributes:
        own: whether the user wrote it.
    """

    path: Path
    name: str
    own: bool
    entries: tuple[tuple[Entry, At], ...]

    def conditions(self, most_options: int) -> list[Condition]:
        """Return its conditions, the clean one first.

        Args:
            most_options: how many the longest list of options has that the strategy asks about; 0 for none.

        Raises:
            UserError: an entry that stands for nothing, a component that there is none of, a name twice.
        """
        made = [Condition(CLEAN, CLEAN)]
        for entry, at in self.entries:
            made += _expanded(entry, at, most_options)
        if twice := [name for name, count in Counter(condition.name for condition in made).items() if count > 1]:
            raise (
                At(self.path, "correct the suite")
                .field("conditions")
                .wrong(
                    "several conditions have one name",
                    f"a 'name' of its own for each; {CLEAN!r} is the one in which nothing is changed",
                    found=", ".join(twice),
                )
            )
        return made


def shipped_suites() -> list[str]:
    """Return the names of the suites that ship."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def find_suite(text: str) -> Suite:
    """Return the suite of ``--suite``: one that ships, by its name, or a sheet.

    Raises:
        UserError: there is none such, or the sheet cannot be read.
    """
    shipped = text in shipped_suites()
    if not (shipped or text.endswith((".yaml", ".yml"))):
        raise UserError(
            f"there is no suite {text!r}",
            expected=f"{', '.join(shipped_suites())}, or a sheet NAME.yaml",
            remedy=f"{did_you_mean(text, shipped_suites())}correct --suite",
        )
    path = FOLDER / f"{text}.yaml" if shipped else user_path(Path(text))
    sheet = read_file(_Sheet, path, "suite", schema=SCHEMA)
    at, entries = At(path, "correct the suite"), list[tuple[Entry, At]]()
    for i, name in enumerate(sheet.include):
        if name not in shipped_suites() or name == text:
            raise at.field("include").item(i).bad(name, f"a suite that ships: {', '.join(shipped_suites())}")
        entries += find_suite(name).entries
    entries += [(entry, at.field("conditions").item(i)) for i, entry in enumerate(sheet.conditions)]
    if not entries:
        raise at.wrong("there are no conditions in it", "'conditions', or 'include'")
    return Suite(path, sheet.name or path.stem, not shipped, tuple(entries))


def _expanded(entry: Entry, at: At, most_options: int) -> Iterator[Condition]:
    """Yield the conditions that an entry stands for."""
    if not (entry.transform or entry.rewrite):
        raise at.wrong("nothing is changed", "'transform' or 'rewrite'")
    if entry.severities is not None:
        yield from _severities(entry, at)
    elif entry.rotations is not None:
        if entry.rewrite != ("order",) or entry.transform:
            raise at.field("rotations").wrong("only the order of options is rotated", "rewrite: order, and no other")
        for rotation in range(1, max(2, most_options)):  # one at least, which says why it cannot be
            spec = f"order:rotate={rotation}"
            yield from _single(replace(entry, name=f"{entry.name or 'order-rotate'}-{rotation}", rewrite=(spec,)), at)
    else:
        yield from _single(entry, at)


def _severities(entry: Entry, at: At) -> Iterator[Condition]:
    if len(entry.transform) != 1 or entry.rewrite or ":" in entry.transform[0]:
        raise at.field("severities").wrong("they are those of one transform", "transform: NAME, and nothing else")
    name = entry.transform[0]
    with _located(at.field("transform")):
        specs = spell_severities(get_plugins().transforms.find(name))
    if not specs:
        raise at.field("severities").wrong(
            f"the transform {name!r} has none", "`coabench list transforms` has which do"
        )
    every = tuple(range(1, len(specs) + 1))
    for number in every if entry.severities == "all" else entry.severities or ():
        if number not in every:
            raise at.field("severities").bad(number, f"1 to {len(specs)}")
        label = f"{entry.name or name}-{number}"
        yield Condition(label, entry.family or entry.name or name, int(number), (specs[int(number) - 1],))


def _single(entry: Entry, at: At) -> Iterator[Condition]:
    transforms, severity = [], None
    for i, text in enumerate(entry.transform):
        with _located(at.field("transform").item(i)):
            component = find_transform(text)
            name, parameters = parse_component(text, "--transform")
        transforms.append(spell_component(name, component.options, whole=True))
        if SEVERITY in parameters and len(entry.transform) == 1 and not entry.rewrite:
            severity = int(parameters[SEVERITY])
    rewrites = []
    for i, text in enumerate(entry.rewrite):
        with _located(at.field("rewrite").item(i)):
            rewrites.append(find_rewrite(text).spec)
    specs = [*entry.transform, *entry.rewrite]
    names = [spec.partition(":")[0] for spec in specs]
    name = entry.name or "+".join(re.sub(r"[^\w.-]+", "-", spec).strip("-") for spec in specs)
    yield Condition(name, entry.family or "+".join(names), severity, tuple(transforms), tuple(rewrites))


@contextmanager
def _located(at: At) -> Iterator[None]:
    """Say in which place of a sheet stands what an error is about."""
    try:
        yield
    except UserError as error:
        raise UserError(
            f"{at}: {error.problem}", expected=error.expected, found=error.found, remedy=error.remedy
        ) from None
