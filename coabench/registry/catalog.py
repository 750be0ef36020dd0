"""From what the user typed to the thing itself: strategies, backbones, data sets, detectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coabench.backbone import Backbone
from coabench.dataset import Card, Dataset
from coabench.detector import Detector, DetectorRequest, Unavailable
from coabench.errors import UserError, did_you_mean
from coabench.labels import LabelSpace
from coabench.registry.loader import Registration, get_plugins
from coabench.strategy import Strategy, StrategyRequest


def is_file(spec: str) -> bool:
    """Whether *spec* names a YAML file rather than something registered."""
    return spec.endswith((".yaml", ".yml"))


@dataclass(frozen=True)
class StrategyChoice:
    """A strategy as chosen: registered, in a variant; a prompt file; or, from Python, the strategy itself."""

    found: Registration | None = None
    variant: str | None = None
    file: Path | None = None
    given: Strategy | None = None

    @property
    def options(self) -> type:
        """The dataclass of what ``--set`` may change."""
        options: type = getattr(self.found.load(), "Options", Strategy.Options) if self.found else Strategy.Options
        return options

    @property
    def origin(self) -> Mapping[str, str]:
        """Where it comes from, as a run's identity says it."""
        if self.found:
            return origin(self.found)
        return {"plugin": "prompt file" if self.file else "python", "plugin_version": ""}

    def open(self, options: Any = None) -> Strategy:
        """Make the strategy; `UserError` where the prompt file or the options cannot be used."""
        if self.given is not None:
            return self.given
        if self.found is None:
            from coabench.inference.promptfile import read_prompt_file

            assert self.file is not None
            return read_prompt_file(self.file)
        made = self.options() if options is None else options
        strategy: Strategy = self.found.load()(StrategyRequest(self.variant, made))
        return strategy


def open_strategy(spec: str | Strategy) -> tuple[Strategy, Mapping[str, str]]:
    """Return the strategy ``NAME[:VARIANT]`` or ``FILE.yaml`` with its default options, and where it comes from."""
    choice = find_strategy(spec)
    return choice.open(), choice.origin


def find_strategy(spec: str | Strategy) -> StrategyChoice:
    """Return the strategy ``NAME[:VARIANT]`` or ``FILE.yaml``; one that is there already is taken as it is."""
    if isinstance(spec, Strategy):
        return StrategyChoice(given=spec)
    if is_file(spec):
        return StrategyChoice(file=Path(spec))
    name, _, variant = spec.partition(":")
    found = get_plugins().strategies.find(name)
    variants = found.details.get("variants") or ()
    if variant and variant not in variants:
        raise UserError(
            f"strategy {name!r} has no variant {variant!r}",
            expected=", ".join(variants) or "no variant",
            remedy=f"{did_you_mean(variant, variants)}correct --strategy",
        )
    return StrategyChoice(found, variant or None)


@dataclass(frozen=True)
class Given(Registration):
    """A registration whose target is at hand, in this process, without a package."""

    thing: Any = None

    def load(self) -> Any:
        return self.thing


def find_backbone(spec: str | type[Backbone[Any]]) -> tuple[Registration, str | None]:
    """Return the registration and the model of ``NAME[:MODEL]``; a class, from Python, is taken as if registered."""
    if isinstance(spec, type):
        return Given(spec.__name__, "", "python", "", thing=spec), None
    name, _, model = spec.partition(":")
    return get_plugins().backbones.find(name), model or None


@dataclass(frozen=True)
class DatasetChoice:
    """A data set as chosen on the command line: its card, and the loader that reads it."""

    card: Card
    loader: Registration

    def open(self, root: Path | None, options: Any = None) -> Dataset:
        """Open the data set below *root*.

        Raises:
            UserError: no root, no such folder, or files that are not what the card describes.
        """
        factory = self.loader.load()
        if factory.needs_root:
            if root is None:
                raise UserError(
                    f"data set {self.card.name!r} needs --data-root",
                    expected="the folder that holds its files",
                    remedy=f"add --data-root DIR; `coabench datasets show {self.card.name}` says how to get the data",
                )
            if not root.is_dir():
                raise UserError(
                    f"--data-root {root} is no folder",
                    expected=f"the folder that holds {self.card.title}",
                    found="a file" if root.exists() else "nothing there",
                    remedy="correct --data-root",
                )
        dataset: Dataset = factory(self.card, root, options if options is not None else factory.Options())
        return dataset


def find_dataset(spec: str) -> DatasetChoice:
    """Return the data set ``NAME`` or ``CARD.yaml``."""
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
    found = datasets.find(spec)
    path = found.details.get("card")
    if path is None:
        raise UserError(
            f"{spec!r} is a loader without a data set of its own",
            expected="a card that names it as its loader",
            remedy="pass --dataset CARD.yaml",
        )
    return DatasetChoice(Card.read(Path(path)), found)


