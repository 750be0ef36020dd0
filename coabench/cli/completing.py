"""What a shell can complete the value of an option to: names of what is registered, run folders, cards, words.

Each is what click calls as ``shell_complete=``; it reads names and folders only. What they cost is what loading the
plugins costs: no target of a registration is imported.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Values = Iterable[tuple[str, str]]
"""What can be typed -> what it is, in a few words or none."""

Completer = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]

VARIABLE = "_COABENCH_COMPLETE"
"""The environment variable in which a shell says that it completes; the name is click's."""

RUN, TRAINING, STRESS, ADAPTER = "run.json", "training.json", "stress.json", "adapter_config.json"
"""What the folders hold that commands take."""

SHEETS = (".yaml", ".yml")


def completer(values: Callable[[click.Context, str], Values]) -> Completer:
    """Return what click asks for values; *values* is given the context and what was typed so far."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        found = dict(reversed([*values(ctx, incomplete)]))  # of two with one name the first
        return [CompletionItem(v, help=text) for v, text in reversed(found.items()) if v.startswith(incomplete)]

    return complete


def words(*known: str) -> Completer:
    """Return what completes words that are always the same."""
    return completer(lambda _, __: ((word, "") for word in known))


def registered(kind: str, *more: str, begin: str = "") -> Completer:
    """Return what completes the names that are registered as a kind, those that begin so, and some more words."""
    return completer(lambda _, __: [*((word, "") for word in more), *_names(kind, begin)])


def _names(kind: str, begin: str = "") -> Iterator[tuple[str, str]]:
    from coabench.registry.loader import get_plugins

    for name, entry in get_plugins().registries[kind].items():
        if name.startswith(begin):
            yield name, entry.description


def _backbones(ctx: click.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield backbones; after a colon the files and folders that may hold a model."""
    name, colon, path = incomplete.partition(":")
    yield from ((f"{name}:{found}", "") for found, _ in _entries(path)) if colon else _names("backbones")


def _strategies(ctx: click.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    from coabench.registry.loader import get_plugins

    for name, entry in get_plugins().strategies.items():
        yield name, entry.description
        for variant in entry.details.get("variants", ()):
            yield f"{name}:{variant}", "the variant of " + name
    yield from _sheets(incomplete)


def _datasets(ctx: click.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    from coabench.registry.loader import get_plugins

    for name, entry in get_plugins().datasets.items():
        if entry.details.get("card") is not None:
            yield name, entry.description
    yield from _sheets(incomplete)


def _labels(ctx: click.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    from coabench.registry.loader import get_plugins

    for name, entry in get_plugins().datasets.items():
        if short := entry.details.get("short"):
            yield short, f"the labels of {name}"
    yield from _datasets(ctx, incomplete)


def _splits(ctx: click.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the splits of the data set that was typed, or of the default one."""
    from coabench.registry.catalog import find_dataset
    from coabench.registry.defaults import DATASET

    card = find_dataset(ctx.params.get("dataset") or ctx.params.get("name") or DATASET).card
    for split in card.splits:
        yield split, f"{sum(card.counts.get(split, {}).values()) or 'some'} images"


def _plugins(ctx: click.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    from coabench.registry.loader import get_plugins

    for plugin in get_plugins().loaded:
        yield plugin.name, f"{plugin.distribution} {plugin.version}: {plugin.status}"


def _suites(ctx: click.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    from coabench.robustness.suites import shipped_suites

    yield from ((name, "") for name in shipped_suites())
    yield from _sheets(incomplete)


def _formats(ctx: click.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    from coabench.scoring.formats.files import FORMATS

    yield from ((name, form.tool) for name, form in FORMATS.items())


def _sheets(incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield YAML files, and folders on the way."""
    return _files(incomplete, *SHEETS, "/")


def _files(incomplete: str, *endings: str) -> Iterator[tuple[str, str]]:
    return ((path, "") for path, _ in _entries(incomplete) if path.endswith(endings))


def _holding(incomplete: str, manifests: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the folders with a manifest, and other folders on the way, which end in a slash."""
    for path, entry in _entries(incomplete):
        if path.endswith("/"):
            held = next((name for name in manifests if os.path.lexists(entry / name)), None)
            yield (path, "") if held is None else (path[:-1], held)


def _entries(incomplete: str) -> Iterator[tuple[str, Path]]:
    """Yield what is in the folder that was typed so far, in its spelling; folders end in a slash."""
    folder, _, begin = incomplete.rpartition("/")
    shown = f"{folder}/" if "/" in incomplete else ""
    with os.scandir(os.path.expanduser(shown) or ".") as entries:  # noqa: PTH111 (what was typed is a text)
        for entry in sorted(entries, key=lambda each: each.name):
            if entry.name.startswith(begin) and entry.name.startswith(".") <= begin.startswith("."):
                yield shown + entry.name + ("/" if entry.is_dir() else ""), Path(entry.path)


def holding(*manifests: str) -> Completer:
    """Return what completes folders that hold one of the manifests."""
    return completer(lambda _, incomplete: _holding(incomplete, manifests))


backbones, strategies, datasets, labels = map(completer, (_backbones, _strategies, _datasets, _labels))
splits, plugins, suites, formats = map(completer, (_splits, _plugins, _suites, _formats))
sheets = completer(lambda _, incomplete: _sheets(incomplete))
trained = holding(TRAINING, ADAPTER)
adapters = completer(lambda _, incomplete: [("none", "no adapter"), *_holding(incomplete, (TRAINING, ADAPTER))])
runs, reported = holding(RUN), holding(RUN, TRAINING, STRESS)
calibrations = completer(lambda _, incomplete: [*_holding(incomplete, (RUN,)), *_files(incomplete, ".json")])
detectors = registered("detectors", "auto")
