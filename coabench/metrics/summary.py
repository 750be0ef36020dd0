"""The metrics of a run, put together: what stands in ``metrics.json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from coabench.base.vocabulary import ERROR, INVALID
from coabench.metrics import statistics
from coabench.metrics.chain import Chain
from coabench.metrics.confidences import Confidences
from coabench.metrics.headline import FIGURES
from coabench.metrics.label_scores import log_probabilities, second_choice
from coabench.metrics.predictions import Predicted, Reading
from coabench.metrics.stimuli import Stimuli
from coabench.metrics.top_two import TopTwo
from coabench.metrics.votes import Votes

SCHEMA = 3
"""The version of what `summarise` returns."""


def summarise(
    records: Iterable[Mapping[str, Any]], labels: Mapping[str, Any], log_sha256: str | None = None
) -> dict[str, Any]:
    """Return the metrics of a run, ready for ``metrics.json``.

    Args:
        records: the run's records, each with ``target``, ``prediction``, ``status``, ``reason`` and ``turns``.
        labels: the manifest's ``labels``: ``names``, and for compound labels ``pairs``.
        log_sha256: the hash of the log that the records were read from, by which one sees whether the metrics
            still belong to the log.

    Returns:
        Plain numbers, strings, lists and dictionaries; proportions are within 0…1, an interval is ``[low, high]``, a
        class without samples has ``None`` for its recall. The same records give the same result.

    Raises:
        UserError: there are no records, or one has no target or a label that the space does not know.
    """
    names = list(labels["names"])
    reading, chain, confidences = Reading(names), Chain(labels), Confidences(names)
    votes, top_two, stimuli = Votes(names), TopTwo(), Stimuli()
    statuses: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for record in records:  # one pass, nothing of it kept but codes and counts: there may be millions
        reading.add(record)
        chain.add(record)
        known = log_probabilities(record, names, confidences.add(record))
        votes.add(record, known)
        stimuli.add(record)
        top_two.add(record, second_choice(record, names, known))
        statuses[record["status"]] += 1
        if record["status"] == INVALID:
            reasons[record["reason"] or "unknown"] += 1
    predicted = reading.predicted(Predicted)
    confusion = predicted.confusion
    hits, n = confusion.diagonal(), confusion.sum(axis=-1)
    figures: dict[str, Any] = {}
    reasons_of: dict[str, str] = {}
    for headline in FIGURES:
        (value, low, high), why = headline.measure(predicted)
        figures |= {headline.name: value, f"{headline.name}_interval": None if why else [low, high]}
        reasons_of |= {headline.name: why} if why else {}
    controlled = stimuli.figures(predicted)
    samples, errors = len(predicted), statuses[ERROR]
    invalid = int(confusion[:, -1].sum()) - errors
    return {
        "schema": SCHEMA,
        "log_sha256": log_sha256,
        "samples": samples,
        **figures,
        "no_interval": reasons_of,
        "level": statistics.LEVEL,
        "bootstrap": {
            "replicates": statistics.REPLICATES,
            "seed": statistics.SEED,
            "subjects": predicted.subjects,
        },
        "invalid": invalid,
        "errors": errors,
        "invalid_rate": invalid / samples,
        "reasons": dict(sorted(reasons.items())),
        "per_class": {name: _proportion(int(h), int(m)) for name, h, m in zip(predicted.names, hits, n, strict=True)},
        "confusion": {"labels": [*predicted.names, "INVALID"], "rows": confusion.tolist()},
        "chain": chain.diagnostics(),
        "top_2": top_two.figure(predicted),
        "votes": votes.figures(predicted),
        "calibration": confidences.figures and confidences.figures.to_json(),
        **({"stimuli": controlled.to_json()} if controlled else {}),
    }


def _proportion(hits: int, n: int) -> dict[str, Any]:
    if not n:
        return {"n": 0, "hits": 0, "recall": None, "interval": None}
    return {"n": n, "hits": hits, "recall": hits / n, "interval": list(statistics.wilson_interval(hits, n))}
