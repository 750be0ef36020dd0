"""From what the user typed to the thing itself: strategies, backbones, data sets (detectors: see `detectors`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coabench.backbone import Backbone, BackboneRequest
from coabench.base.reading import is_file as is_there
from coabench.base.reading import is_folder, user_path
from coabench.base.yaml import read_yaml
from coabench.dataset import Card, Dataset
from coabench.errors import UserError, did_you_mean
from coabench.labels import LabelSpace
from coabench.recipe import INT8
from coabench.registry.class_folders import LOADER, describe_folder, looks_like_path, no_folder, read_described
from coabench.registry.data_root import check_root
from coabench.registry.defaults import DATASETS
from coabench.registry.function_code import code_version
from coabench.registry.loader import get_plugins
from coabench.registry.parquet_card import describe_table
from coabench.registry.registrations import Registration
from coabench.strategy import Strategy, StrategyRequest
from coabench.support.archives import open_tree
from coabench.support.parquet import PARQUET


def is_file(spec: str) -> bool:
    """Whether *spec* names a YAML file rather than something registered."""
    return spec.endswith((".yaml", ".yml"))


@dataclass(frozen=True)
class StrategyChoice:
    """A strategy as chosen: registered, in a variant; a prompt file, or its text; or, from Python, the strategy."""

    registration: Registration | None = None
    variant: str | None = None
    file: Path | None = None
    text: str | None = None
    strategy: Strategy | None = None

    @property
    def options(self) -> type:
        """The dataclass of what ``--set`` may change."""
        factory = self.registration.load() if self.registration else Strategy
        options: type = getattr(factory, "Options", Strategy.Options)
        return options

    @property
    def origin(self) -> Mapping[str, str]:
        """Where it comes from, for a run's identity."""
        if self.registration:
            return origin(self.registration)
        if self.strategy is not None:
            return {"plugin": "python", "plugin_version": code_version(self.strategy)}
        return {"plugin": "prompt file", "plugin_version": ""}

    def open(self, options: Any = None) -> Strategy:
        """Make the strategy; `UserError` where the prompt file or the options cannot be used."""
        if self.strategy is not None:
            return self.strategy
        if self.registration is None:
            from coabench.inference.promptfile_reader import read_prompt_file, read_prompt_text

            parsers = tuple(get_plugins().parsers)
            if self.file is not None:
                return read_prompt_file(self.file, parsers)
            return read_prompt_text(self.text or "", parsers)
        made = self.options() if options is None else options
        strategy: Strategy = self.registration.open(StrategyRequest(self.variant, made))
        return strategy


def open_strategy(spec: str | Strategy) -> tuple[Strategy, Mapping[str, str]]:
    """Return the strategy ``NAME[:VARIANT]`` or ``FILE.yaml`` with its default options, and where it comes from."""
    choice = find_strategy(spec)
    return choice.open(), choice.origin


def find_strategy(spec: str | Strategy) -> StrategyChoice:
    """Return the strategy ``NAME[:VARIANT]``, ``FILE.yaml``, or that a file's text describes; one that is there already
    is taken as it is."""
    if isinstance(spec, Strategy):
        return StrategyChoice(strategy=spec)
    if "\n" in spec:
        return StrategyChoice(text=spec)
    if is_file(spec):
        return StrategyChoice(file=Path(spec))
    name, _, variant = spec.partition(":")
    registration = get_plugins().strategies.find(name)
    variants = registration.details.get("variants") or ()
    if variant and variant not in variants:
        raise UserError(
            f"strategy {name!r} has no variant {variant!r}",
            expected=", ".join(variants) or "no variant",
            remedy=f"{did_you_mean(variant, variants)}correct --strategy",
        )
    return StrategyChoice(registration, variant or None)


@dataclass(frozen=True)
class Unpackaged(Registration):
    """A registration whose target is at hand, in this process, without a package."""

    thing: Any = None

    def load(self) -> Any:
        return self.thing


def find_backbone(spec: str | type[Backbone[Any]]) -> tuple[Registration, str | None]:
    """Return the registration and the model of ``NAME[:MODEL]``; a class, from Python, is taken as if registered."""
    if isinstance(spec, type):
        return Unpackaged(spec.__name__, "", "python", code_version(spec), thing=spec), None
    name, _, model = spec.partition(":")
    return get_plugins().backbones.find(name), model or None


def open_backbone(registration: Registration, request: BackboneRequest) -> Backbone[Any]:
    """Return the backbone that was requested, checked.

    Raises:
        UserError: files that are not there, an adapter that does not fit, ``--load`` for one that does not quantise, or
            ``--dtype int8`` for one that does not multiply integers.
    """
    capabilities = registration.load().capabilities
    if request.dtype == INT8 and INT8 not in capabilities:
        raise UserError(
            f"backbone {registration.name!r} cannot compute in 8-bit integers",
            expected="a backbone that can: phi-3.5-vision or tiny",
            found=f"--dtype {INT8}",
            remedy="leave out --dtype, or choose another --backbone",
        )
    if request.load is not None and "quantises" not in capabilities:
        raise UserError(
            f"backbone {registration.name!r} cannot keep its weights in {request.load.removesuffix('bit')} bits",
            expected="a backbone that quantises",
            found=", ".join(sorted(capabilities)),
            remedy="leave out --load, or choose another --backbone",
        )
    backbone: Backbone[Any] = registration.open(request)
    return backbone


