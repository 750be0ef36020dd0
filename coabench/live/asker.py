"""A backbone and a strategy, ready to be asked about pictures of faces that belong to no data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.backbone import Backbone, Viewing
from coabench.dataset import Card
from coabench.decode import ONCE, Decode, mode_of
from coabench.dialogue import Question, Task, Turn
from coabench.errors import UserError
from coabench.evaluation.respondent import Respondent
from coabench.inference.engine import Outcome, hold_dialogues
from coabench.inference.exemplars import ExemplarPool, draw_pool
from coabench.labels import LabelSpace
from coabench.parser import Parser
from coabench.recipe import Load
from coabench.registry import defaults
from coabench.registry.blame import contained
from coabench.registry.catalog import find_dataset, find_labels, open_strategy
from coabench.registry.loader import get_plugins
from coabench.registry.options import Specs
from coabench.registry.rewrites import Rewrites
from coabench.rewrite import Rewritten
from coabench.runs.identity import LiveIdentity
from coabench.strategy import Strategy

if TYPE_CHECKING:
    from PIL.Image import Image

LIVE = "live"
"""What a face of nobody's data set is called where exemplars are chosen by sample and split."""


@dataclass(frozen=True)
class Choice:
    """What is to answer, as the command line says it; the fields mean what they mean to ``coabench evaluate``.

    Attributes:
        labels: the data set or card whose label space is asked about.
        exemplars_from: the data set that strategies with exemplars draw them from; *data_root* is its folder.
        allow_remote: consent to a backbone that sends pictures to another machine.
        rewrite: what every question is rewritten by, in this order; see `coabench.registry.rewrites`.
    """

    backbone: str | type[Backbone[Any]] = defaults.BACKBONE
    strategy: str | Strategy = defaults.STRATEGY
    labels: str = defaults.DATASET
    adapter: str | None = None
    decode: Decode = defaults.DECODE
    device: str = defaults.DEVICE
    dtype: str = defaults.DTYPE
    load: Load | None = None
    seed: int = defaults.SEED
    options: Mapping[str, str] = field(default_factory=dict)
    exemplars_from: str | None = None
    data_root: Path | None = None
    allow_remote: bool = False
    parser: str | None = None
    rewrite: Specs = ()


class Asker:
    """Answers about faces. Made by `open_asker`, which only checks; `load` brings in the weights.

    Attributes:
        choice: what the user chose.
        identity: everything that can change an answer, as in a run's manifest.
        options: owner -> its options, from ``--set``: ``backbone``, and the further owners of `open_asker`.
    """

    def __init__(
        self,
        choice: Choice,
        backbone: Backbone[Any],
        strategy: Strategy,
        space: LabelSpace,
        pool: ExemplarPool,
        identity: LiveIdentity,
        options: Mapping[str, Any],
        notes: Sequence[str] = (),
        parser: Parser | None = None,
        rewrite: Callable[[Question], Rewritten] = Rewritten,
    ) -> None:
        self.choice, self.backbone, self.strategy, self.space = choice, backbone, strategy, space
        self.identity, self.options, self._notes = identity, options, list(notes)
        self._parser, self._pool, self._rewrite = parser, pool, rewrite
        self._task = Task(space, pool.exemplars(LIVE))
        self._loaded = False

    @property
    def notes(self) -> list[str]:
        """What the user should know, in sentences; more may come with the weights, and with the pictures."""
        return list(dict.fromkeys([*self._notes, *self.backbone.details().get("notes", ())]))

    def load(self) -> None:
        """Bring in the weights, once. May raise `UserError`."""
        if self._loaded:
            return
        self.backbone.load()
        self._loaded = True

    def prepare(self, crop: Image) -> Any:
        """Return what the backbone looks at for a crop, exemplars included; `SampleError` where it cannot use it."""
        return self.backbone.prepare([*self._pool.images(LIVE), crop])

    def talk(self, viewing: Viewing, crops: int, on_turn: Callable[[int, Turn], None] | None) -> list[Outcome]:
        """Hold the strategy's dialogues about so many crops that are looked at, all of them in one batch.

        What is answered about a crop is what ``coabench evaluate`` answers about the same image.

        Args:
            on_turn: called with the crop's position and each turn as soon as it is understood.
        """
        tasks, mode = [self._task] * crops, mode_of(self.identity.decode).name
        return hold_dialogues(viewing, self.strategy, tasks, mode, on_turn, parser=self._parser, rewrite=self._rewrite)

    def shares_look(self, other: Asker) -> bool:
        """Whether both look at the same thing with the same weights, so that one look serves both."""
        return self.backbone is other.backbone and self.identity.exemplars == other.identity.exemplars

    def share_weights(self, loaded: Asker) -> None:
        """Use the backbone of a loaded asker where it is the same, down to the weights of its adapter."""
        if self.identity.backbone == loaded.identity.backbone:
            self.backbone, self._loaded = loaded.backbone, loaded._loaded

    def variant(self, **changes: Any) -> Asker:
        """Return an asker that differs in some fields of the choice, not loaded.

        Options of ``--set`` for a backbone or strategy that changes stay behind, and so does the adapter of another
        backbone.

        Raises:
            UserError: something is unknown, or does not go with the rest of the choice.
        """
        chosen_with = ("backbone", "dataset", "strategy")
        also = {owner: type(chosen) for owner, chosen in self.options.items() if owner not in chosen_with}
        own = {  # which another one would not know
            spelling
            for owner in ("backbone", "strategy")
            if owner in changes
            for key in fields(self.options[owner])
            for spelling in (key.name, f"{owner}.{key.name}")
        }
        rest = {key: value for key, value in self.choice.options.items() if key not in own}
        if "backbone" in changes:
            changes = {"adapter": None, **changes}
        return open_asker(replace(self.choice, options=rest, **changes), also)

    @contained()
    def with_strategy(self, spec: str) -> Asker:
        """Return an asker for another strategy, loaded; it shares the weights where the adapter stays the same.

        Raises:
            UserError: no such strategy, or one that does not go with the rest of the choice.
        """
        other = self.variant(strategy=spec)
        other.share_weights(self)
        other.load()
        return other


