"""What a record says of all labels, not of its prediction alone: probabilities, and the second choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coabench.base.vocabulary import OK
from coabench.metrics.distributions import Distribution

TIE = 1e-5
"""Log-probabilities that differ by less are equal: a record has six places of them."""


def log_probabilities(
    record: Mapping[str, Any], names: Sequence[str], known: Distribution | None
) -> list[float] | None:
    """Return the natural-log probability of each label, or None where the record does not have that of all.

    They are those of the distribution, only where the prediction is the most probable label, so that they are what it
    was made by.

    Args:
        names: the labels.
        known: the `coabench.metrics.distributions.distribution_of` the record.
    """
    prediction = record["prediction"]
    if known is None or record["status"] != OK or prediction not in names:
        return None
    if known[prediction] < max(known[name] for name in names) - TIE:
        return None
    return [known[name] for name in names]


def second_choice(record: Mapping[str, Any], names: Sequence[str], known: Sequence[float] | None) -> str | None:
    """Return the label that a record puts behind its prediction; None where it does not say.

    The second most probable label, the first listed on a tie; else the second of a ranked answer (``rank`` of
    ``details``) that begins with the prediction.

    Args:
        known: the `log_probabilities` of the record.
    """
    prediction = record["prediction"]
    if known is not None:
        others = [(-score, place) for place, score in enumerate(known) if names[place] != prediction]
        return names[min(others)[1]] if others else None
    ranked = (record.get("details") or {}).get("rank")
    if record["status"] != OK or not isinstance(ranked, list) or len(ranked) < 2 or ranked[0] != prediction:
        return None
    return ranked[1] if ranked[1] in names else None
