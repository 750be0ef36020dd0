"""Where a chain of two questions goes wrong: the diagnostics of Chain-of-Affect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from coabench.statistics import wilson_interval

REASONS = ("repeated", "neutral-first", "neutral-second", "no-class", "unparsed")
"""What can be wrong with a pair of answers; see `coabench.dialogue.Task.combine`."""


class Asked(NamedTuple):
    """A sample with a compound label, and its two answers (None where there was none)."""

    target: str
    pair: frozenset[str]
    primary: str | None
    secondary: str | None
    reason: str

    @property
    def begun(self) -> bool:
        """Whether the primary answer belongs to the pair."""
        return self.primary in self.pair

    @property
    def ended(self) -> bool:
        """Whether the secondary answer is the other one, the primary being right."""
        return self.begun and self.secondary in self.pair - {self.primary}


def chain_diagnostics(records: Sequence[Mapping[str, Any]], labels: Mapping[str, Any]) -> dict[str, Any] | None:
    """Say where a chain of two questions goes wrong; None for runs that asked no primary question about a pair.

    A compound label needs two answers. The first is right when it belongs to the label's pair; given that, the second
    is right when it is the other one. The product of the two rates is the WAR over these samples. The second rate
    alone is what the chain would reach if an oracle gave the primary emotion (and if the samples whose primary answer
    was wrong were as easy as the others, which makes it an estimate).

    Args:
        records: of a run, each with ``target``, ``reason`` and ``turns`` named ``primary`` and ``secondary``.
        labels: the manifest's ``labels``.
    """
    asked = list(_asked(records, labels.get("pairs") or {}))
    if not asked:
        return None
    begun = [sample for sample in asked if sample.begun]
    ended = sum(sample.ended for sample in begun)
    reasons = Counter(sample.reason for sample in asked)
    return {
        "samples": len(asked),
        "right_primaries": len(begun),
        "primary_in_pair": len(begun) / len(asked),
        "primary_in_pair_interval": list(wilson_interval(len(begun), len(asked))),
        "secondary_given_right_primary": ended / len(begun) if begun else None,
        "secondary_given_right_primary_interval": list(wilson_interval(ended, len(begun))) if begun else None,
        "oracle_primary": _oracle(begun) if begun else None,
        **{reason.replace("-", "_"): reasons[reason] for reason in REASONS},
        "primary_secondary": _table(asked, list(labels.get("basic") or ())),
    }


def _asked(records: Sequence[Mapping[str, Any]], pairs: Mapping[str, Sequence[str]]) -> list[Asked]:
    asked = []
    for record in records:
        answers = {turn["name"]: turn["label"] for turn in record.get("turns") or ()}
        pair = pairs.get(record["target"])
        if pair and "primary" in answers:
            reason = str(record["reason"] or "")
            word = "unparsed" if reason.startswith("unparsed") else reason
            asked.append(Asked(record["target"], frozenset(pair), answers["primary"], answers.get("secondary"), word))
    return asked


def _oracle(begun: Sequence[Asked]) -> dict[str, float]:
    """Return WAR and UAR over the samples whose primary answer was right; classes without any are left out."""
    n = Counter(sample.target for sample in begun)
    hits = Counter(sample.target for sample in begun if sample.ended)
    return {"war": hits.total() / n.total(), "uar": sum(hits[label] / n[label] for label in n) / len(n)}


def _table(asked: Sequence[Asked], basic: Sequence[str]) -> dict[str, Any]:
    """Count primary by secondary answers; the last row and column are for answers without a label."""
    counts = Counter((sample.primary, sample.secondary) for sample in asked)
    answers = [*basic, None]
    return {"labels": [*basic, "INVALID"], "rows": [[counts[first, second] for second in answers] for first in answers]}