@dataclass(frozen=True)
class DatasetChoice:
    """A data set as chosen on the command line: its card, and the loader that reads it.

    Attributes:
        folder: the folder of class folders, the archive or the table that the card was made from; None for a card that
            was there.
        described: that card as data, for writing it.
    """

    card: Card
    loader: Registration
    folder: Path | None = None
    described: Mapping[str, Any] | None = None

    @property
    def described_labels(self) -> Any:
        """The labels as the card has them, for another card."""
        if self.described is not None:
            return self.described["labels"]
        assert self.card.path is not None  # but for a folder, a data set is chosen by its card
        return read_yaml(self.card.path, "data set card")["labels"]

    def open(self, root: Path | None, options: Any = None) -> Dataset:
        """Open the data set below *root*.

        Raises:
            UserError: no root, one that `check_root` refuses, or files that are not what the card describes.
        """
        factory = self.loader.load()
        if self.folder is not None:
            if root is not None and root.absolute() != self.folder.absolute():
                raise UserError(
                    f"--dataset {self.folder} holds its images, and --data-root names another place",
                    remedy="leave out --data-root",
                )
            root = self.folder
        check_root(factory, self.card, root)
        dataset: Dataset = self.loader.open(self.card, root, factory.Options() if options is None else options)
        return dataset


def find_dataset(spec: str | DatasetChoice) -> DatasetChoice:
    """Return the data set ``NAME``, ``CARD.yaml``, or that in a folder of class folders or an archive of one; one that
    is there already is taken as it is."""
    if isinstance(spec, DatasetChoice):
        return spec
    datasets = get_plugins().datasets
    if is_file(spec):
        card = Card.read(Path(spec))
        if card.loader not in datasets:
            raise UserError(
                f"{spec}: there is no loader {card.loader!r}",
                expected=", ".join(datasets),
                remedy=f"{did_you_mean(card.loader, list(datasets))}correct the card's 'loader'",
            )
        return DatasetChoice(card, datasets[card.loader])
    folder = user_path(spec)
    if spec not in datasets and (is_folder(folder) or is_there(folder) or looks_like_path(spec)):
        return _in_folder(spec, folder)
    registration = datasets.find(spec)
    path = registration.details.get("card")
    if path is None:
        raise UserError(
            f"{spec!r} is a loader without a data set of its own",
            expected="a card that names it as its loader",
            remedy=f"write --dataset ./{spec} for the folder" if is_folder(folder) else "pass --dataset CARD.yaml",
        )
    return DatasetChoice(Card.read(Path(path)), registration)


def _in_folder(spec: str, folder: Path) -> DatasetChoice:
    """Return the data set in a folder of class folders, in an archive of one, or in a parquet table."""
    if not is_folder(folder) and not is_there(folder):
        raise no_folder(spec, folder)
    datasets = get_plugins().datasets
    if folder.suffix.lower() == PARQUET and is_there(folder):
        described = describe_table(folder, known_spaces(), list(datasets))
    else:
        described = describe_folder(open_tree(folder), known_spaces(), list(datasets))
    return DatasetChoice(read_described(described, folder), datasets.find(LOADER), folder, described)


def known_spaces() -> list[LabelSpace]:
    """Return the label spaces of all data sets: those of the defaults first, then the others, the smallest first."""
    datasets = get_plugins().datasets
    cards = {name: Card.read(Path(e.details["card"])) for name, e in datasets.items() if e.details.get("card")}
    names = sorted(cards, key=lambda name: (name not in DATASETS, len(cards[name].space.labels), name))
    return [cards[name].space for name in names]


def find_labels(spec: str) -> LabelSpace:
    """Return the label space of a data set; see `find_card`."""
    return find_card(spec).space


def find_card(spec: str) -> Card:
    """Return a data set's card: ``NAME``, ``CARD.yaml``, or the ``short`` name that its labels were registered with."""
    datasets = get_plugins().datasets
    short = {entry.details["short"]: name for name, entry in datasets.items() if entry.details.get("short")}
    if is_file(spec):
        return Card.read(Path(spec))
    if spec not in short and spec not in datasets:
        known = [*short, *datasets]
        raise UserError(
            f"there are no labels named {spec!r}",
            expected=f"{', '.join(known)}, or a card (.yaml)",
            remedy=f"{did_you_mean(spec, known)}`coabench datasets show NAME` shows the labels",
        )
    return find_dataset(short.get(spec, spec)).card


def origin(registration: Registration) -> Mapping[str, str]:
    """Return which plugin something comes from, for a run's identity."""
    return {"plugin": registration.plugin, "plugin_version": registration.version}