def find_labels(spec: str) -> LabelSpace:
    """Return the label space of a data set: ``NAME``, ``CARD.yaml``, or the ``short`` name it was registered with."""
    datasets = get_plugins().datasets
    short = {entry.details["short"]: name for name, entry in datasets.items() if entry.details.get("short")}
    if is_file(spec):
        return Card.read(Path(spec)).space
    if spec not in short and spec not in datasets:
        known = [*short, *datasets]
        raise UserError(
            f"there are no labels named {spec!r}",
            expected=f"{', '.join(known)}, or a card (.yaml)",
            remedy=f"{did_you_mean(spec, known)}`coabench datasets show NAME` shows the labels",
        )
    return find_dataset(short.get(spec, spec)).card.space


AUTO = "auto"
"""The name that leaves the choice of the detector to `find_detector`."""


@dataclass(frozen=True)
class DetectorChoice:
    """A detector as chosen on the command line.

    Attributes:
        found: its registration.
        weights: the file of its weights, which is there; None where it needs none.
        passed_over: better ones that ``auto`` could not take, each with the reason, in a line.
    """

    found: Registration
    weights: Path | None = None
    passed_over: tuple[str, ...] = ()

    @property
    def options(self) -> type:
        """The dataclass of what ``--set`` may change."""
        options: type = getattr(self.found.load(), "Options", Detector.Options)
        return options

    def open(self, options: Any = None) -> Detector:
        """Make the detector ready; `UserError` where a package or its weights cannot be used."""
        made = self.options() if options is None else options
        detector: Detector = self.found.load()(DetectorRequest(self.weights, made))
        return detector


def find_detector(spec: str, weights: Path | None = None) -> DetectorChoice:
    """Return the detector *spec*, or for ``auto`` the best that works here and takes such weights.

    Raises:
        UserError: no such detector, one that is not available here, or weights that are missing or do not fit.
    """
    if spec == AUTO:
        return _best_detector(weights)
    found = get_plugins().detectors.find(spec)
    suffixes = tuple(found.details.get("weights", ()))
    if weights is None and suffixes:
        raise UserError(
            f"detector {spec!r} needs its weights, which do not come with it",
            expected=f"--detector-weights FILE{' or FILE'.join(suffixes)}",
            remedy="add --detector-weights, or take --detector auto, which needs none",
        )
    if weights is not None and weights.suffix.lower() not in suffixes:
        raise UserError(
            f"detector {spec!r} cannot take --detector-weights {weights}",
            expected=f"a {' or '.join(suffixes)} file" if suffixes else "no weights: it brings its own",
            remedy="choose another detector or other weights; `coabench list detectors` shows what there is",
        )
    if lacking := unavailable(found):
        raise UserError(f"detector {spec!r} is not available here", found=lacking.reason, remedy=lacking.remedy)
    _check_weights(weights)
    return DetectorChoice(found, weights)


def unavailable(found: Registration) -> Unavailable | None:
    """Return why a detector cannot be used here, as the check that it registered says; None where it can.

    The detector itself is not imported.
    """
    check = found.details.get("available")
    if check is None:
        return None
    try:
        lacking: Unavailable | None = replace(found, target=check).load()()
    except Exception as error:
        return Unavailable(f"its check failed ({type(error).__name__}: {error})", f"report it to {found.plugin!r}")
    return lacking


def _best_detector(weights: Path | None) -> DetectorChoice:
    suffix = weights.suffix.lower() if weights else None
    fitting = [
        found
        for found in get_plugins().detectors.values()
        if "rank" in found.details and suffix in (found.details.get("weights") or (None,))
    ]
    passed_over: list[str] = []
    for found in sorted(fitting, key=lambda found: (-found.details["rank"], found.name)):
        lacking = unavailable(found)
        if lacking is None:
            _check_weights(weights)
            return DetectorChoice(found, weights, tuple(passed_over))
        passed_over.append(f"{found.name}: {lacking}")
    raise UserError(
        f"no detector takes {suffix or 'such'} weights" if weights and not fitting else "no detector is available here",
        found="; ".join(passed_over) or None,
        remedy="install one of them; `coabench list detectors` shows what there is",
    )


def _check_weights(weights: Path | None) -> None:
    if weights is None:
        return
    try:
        with weights.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise UserError(
            f"--detector-weights {weights} cannot be read",
            found=error.strerror or str(error),
            remedy="correct the path",
        ) from error
    if empty:
        raise UserError(f"--detector-weights {weights} is empty", remedy="get the file anew")


def origin(found: Registration) -> Mapping[str, str]:
    """Return which plugin something comes from, for a run's identity."""
    return {"plugin": found.plugin, "plugin_version": found.version}
