"""What answers: a backbone with its adapter, and a strategy with its questions, as chosen on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from coabench.backbone import Backbone, BackboneRequest
from coabench.base.version import __version__
from coabench.decode import Decode
from coabench.dialogue import Question, Task
from coabench.errors import UserError
from coabench.inference.engine import rehearse, settled_mode
from coabench.recipe import Load
from coabench.registry.catalog import find_backbone, find_strategy, open_backbone
from coabench.registry.options import distribute
from coabench.registry.parsers import RegisteredParser, find_parser
from coabench.registry.registrations import Registration
from coabench.runs.adapter import TrainingRecord
from coabench.runs.identity import BackboneIdentity, Parsing, RespondentIdentity, StrategyIdentity
from coabench.strategy import Strategy
from coabench.support.hub import folder_of
from coabench.support.images import READER


class Choice(Protocol):
    """The options that choose it: ``--backbone``, ``--adapter`` and so on."""

    @property
    def backbone(self) -> str | type[Backbone[Any]]: ...
    @property
    def strategy(self) -> str | Strategy: ...
    @property
    def adapter(self) -> str | None: ...
    @property
    def parser(self) -> str | None: ...
    @property
    def decode(self) -> Decode: ...
    @property
    def device(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def load(self) -> Load | None: ...
    @property
    def seed(self) -> int: ...
    @property
    def options(self) -> Mapping[str, str] | None: ...


@dataclass(frozen=True)
class Respondent:
    """A choice whose names are registered and whose options fit; nothing large was read yet.

    Attributes:
        training: that of the adapter.
        parser: the one of ``--parser``, or else of the strategy.
        options: owner -> its options, those of ``backbone`` and ``strategy`` among them.
    """

    choice: Choice
    registration: Registration
    model: str | None
    adapter: Path | None
    training: TrainingRecord
    strategy: Strategy
    strategy_origin: Mapping[str, str]
    parser: RegisteredParser
    options: Mapping[str, Any]

    @classmethod
    def find(cls, choice: Choice, owners: Mapping[str, Any]) -> Self:
        """Find what was chosen.

        Args:
            owners: further owners of ``--set`` options (``dataset``), each with the dataclass that declares them.

        Raises:
            UserError: a name that nobody registered, options that do not fit.
        """
        registration, model = find_backbone(choice.backbone)
        chosen = find_strategy(choice.strategy)
        factory: type[Backbone[Any]] = registration.load()
        if choice.adapter is None:
            strategy = chosen.open()
            adapter = factory.default_adapter(model, strategy.like or strategy.name)
        else:
            adapter = None if choice.adapter == "none" else folder_of(choice.adapter, "adapter")
        training = TrainingRecord.read(adapter)
        assignments = training.assignments(choice.options or {}, factory.Options)
        options = distribute(assignments, {"backbone": factory.Options, "strategy": chosen.options, **owners})
        strategy = chosen.open(options["strategy"])
        parser = find_parser(choice.parser or strategy.parser)
        return cls(choice, registration, model, adapter, training, strategy, chosen.origin, parser, options)

    def rehearse(self, task: Task) -> list[Question]:
        """Return the strategy's questions, checked before any weights are loaded: can they be rendered and answered?

        Raises:
            UserError: a prompt that does not fit the label space, or a backbone that cannot answer so.
        """
        able = self.registration.load().capabilities
        questions = rehearse(self.strategy, task, self.choice.decode)
        for question in questions:
            mode = question.mode(self.choice.decode)
            if mode.needs not in able:
                what = "choice of --decode" if question.options and question.decode is None else "strategy"
                raise UserError(
                    f"backbone {self.registration.name!r} cannot answer the question {question.name!r} of "
                    f"{self.strategy.name!r} with --decode {self.choice.decode}",
                    expected=f"a backbone that {mode.needs}",
                    found=", ".join(sorted(able)),
                    remedy=f"choose another --backbone, or another {what}",
                )
        if self.choice.parser and not any(q.recognised and not q.mode(self.choice.decode).scored for q in questions):
            raise UserError(
                f"--parser {self.choice.parser} has no effect: no answer of {self.strategy.name!r} is parsed",
                expected="a question that is answered in words and has options",
                found=f"--decode {self.choice.decode}",
                remedy="leave --parser out",
            )
        return questions

    def open(self, questions: Sequence[Question] = ()) -> Backbone[Any]:
        """Return the backbone, checked; its weights are brought in by `Backbone.load`.

        Args:
            questions: those of the rehearsal.

        Raises:
            UserError: files that are not there, an adapter that does not fit, questions that cannot be answered.
        """
        choice, adapter = self.choice, str(self.adapter) if self.adapter else None
        options = self.options["backbone"]
        request = BackboneRequest(self.model, adapter, choice.device, choice.dtype, options, choice.load)
        backbone = open_backbone(self.registration, request)
        backbone.check(tuple(questions), choice.decode)
        return backbone

    def identity(self, backbone: Backbone[Any], questions: Sequence[Question]) -> RespondentIdentity:
        """Return what of it can change an answer: versions, weights, options, prompts, parser, decode, seed.

        Args:
            questions: those of the rehearsal.
        """
        return RespondentIdentity(
            coabench=__version__,
            images=READER,
            parsing=Parsing.by(self.parser),
            backbone=BackboneIdentity(
                name=self.registration.name,
                model=self.model,
                adapter=self._adapter_name,
                plugin=self.registration.plugin,
                plugin_version=self.registration.version,
                facts=backbone.identity(),
            ),
            strategy=StrategyIdentity.of(self.strategy, self.strategy_origin, self.options["strategy"]),
            decode=settled_mode(questions, self.choice.decode),
            seed=self.choice.seed,
        )

    def notes(self, backbone: Backbone[Any]) -> list[str]:
        """Return what the user should know: of backbone and strategy, and where the training differed."""
        strategy = StrategyIdentity.of(self.strategy, self.strategy_origin)
        return [
            *backbone.details().get("notes", ()),
            *self.strategy.notes(),
            *self.training.notes(backbone.identity(), strategy),
        ]

    @property
    def _adapter_name(self) -> str | None:
        """What a manifest calls the adapter: as typed, or the name of the one that ships."""
        if self.adapter is None:
            return None
        return self.choice.adapter or f"shipped/{self.adapter.name}"