def open_asker(choice: Choice, also: Mapping[str, type] | None = None) -> Asker:
    """Check the whole choice, cheapest first, without loading weights.

    Args:
        also: further owners of ``--set`` options (``detector``), each with the dataclass that declares them.

    Raises:
        UserError: a name that nobody registered, options that do not fit, a backbone that cannot decode so or is
            remote without consent, a strategy whose questions cannot be asked about this label space.
    """
    if mode_of(choice.decode).voted:
        raise UserError(
            f"--decode {choice.decode} votes among many dialogues: that is for evaluate",
            expected=" or ".join(ONCE),
            remedy="choose another --decode",
        )
    space = find_labels(choice.labels)
    owners: dict[str, Any] = dict(also or {})
    source = find_dataset(choice.exemplars_from) if choice.exemplars_from else None
    if source is not None:
        owners["dataset"] = source.loader.load().Options
    respondent = Respondent.find(choice, owners)
    strategy, rewrites = respondent.strategy, Rewrites(choice.rewrite, choice.seed)
    _check_consent(respondent, choice)
    if strategy.exemplars and source is None:
        raise UserError(
            f"strategy {strategy.name!r} shows {strategy.exemplars} exemplars before each face",
            expected="the data set to draw them from, or a strategy without exemplars: "
            + ", ".join(spec for spec, _ in usable_strategies(get_plugins().strategies, exemplars=False)),
            remedy="add --exemplars-from DATASET (and --data-root where it needs one), or choose another --strategy",
        )
    if strategy.exemplars and source is not None:
        pool = draw_pool(source.open(choice.data_root, respondent.options["dataset"]), LIVE, strategy, choice.seed)
        _check_labels(pool, source.card, space)
    else:
        pool = ExemplarPool((), 0, choice.seed)
    questions = respondent.rehearse(Task(space, pool.exemplars(LIVE)))
    backbone = respondent.open(rewrites.check(questions, strategy.name))
    identity = LiveIdentity(
        **vars(respondent.identity(backbone, questions)),
        labels={"space": space.name, "names": list(space.names), "sha256": space.digest},
        exemplars=tuple(pool.identity()),
        rewrites=rewrites.identity(),
    )
    notes = [*respondent.notes(backbone), *rewrites.remarks(questions)]
    if pool.shown and source is not None and "detector" in owners:
        notes.append(
            f"the exemplars of {source.card.name} are shown whole, and the faces asked about are cut out: draw them "
            "from pictures of faces, as `coabench datasets crop` makes them"
        )
    return Asker(
        choice, backbone, strategy, space, pool, identity, respondent.options, notes, respondent.parser, rewrites
    )


def _check_labels(pool: ExemplarPool, card: Card, space: LabelSpace) -> None:
    """Refuse exemplars with labels that no question is about."""
    if others := sorted({shown.sample.target for shown in pool.shown} - set(space.names)):
        raise UserError(
            f"the exemplars of {card.name} have labels that are not asked about",
            expected=f"labels of {space.name}: {', '.join(space.names)}",
            found=", ".join(others),
            remedy="choose --labels, or --exemplars-from, so that both have the same labels",
        )


def _check_consent(respondent: Respondent, choice: Choice) -> None:
    if respondent.registration.load().remote and not choice.allow_remote:
        raise UserError(
            f"backbone {respondent.registration.name!r} sends the pictures to another machine",
            expected="the consent of everybody in the picture",
            remedy="add --allow-remote-backbone if you have it, or choose a backbone that runs here",
        )


def usable_strategies(specs: Iterable[str], exemplars: bool) -> Iterator[tuple[str, Strategy]]:
    """Yield those of *specs* that can be opened, each with its strategy; with *exemplars* those that show some too."""
    for spec in specs:
        try:
            with contained():
                strategy, _ = open_strategy(spec)
                usable = exemplars or not strategy.exemplars
        except Exception:  # a broken plugin is no reason to withhold the others
            continue
        if usable:
            yield spec, strategy
