"""What a record says of all labels, not of its prediction alone: probabilities, and the second choice."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from coabench.base.vocabulary import OK

TIE = 1e-5
"""Log-probabilities that differ by less are equal: a record has six places of them."""

MOST = 1e-4
"""A log-probability above it is none, however a strategy rounds."""


def log_probabilities(record: Mapping[str, Any], names: Sequence[str]) -> list[float] | None:
    """Return the natural-log probability of each label, or None where the record does not have that of all.

    A strategy may state them (``log_probabilities`` of ``details``); else they are the scores of the one question that
    was asked, made to sum to 1 over its options, if the labels are among these. Only where the prediction is the most
    probable label, so that they are what it was made by.

    Args:
        names: the labels.
    """
    prediction, details, turns = record["prediction"], record.get("details"), list(record.get("turns") or ())
    if record["status"] != OK or prediction not in names:
        return None
    scores = details.get("log_probabilities") if details else turns[0].get("scores") if len(turns) == 1 else None
    if not isinstance(scores, Mapping) or not all(isinstance(scores.get(name), int | float) for name in names):
        return None
    total = 0.0 if details else _log_sum(list(scores.values()))
    known = [scores[name] - total for name in names]
    return known if MOST >= known[names.index(prediction)] >= max(known) - TIE else None


def _log_sum(scores: Sequence[float]) -> float:
    most = max(scores)
    return most + math.log(math.fsum(math.exp(score - most) for score in scores))


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
