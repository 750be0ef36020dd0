"""A backbone that stays loaded from one run to the next in the same process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from coabench.evaluation.plan import Plan, Weights
from coabench.runs.identity import RunIdentity


def model_of(identity: RunIdentity) -> str:
    """Return the digest of what runs have in common that can ask one loaded backbone.

    All but how images and questions are changed: what the backbone was opened and checked with is the same.
    """
    return replace(identity, rewrites=None, preparation=None).digest


@dataclass
class Warm:
    """The backbone that was loaded last, for the next run that would load the same.

    It holds one: that of another run is let go before its successor is loaded. A backbone that sends its questions
    elsewhere has no weights, and is not kept.
    """

    _key: tuple[str, str] | None = None
    _kept: Plan | None = field(default=None, repr=False)

    def lend(self, plans: Sequence[Plan], device: str) -> list[Plan]:
        """Return plans of one look with the backbone that is kept, or with that of the first, which is kept from now.

        Args:
            device: ``--device`` of all.
        """
        key = model_of(plans[0].identity), device
        if self._kept is None or key != self._key or self._kept.backbone.remote:
            self._key, self._kept = key, replace(plans[0], weights=Weights())
        return [replace(plan, backbone=self._kept.backbone, weights=self._kept.weights) for plan in plans]
