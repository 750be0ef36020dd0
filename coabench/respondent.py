"""What is to answer: a backbone with its adapter, and a strategy that asks it, as chosen on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from coabench import __version__
from coabench.adapters import Told
from coabench.backbone import Backbone, BackboneRequest
from coabench.catalog import find_backbone, open_strategy, origin
from coabench.dialogue import Decode
from coabench.errors import UserError
from coabench.hub import folder_of
from coabench.options import distribute
from coabench.parsing import VERSION as PARSING_VERSION
from coabench.plugins import Registration
from coabench.strategy import Strategy


class Choice(Protocol):
    """What the command line says of it: ``--backbone``, ``--adapter`` and so on."""

    @property
    def backbone(self) -> str: ...
    @property
    def strategy(self) -> str: ...
    @property
    def adapter(self) -> str | None: ...
    @property
    def decode(self) -> Decode: ...
    @property
    def device(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def options(self) -> Mapping[str, str] | None: ...


@dataclass(frozen=True)
class Respondent:
    """A choice whose names were found and whose options fit; nothing large was read yet.

    Attributes:
        told: what the adapter says of its training.
        options: owner -> its options, those of ``backbone`` among them.
    """

    choice: Choice
    registration: Registration
    model: str | None
    adapter: Path | None
    told: Told
    strategy: Strategy
    strategy_origin: Mapping[str, str]
    options: Mapping[str, Any]

    @classmethod
    def find(cls, choice: Choice, owners: Mapping[str, Any]) -> Self:
        """Find what was chosen.

        Args:
            owners: further owners of ``--set`` options (``dataset``), each with the dataclass that declares them.

        Raises:
            UserError: a name that nobody registered, options that do not fit, a backbone that cannot decode so.
        """
        registration, model = find_backbone(choice.backbone)
        strategy, strategy_origin = open_strategy(choice.strategy)
        factory: type[Backbone[Any]] = registration.load()
        needed = "scores" if choice.decode == "score" else "generates"
        if needed not in factory.capabilities:
            raise UserError(
                f"backbone {registration.name!r} cannot run with --decode {choice.decode}",
                expected=f"a backbone that {needed}",
                found=", ".join(sorted(factory.capabilities)),
                remedy="choose another --decode or another --backbone",
            )
        if choice.adapter is None:
            adapter = factory.default_adapter(model, strategy.name)
        else:
            adapter = None if choice.adapter == "none" else folder_of(choice.adapter, "adapter")
        told = Told.by(adapter)
        assignments = told.assignments(choice.options or {}, factory.Options)
        options = distribute(assignments, {"backbone": factory.Options, **owners})
        return cls(choice, registration, model, adapter, told, strategy, strategy_origin, options)

    def open(self) -> Backbone[Any]:
        """Return the backbone, checked; its weights are brought in by `Backbone.load`.

        Raises:
            UserError: files that are not there, an adapter that does not fit.
        """
        choice, adapter = self.choice, str(self.adapter) if self.adapter else None
        request = BackboneRequest(self.model, adapter, choice.device, choice.dtype, self.options["backbone"])
        backbone: Backbone[Any] = self.registration.load()(request)
        return backbone

    def identity(self, backbone: Backbone[Any]) -> dict[str, Any]:
        """Return what of it can change an answer: versions, weights, options, prompts, parser, decode, seed."""
        return {
            "coabench": __version__,
            "parsing": {"version": PARSING_VERSION, "parser": self.strategy.parser},
            "backbone": {
                "name": self.registration.name,
                "model": self.model,
                "adapter": self._adapter_name,
                **origin(self.registration),
                "facts": backbone.identity(),
            },
            "strategy": {"name": self.strategy.name, **self.strategy_origin, **self.strategy.identity()},
            "decode": self.choice.decode,
            "seed": self.choice.seed,
        }

    def notes(self, backbone: Backbone[Any]) -> list[str]:
        """Return what the user should know: of the backbone, and of differences from the adapter's training."""
        strategy = {"name": self.strategy.name, **self.strategy.identity()}
        return [*backbone.details().get("notes", ()), *self.told.notes(backbone.identity(), strategy)]

    @property
    def _adapter_name(self) -> str | None:
        """What a manifest calls the adapter: as typed, or the name of the one that ships."""
        if self.adapter is None:
            return None
        return self.choice.adapter or f"shipped/{self.adapter.name}"
