"""What an appendix says of a run or a training: facts in groups, as the files record them.

A fact whose value is None is one that the files do not record. One that does not apply is left out.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coabench.base.vocabulary import COMPLETE
from coabench.errors import UserError
from coabench.runs.dataset_identity import FoldIdentity

Facts = dict[str, str | None]
"""Name -> value."""

SOFTWARE, MODEL, QUESTIONS, DATA, COMPUTE = "Software", "Model", "Questions and decoding", "Data", "Compute"
RECIPE, SELECTION = "Recipe", "Selection"
"""The groups."""


@dataclass(frozen=True)
class Source:
    """A complete run or training.

    Attributes:
        name: what the appendix calls it.
        groups: title -> facts.
        commands: those that made it, each once.
    """

    name: str
    directory: Path
    manifest: Mapping[str, Any]
    groups: Mapping[str, Facts]
    commands: Sequence[str]

    @property
    def notes(self) -> Sequence[str]:
        """What the job said that a reader should know."""
        return list(self.manifest.get("notes") or ())


def check_complete(directory: Path, manifest: Mapping[str, Any], kind: str, command: str) -> None:
    """Refuse (`UserError`) what has not come to its end."""
    if manifest["status"] != COMPLETE:
        raise UserError(
            f"the {kind} {directory} is not finished",
            expected=f"a complete {kind}",
            found=str(manifest["status"]),
            remedy=f"finish it first: the same `{command}` command resumes it",
        )


def software(coabench: str | None, sessions: Sequence[Mapping[str, Any]]) -> Facts:
    """Return versions."""
    environments = [session.get("environment") or {} for session in sessions]
    commits = [
        f"{git['commit']}{' with uncommitted changes' if git.get('dirty') else ''}"
        for git in (environment.get("git") for environment in environments)
        if git
    ]
    facts: Facts = {"coabench": coabench}
    facts |= {"commit": distinct(commits)} if commits else {}
    facts |= {"Python": distinct(it.get("python") for it in environments)}
    facts |= {"platform": distinct(it.get("platform") for it in environments)}
    packages = [environment.get("packages") or {} for environment in environments]
    names = dict.fromkeys(name for found in packages for name in found if name != "coabench")
    facts |= {name: distinct(found.get(name) for found in packages) for name in names}
    return facts if names else facts | {"packages": None}


def machine(sessions: Sequence[Mapping[str, Any]]) -> Facts:
    """Return what computed."""
    environments = [session.get("environment") or {} for session in sessions]
    memory = distinct(environment.get("memory_gib") for environment in environments)
    return {
        "device": distinct(session.get("device") for session in sessions),
        "processor": distinct(environment.get("processor") for environment in environments),
        "memory": memory and f"{memory} GiB",
    }


def fold_facts(fold: FoldIdentity | None) -> Facts:
    """Return which fold of a split it is; nothing where it is the whole."""
    if fold is None:
        return {}
    return {"fold": f"{fold}, {fold.scheme} ({fold.options})", "assignment to folds": fold.assignment}


def origin(title: str, plugin: str | None, version: str | None) -> Facts:
    """Return the plugin that something comes from; nothing where it is built in."""
    return {} if plugin is None else {title: f"{plugin} {version or ''}".strip()}


def numbered(title: str, steps: Sequence[Any] | None) -> Facts:
    """Return the steps of something that is done in order."""
    several = len(steps or ()) > 1
    return {
        name: value
        for number, step in enumerate(steps or (), start=1)
        for name, value in leaves(f"{title} {number}" if several else title, step).items()
    }


def leaves(title: str, value: Any) -> Facts:
    """Return what a JSON object holds, leaf by leaf: ``adapter rank`` and its value."""
    if isinstance(value, Mapping):
        return {
            name: text
            for key, item in value.items()
            for name, text in leaves(f"{title} {key}".strip().replace("_", " "), item).items()
        }
    if isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        return numbered(title, value)
    return {title: _text(value)}


def _text(value: Any) -> str:
    if value is None or value == [] or value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(_text, value)) if isinstance(value, list | tuple) else str(value)


def distinct(values: Iterable[Any]) -> str | None:
    """Return what is known, each once: a run that was resumed may have had another machine."""
    return "; ".join(dict.fromkeys(str(value) for value in values if value is not None)) or None


def hours(seconds: float | None) -> str | None:
    """Return a duration, in hours from a tenth of one on."""
    if seconds is None:
        return None
    return f"{seconds / 3600:.2f} hours" if seconds >= 360 else f"{seconds:.1f} seconds"


def commands_of(sessions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the command lines of a job, each once."""
    lines = (shlex.join(map(str, session["command"])) for session in sessions if session.get("command"))
    return list(dict.fromkeys(lines))


def alike(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return text -> the names that have it, from names and texts."""
    found: dict[str, list[str]] = {}
    for name, text in pairs:
        found.setdefault(text, []).append(name)
    return found
