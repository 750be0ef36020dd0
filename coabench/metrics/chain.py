"""Where a chain of two questions goes wrong: the diagnostics of Chain-of-Affect."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from coabench.metrics.statistics import wilson_interval

REASONS = ("repeated", "neutral-first", "neutral-second", "no-class", "unparsed")
"""What can be wrong with a pair of answers; see `coabench.dialogue.Task.combine`."""


def chain_diagnostics(records: Iterable[Mapping[str, Any]], labels: Mapping[str, Any]) -> dict[str, Any] | None:
    """Say where a chain of two questions goes wrong; None for runs that asked no primary question about a pair.

    A compound label needs two answers. The first is right when it belongs to the label's pair; given that, the second
    is right when it is the other one. The product of the two rates is the WAR over these samples. The second rate
    alone is what the chain would reach if an oracle gave the primary emotion (and if the samples whose primary answer
    was wrong were as easy as the others, which makes it an estimate).

    Args:
        records: of a run, each with ``target``, ``reason`` and ``turns`` named ``primary`` and ``secondary``.
        labels: the manifest's ``labels``.
    """
    chain = Chain(labels)
    for record in records:
        chain.add(record)
    return chain.diagnostics()


class Chain:
    """`chain_diagnostics` in the making: only counts are kept."""

    def __init__(self, labels: Mapping[str, Any]) -> None:
        self._pairs = {name: frozenset(pair) for name, pair in (labels.get("pairs") or {}).items()}
        self._basic = list(labels.get("basic") or ())
        self._reasons: Counter[str] = Counter()
        self._begun: Counter[str] = Counter()  # by target: the primary answer belongs to the pair
        self._ended: Counter[str] = Counter()  # and the secondary one is the other
        self._answers: Counter[tuple[str | None, str | None]] = Counter()

    def add(self, record: Mapping[str, Any]) -> None:
        """Count a record; one that was asked no primary question about a pair does not."""
        target = record["target"]
        answers = {turn["name"]: turn["label"] for turn in record.get("turns") or ()}
        pair = self._pairs.get(target)
        if not pair or "primary" not in answers:
            return
        primary, secondary = answers["primary"], answers.get("secondary")
        reason = str(record["reason"] or "")
        self._reasons["unparsed" if reason.startswith("unparsed") else reason] += 1
        self._answers[primary, secondary] += 1
        if primary in pair:
            self._begun[target] += 1
            self._ended[target] += secondary in pair - {primary}

    def diagnostics(self) -> dict[str, Any] | None:
        """Return what `chain_diagnostics` does."""
        asked, begun, ended = self._answers.total(), self._begun.total(), self._ended.total()
        if not asked:
            return None
        return {
            "samples": asked,
            "right_primaries": begun,
            "primary_in_pair": begun / asked,
            "primary_in_pair_interval": list(wilson_interval(begun, asked)),
            "secondary_given_right_primary": ended / begun if begun else None,
            "secondary_given_right_primary_interval": list(wilson_interval(ended, begun)) if begun else None,
            "oracle_primary": self._oracle() if begun else None,
            **{reason.replace("-", "_"): self._reasons[reason] for reason in REASONS},
            "primary_secondary": self._table(),
        }

    def _oracle(self) -> dict[str, float]:
        """Return WAR and UAR over the samples whose primary answer was right; classes without any are left out."""
        n, hits = self._begun, self._ended
        return {"war": hits.total() / n.total(), "uar": sum(hits[label] / n[label] for label in n) / len(n)}

    def _table(self) -> dict[str, Any]:
        """Count primary by secondary answers; the last row and column are for answers without a label."""
        answers = [*self._basic, None]
        rows = [[self._answers[first, second] for second in answers] for first in answers]
        return {"labels": [*self._basic, "INVALID"], "rows": rows}
