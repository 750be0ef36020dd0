"""The greedy soup: adapters are added to the mean as long as it does not get worse (Wortsman et al. 2022,
arXiv 2203.05482, recipe 1)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from coabench.adapters.export import new_folder
from coabench.adapters.selection import Selection, another_split, development_parts, identities_of
from coabench.adapters.soup import manifest_of, mean, read_ingredients, write_soup
from coabench.adapters.updates import Updates
from coabench.backbone import BackboneRequest
from coabench.base.processes import World
from coabench.errors import UserError
from coabench.registry.catalog import find_backbone, open_backbone, open_strategy
from coabench.registry.defaults import DEVICE
from coabench.registry.options import distribute
from coabench.runs.adapter import TrainingRecord
from coabench.runs.identity import StrategyIdentity
from coabench.runs.training_identity import TrainingIdentity
from coabench.strategy import Strategy
from coabench.training.development import Development, development_scores


@dataclass(frozen=True)
class Choice:
    """How a greedy soup is selected.

    Attributes:
        dataset: whose development parts, or whose *split*; None for all that the adapters learnt from.
        split: another one than the development parts of the trainings.
        backbone: the base, ``NAME[:MODEL]``; None for what the training names.
        strategies: as they are typed; empty for the names of those of the trainings.
    """

    dataset: str | None = None
    split: str | None = None
    data_root: Path | None = None
    backbone: str | None = None
    strategies: Sequence[str] = ()
    device: str = DEVICE


@dataclass(frozen=True)
class Step:
    """An adapter's turn.

    Attributes:
        uar: of the adapter alone.
        soup_uar: of the soup with it.
    """

    adapter: str
    uar: float
    soup_uar: float
    taken: bool


@dataclass(frozen=True)
class GreedySoup:
    """What came of it.

    Attributes:
        steps: the adapters in the order of their turns, the best first.
        selected_on: data set, split and number of samples of what they were measured on.
        notes: what the user should know, in sentences.
    """

    rank: int
    steps: Sequence[Step]
    selected_on: Sequence[Mapping[str, Any]]
    notes: Sequence[str]


def greedy_soup(
    adapters: Sequence[Path], output: Path, choice: Choice, report: Callable[[str], None] = lambda _: None
) -> GreedySoup:
    """Write the greedy soup into a new folder.

    The adapters are sorted by UAR. Each is added to the soup if the UAR of that does not fall. With *n* adapters there
    are 2n - 1 evaluations.

    Args:
        report: is called with a line after each evaluation.

    Raises:
        UserError: they make no soup, were trained otherwise than one another, or there is nothing to select by that
            none was fitted on; nothing was written.
    """
    ingredients = read_ingredients(adapters)
    parts, records = zip(*ingredients, strict=True)
    mean(parts)  # refuses what it cannot average before anything is measured
    measure, selection = _measure(records, choice)
    with new_folder(output) as folder, tempfile.TemporaryDirectory() as scratch:
        alone = []
        for part in parts:
            alone.append(measure(part.folder))
            report(f"{part.folder}: UAR {alone[-1]['uar']:.2%}")
        order = sorted(range(len(parts)), key=lambda position: -alone[position]["uar"])
        taken, scores = [order[0]], alone[order[0]]
        steps = [Step(str(parts[order[0]].folder), scores["uar"], scores["uar"], True)]
        for position in order[1:]:
            tried = measure(_candidate([parts[i] for i in (*taken, position)], Path(scratch) / str(position)))
            report(f"the soup with {parts[position].folder}: UAR {tried['uar']:.2%}")
            better = tried["uar"] >= scores["uar"]
            if better:
                taken, scores = [*taken, position], tried
            steps.append(Step(str(parts[position].folder), alone[position]["uar"], tried["uar"], better))
        tensors, config = mean([parts[i] for i in taken])
        made = GreedySoup(int(config["r"]), steps, selection.to_json(), selection.notes)
        write_soup(folder, tensors, config, _manifest([records[i] for i in taken], selection, made, scores))
    return made


def _candidate(parts: Sequence[Updates], folder: Path) -> Path:
    folder.mkdir()
    write_soup(folder, *mean(parts))
    return folder


def _manifest(
    taken: Sequence[TrainingRecord], selection: Selection, made: GreedySoup, scores: Mapping[str, float]
) -> dict[str, Any] | None:
    """Return the manifest of the soup: what it was selected by is not to be evaluated on, as what it learnt from."""
    manifest = manifest_of(taken)
    assert manifest is not None  # each has an identity
    manifest["identity"]["data"] += selection.data()
    manifest["learnt_earlier"] = [*manifest.get("learnt_earlier", ()), selection.images().to_json()]
    steps = [{**asdict(step), "adapter": Path(step.adapter).name} for step in made.steps]
    return {**manifest, "dev": scores, "soup": {"selected_on": made.selected_on, "steps": steps}}


def _measure(
    records: Sequence[TrainingRecord], choice: Choice
) -> tuple[Callable[[Path], Mapping[str, float]], Selection]:
    """Return what measures an adapter, and on what; everything is checked before any weight is loaded."""
    identity = _same_training(records)
    trained = identity.backbone
    registration, model = find_backbone(choice.backbone or ":".join(filter(None, (trained.name, trained.model))))
    declared = registration.load().Options
    options = distribute(records[0].assignments({}, declared), {"backbone": declared})["backbone"]
    strategies = _strategies(identity, choice.strategies)
    base = TrainingRecord.read(model)
    known = [*records, *([base] if base.identity else [])]
    if choice.split is None:
        selection = development_parts(known, choice.dataset, choice.data_root)
    elif choice.dataset is None:
        raise UserError("--split needs the data set that it is of", remedy="pass --dataset, or leave out --split")
    else:
        selection = another_split(known, choice.dataset, choice.split, choice.data_root)
    recipe = identity.recipe

    def measure(adapter: Path) -> Mapping[str, float]:
        request = BackboneRequest(
            model, str(adapter), choice.device, recipe.get("dtype", "auto"), options, recipe.get("load")
        )
        backbone = open_backbone(registration, request)
        backbone.load()
        of = Development(selection.sources, strategies, backbone, World(), identity.seed or 0)
        return development_scores(of)

    return measure, selection


def _same_training(records: Sequence[TrainingRecord]) -> TrainingIdentity:
    """Return the identity of the first training; `UserError` where another is not measured as it is."""
    known = []
    for record, identity in zip(records, identities_of(records), strict=True):
        questions = sorted(f"{strategy.name} {strategy.sha256}" for strategy in identity.strategies)
        measured = {
            "questions": questions,
            "preparation of images": identity.preparation,
            "options of the backbone": record.options,
            "precision": [identity.recipe.get("dtype"), identity.recipe.get("load")],
        }
        known.append((record.folder, identity, measured))
    first, identity, measured = known[0]
    for folder, _, other in known[1:]:
        for what, value in other.items():
            if value != measured[what]:
                raise UserError(
                    f"{first} and {folder} were trained with other {what}",
                    expected=str(measured[what]),
                    found=str(value),
                    remedy="leave one out, or make a soup without --greedy",
                )
    return identity


def _strategies(identity: TrainingIdentity, typed: Sequence[str]) -> list[Strategy]:
    """Return the strategies of the training; `UserError` where their questions are others now."""
    opened = [open_strategy(spec) for spec in typed or [strategy.name for strategy in identity.strategies]]
    now = {strategy.name: StrategyIdentity.of(strategy, origin).sha256 for strategy, origin in opened}
    then = {strategy.name: strategy.sha256 for strategy in identity.strategies}
    if now != then:
        raise UserError(
            "the questions are not those of the trainings",
            expected=", ".join(f"{name} ({str(digest)[:12]})" for name, digest in then.items()),
            found=", ".join(f"{name} ({str(digest)[:12]})" for name, digest in now.items()),
            remedy="pass the file of each with --strategy",
        )
    return [strategy for strategy, _ in opened]
