"""Who answers a page, and what a viewer may switch to: another strategy, or another one of those that are offered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from coabench.base.worker_thread import WorkerThread
from coabench.errors import CoabenchError, JobError, UserError
from coabench.live.asker import Asker, usable_strategies
from coabench.live.beside import summarise
from coabench.live.equipment import Equipment
from coabench.live.probe import Probe
from coabench.live.sources import Note
from coabench.registry.blame import contained
from coabench.registry.loader import get_plugins


class Answerers:
    """Those whom the probe asks. The first can be switched.

    Args:
        changed: called with the kind and the name of what was switched to.

    Attributes:
        about: those who are asked: name, and what they are in words.
        in_use: what the first one is: backbone, model, adapter and so on.
        offered: which of those that are offered answers.
        switching: what is being made ready, if anything.
        strategies: what a viewer may switch to: name -> what `Asker.with_strategy` takes.
        offers: alike: name -> in what it differs from the first of *equipment*.
    """

    def __init__(self, probe: Probe, equipment: Equipment, note: Note, changed: Callable[[str, str], None]) -> None:
        self._probe, self._note, self._changed = probe, note, changed
        self._askers = list(equipment.askers)
        self._origin = equipment.askers[0]
        self.strategies, self.offers = _strategies(self._origin), equipment.offers
        self.offered = next(iter(self.offers), None)
        self.switching: str | None = None
        self._describe()
        self._switcher = WorkerThread("switch")

    @property
    def first(self) -> Asker:
        """The one that a viewer can switch, and ask freely."""
        return self._askers[0]

    @property
    def strategy(self) -> str:
        """The strategy that asks, as the page's list names it."""
        return self.first.strategy.name

    @property
    def remote(self) -> bool:
        """Whether pictures leave this machine."""
        return any(type(each.backbone).remote for each in self._askers)

    async def switch(self, kind: str, name: str) -> None:
        """Ask with another ``strategy``, or another one of the ``offer``, from now on. Weights may have to be loaded.

        Raises:
            CoabenchError: it is not on the list, another switch is under way, or it cannot be made ready.
        """
        # Only what is on the list: a name of the viewer's choice could be any file of this machine.
        known: Mapping[str, Any] = self.strategies if kind == "strategy" else self.offers
        if name not in known:
            raise UserError(f"there is no such {kind}", expected=", ".join(known), remedy="choose another")
        if self.switching is not None:
            raise UserError("another one is being made ready", found=self.switching, remedy="wait for it")
        self.switching = name
        try:
            other = await asyncio.wrap_future(self._switcher.submit(lambda: self._opened(kind, known[name])))
            self._probe.switch(other)
            self._askers[0] = other
            self.offered = name if kind == "offer" else self.offered
            self._describe()
            self._changed(kind, name)
        except CoabenchError:
            raise
        except Exception as error:
            self._note(f"{name} could not be made ready: {type(error).__name__}: {error}")
            raise JobError(f"{name} could not be made ready", found=type(error).__name__) from error
        finally:
            self.switching = None

    @contained()
    def _opened(self, kind: str, chosen: Any) -> Asker:
        """Return a loaded asker: the one that asks with another strategy, or an offer with the strategy that asks."""
        if kind == "strategy":
            return self.first.with_strategy(chosen)
        kept = self.strategies.get(self.strategy)
        other = self._origin.variant(**{**({"strategy": kept} if kept else {}), **chosen})
        for asker in self._askers:
            other.share_weights(asker)
        other.load()
        return other

    def _describe(self) -> None:
        self.in_use = _in_use(self.first)
        self.about = [{"name": name, "about": about} for name, about in summarise(self._askers).items()]


def _in_use(asker: Asker) -> dict[str, Any]:
    """Return what answers, for the head of the page; each strategy may have an adapter of its own."""
    backbone = asker.identity.backbone
    return {
        "backbone": backbone.name,
        "model": backbone.model,
        "adapter": backbone.adapter,
        "device": asker.backbone.details().get("device"),
        "decode": asker.identity.decode,
    }


def _strategies(asker: Asker) -> Mapping[str, str]:
    """Return what a viewer may switch to: name -> what `Asker.with_strategy` takes.

    Strategies with exemplars are left out where no data set was named that they could come from.
    """
    specs = [
        f"{name}:{variant}" if variant else name
        for name, registration in get_plugins().strategies.items()
        for variant in registration.details.get("variants") or (None,)
    ]
    known = {asker.strategy.name: str(asker.choice.strategy)}
    for spec, strategy in usable_strategies(specs, asker.choice.exemplars_from is not None):
        known.setdefault(strategy.name, spec)
    return dict(sorted(known.items()))
