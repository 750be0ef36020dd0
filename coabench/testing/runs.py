"""Things registered for a while, and a tiny run through the public interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coabench.backbone import Backbone
from coabench.evaluation.job import evaluate
from coabench.evaluation.plan import Evaluation
from coabench.evaluation.progress import Progress
from coabench.registry.catalog import Unpackaged
from coabench.registry.loader import get_plugins
from coabench.runs.result import FinishedRun
from coabench.strategy import Strategy, StrategyRequest
from coabench.testing.pictures import Pictures
from coabench.testing.scripted import ScriptedBackbone
from coabench.testing.spaces import CARDS


@contextmanager
def registered(kind: str, name: str, thing: Any, **details: Any) -> Iterator[None]:
    """Register something in this process for a while, without a package.

    Args:
        kind: ``backbones``, ``strategies``, ``datasets``, ``detectors``, ``metrics`` or ``sections``.
        thing: what a plugin's target would be: a class, or a function that takes the request.
        details: as for the ``register`` of the hooks: ``card=Path(…)``, ``variants=(…)``.

    Raises:
        ValueError: the name is taken.
    """
    registry = get_plugins().registries[kind]
    if name in registry:
        raise ValueError(f"{name!r} in {kind} is already registered by plugin {registry[name].plugin!r}")
    registry.add([Unpackaged(name, "", "coabench.testing", "", "", details, thing)])
    try:
        yield
    finally:
        registry.remove(name)


def tiny_run(
    directory: Path,
    *,
    strategy: str | Strategy = "direct",
    backbone: str | Backbone[Any] | None = None,
    dataset: str = "testing-compound",
    options: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    **rest: Any,
) -> FinishedRun:
    """Evaluate a few samples as ``coabench evaluate`` does.

    Args:
        directory: where the run goes, a new or empty folder.
        strategy: as on the command line, or the object itself.
        backbone: likewise; None for a `ScriptedBackbone`. An object answers through its own script.
        dataset: ``testing-basic``, ``testing-compound`` (drawn faces, nothing to download), or any other.
        options: ``--set`` assignments.
        progress: receives what a run reports to its user.
        rest: whatever `coabench.evaluation.plan.Evaluation` takes: ``limit=4``, ``decode="score"``.
    """
    with ExitStack() as stack:
        for name, card in CARDS.items():
            stack.enter_context(registered("datasets", name, Pictures, card=card))
        if not isinstance(strategy, str):
            stack.enter_context(registered("strategies", "testing-strategy", _Maker(strategy)))
            strategy = "testing-strategy"
        if not isinstance(backbone, str):
            stack.enter_context(registered("backbones", "testing-backbone", backbone or ScriptedBackbone()))
            backbone = "testing-backbone"
        return evaluate(Evaluation(backbone, strategy, dataset, options=options, output=directory, **rest), progress)


@dataclass(frozen=True)
class _Maker:
    """Hands out a strategy that is there already."""

    strategy: Strategy

    def __call__(self, request: StrategyRequest) -> Strategy:
        return self.strategy
