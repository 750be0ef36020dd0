"""What the package's own metadata asks for: the supported range of every package, what was tested, and the extras."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, version
from typing import TYPE_CHECKING

from coabench.base.shipped import CHECKOUT

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DISTRIBUTION = "coabench"
TESTED = "tested"
"""The extra that pins the newest releases which the tests passed with."""
ALTERNATIVES = {
    "opencv-python": ("opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"),
}
"""Distribution -> others that bring the same module."""


@dataclass(frozen=True)
class Package:
    """A package that coabench needs, or one of its extras, and what is installed of it.

    Attributes:
        name: the distribution; an installed alternative to the one that is asked for, where there is one.
        supported: the range, as pip reads it; empty for any version.
        installed: the version that is there, None for none.
        fits: whether that version is in the range.
        tested: the newest release that was tested; None where that is not said.
    """

    name: str
    supported: str
    installed: str | None
    fits: bool
    tested: str | None = None

    @property
    def wanted(self) -> str:
        """What to tell pip."""
        return f"{self.name}{self.supported}"

    @property
    def newer(self) -> bool:
        """Whether what is installed is newer than what was tested, fixes (the third number) left out of account."""
        from packaging.version import Version

        if self.installed is None or self.tested is None:
            return False
        return Version(self.installed).release[:2] > Version(self.tested).release[:2]


@dataclass(frozen=True)
class Declared:
    """The metadata: the range of Python, what is always needed, and each extra with what it adds."""

    python: str
    packages: tuple[Package, ...]
    extras: dict[str, tuple[Package, ...]]


def declared() -> Declared:
    """Read the metadata of the installed distribution, or of a checkout that was never installed."""
    python, requirements, names = _installed() or _checkout()
    return Declared(
        python,
        _always(requirements),
        {name: tuple(_package(each) for each in _applying(requirements, name)) for name in names if name != TESTED},
    )


def newer_than_tested() -> list[str]:
    """Return the packages that are newer than was tested, each with both versions."""
    _, requirements, _ = _installed() or _checkout()
    return [f"{p.name} {p.installed} (tested: {p.tested})" for p in _always(requirements) if p.newer]


def _always(requirements: list[Requirement]) -> tuple[Package, ...]:
    """Return what is needed whatever the extras, with what was tested."""
    tested = {each.name: next(iter(each.specifier)).version for each in _applying(requirements, TESTED)}
    return tuple(_package(each, tested.get(each.name)) for each in _applying(requirements, ""))


def _installed() -> tuple[str, list[Requirement], list[str]] | None:
    from packaging.requirements import Requirement

    try:
        found = metadata(DISTRIBUTION)
    except PackageNotFoundError:
        return None
    requirements = [Requirement(text) for text in found.get_all("Requires-Dist") or ()]
    if not requirements:
        raise ValueError("the metadata of coabench is damaged: install it anew")
    python = "".join(found.get_all("Requires-Python") or ())
    return python, requirements, list(found.get_all("Provides-Extra") or ())


def _checkout() -> tuple[str, list[Requirement], list[str]]:
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    texts = [*project["dependencies"], *(_only_for(text, name) for name, own in extras.items() for text in own)]
    return project["requires-python"], [Requirement(text) for text in texts], list(extras)


def _only_for(text: str, extra: str) -> str:
    """Return a requirement of an extra as a distribution's metadata writes it."""
    requirement, _, marker = text.partition(";")
    return f"{requirement}; {f'({marker}) and ' if marker else ''}extra == '{extra}'"


def _applying(requirements: list[Requirement], extra: str) -> Iterator[Requirement]:
    """Yield what is needed here for an extra and for nothing else; for the extra ``""``, what is always needed."""
    for each in requirements:
        always = each.marker is None or each.marker.evaluate({"extra": ""})
        if always if not extra else not always and each.marker is not None and each.marker.evaluate({"extra": extra}):
            yield each


def _package(requirement: Requirement, tested: str | None = None) -> Package:
    for name in (requirement.name, *ALTERNATIVES.get(requirement.name, ())):
        try:
            installed = version(name)
        except PackageNotFoundError:
            continue
        fits = requirement.specifier.contains(installed, prereleases=True)
        return Package(name, str(requirement.specifier), installed, fits, tested)
    return Package(requirement.name, str(requirement.specifier), None, False, tested)
