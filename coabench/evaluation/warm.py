"""A backbone that stays loaded from one run to the next in the same process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from coabench.backbone import Backbone
from coabench.evaluation.plan import Plan, Weights

ANSWERING = ("coabench", "images", "backbone")
"""The parts of an identity that say what answers, whatever it is asked."""
ASKING = ("strategy", "parsing", "decode", "self_consistency", "rewrites")
"""Those that say what is asked of it, and what becomes of its answers."""


def model_of(plan: Plan) -> str:
    """Return the digest of what runs have in common that can ask one loaded backbone."""
    if _keeps_questions(plan.backbone):  # it may know those that it was checked with
        return replace(plan.identity, rewrites=None, preparation=None).digest
    return plan.identity.digest_of(only=ANSWERING)


def look_of(plan: Plan) -> str:
    """Return the digest of what runs have in common that can share their looks at images: all but what is asked.

    Exemplars are looked at with an image, and drawn as a strategy says. Where images leave this machine, or are not
    looked at, there is nothing to share.
    """
    backbone = plan.backbone
    if _keeps_questions(backbone) or plan.identity.exemplars or backbone.remote or not backbone.timed:
        return replace(plan.identity, rewrites=None).digest
    return plan.identity.digest_of(without=ASKING)


def _keeps_questions(backbone: Backbone[Any]) -> bool:
    kind = type(backbone)
    return kind.check is not Backbone.check and not kind.check_keeps_nothing


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
        key = model_of(plans[0]), device
        if self._kept is None or key != self._key or self._kept.backbone.remote:
            self._key, self._kept = key, replace(plans[0], weights=Weights())
        return [replace(plan, backbone=self._kept.backbone, weights=self._kept.weights) for plan in plans]
