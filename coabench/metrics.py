"""The figures of a run: recall, UAR, WAR, macro-F1, and what a chain of questions got wrong.

Everything derives from a confusion matrix of shape (…, k, k + 1): true class by predicted class, with one more
column for samples that got no label. Such a sample (INVALID, or an error) is wrong and counted; it is never a class.
The functions take any number of leading axes, so the same formula gives the figure of a run and of its 10,000
bootstrap replicates.

A metric of a plugin is called with ``(targets, predictions, space)``: two sequences of label names of equal length
(a prediction may be None) and the `coabench.labels.LabelSpace`; it returns a float.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from coabench import statistics
from coabench.errors import UserError
from coabench.statistics import Counts, Figures

SCHEMA = 1
"""The version of what `summarise` returns."""


def encode(labels: Iterable[str | None], names: Sequence[str]) -> Counts:
    """Return labels as integers, shape (n,): the index in *names*, or ``len(names)`` for None (INVALID).

    Raises:
        UserError: a label is not among *names*.
    """
    index: dict[str | None, int] = {name: i for i, name in enumerate(names)}
    index[None] = len(names)
    try:
        return np.array([index[label] for label in labels], dtype=np.int64)
    except KeyError as error:
        raise UserError(
            f"{error.args[0]!r} is no label of this label space",
            expected=", ".join(names),
            remedy="use the label space that the predictions were made with",
        ) from None


def confusion_matrix(targets: npt.ArrayLike, predictions: npt.ArrayLike, k: int) -> Counts:
    """Count predictions by true class.

    Args:
        targets: true classes, shape (n,), each within 0…k−1.
        predictions: predicted classes, shape (n,), each within 0…k, where k stands for "no label".
        k: the number of classes.

    Returns:
        Counts, shape (k, k + 1).

    Raises:
        ValueError: the shapes differ, or a class is out of range.
    """
    true, predicted = np.asarray(targets, dtype=np.int64), np.asarray(predictions, dtype=np.int64)
    if true.shape != predicted.shape or true.ndim != 1:
        raise ValueError(f"targets {true.shape} and predictions {predicted.shape} must be vectors of one length")
    if true.size and not (true.min() >= 0 and true.max() < k and predicted.min() >= 0 and predicted.max() <= k):
        raise ValueError(f"a class is out of range for {k} classes")
    return np.bincount(true * (k + 1) + predicted, minlength=k * (k + 1)).reshape(k, k + 1).astype(np.int64)


def recalls(confusion: Counts) -> Figures:
    """Return hits / samples of each class, shape (…, k); NaN for a class without samples."""
    n = confusion.sum(axis=-1)
    return _ratio(_hits(confusion), n)


def uar(confusion: Counts) -> Figures:
    """Return the unweighted average recall, shape (…): the mean of the recalls of the classes that have samples.

    The measure of RAF-DB (Li, Deng and Du, CVPR 2017: the mean of the diagonal of the normalised confusion matrix),
    and scikit-learn's ``balanced_accuracy_score``.
    """
    return _mean_over(recalls(confusion), confusion.sum(axis=-1) > 0)


def war(confusion: Counts) -> Figures:
    """Return the weighted average recall, shape (…): hits / samples. The same as accuracy."""
    n = confusion.sum(axis=(-2, -1))
    return _ratio(_hits(confusion).sum(axis=-1), n)


def macro_f1(confusion: Counts) -> Figures:
    """Return the mean F1 of the classes that have samples, shape (…).

    F1 of a class is ``2·hits / (samples + predictions)``, the harmonic mean of its recall and precision. The mean
    runs over the same classes as the UAR. So a prediction of a class that has no samples costs its true class a hit,
    as INVALID does, but adds no class. Equals scikit-learn's ``f1_score(average="macro", labels=<classes with
    samples>, zero_division=0)``.
    """
    n, predicted = confusion.sum(axis=-1), confusion[..., :-1].sum(axis=-2)
    return _mean_over(_ratio(2 * _hits(confusion), n + predicted), n > 0)


def _hits(confusion: Counts) -> Counts:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _ratio(parts: npt.NDArray[Any], wholes: Counts) -> Figures:
    """Return parts / wholes, NaN where a whole is 0."""
    result: Figures = np.full(wholes.shape, np.nan)
    np.divide(parts, wholes, out=result, where=wholes > 0)
    return result


def _mean_over(values: Figures, present: npt.NDArray[np.bool_]) -> Figures:
    """Return the mean along the last axis of the *values* that are *present*, NaN where none is."""
    return _ratio(np.where(present, values, 0.0).sum(axis=-1), present.sum(axis=-1))


def summarise(
    records: Iterable[Mapping[str, Any]], labels: Mapping[str, Any], log_sha256: str | None = None
) -> dict[str, Any]:
    """Return the metrics of a run, ready for ``metrics.json``.

    Args:
        records: the run's records, each with ``target``, ``prediction``, ``status``, ``reason`` and ``turns``.
        labels: the manifest's ``labels``: ``names``, and for compound labels ``pairs``.
        log_sha256: the hash of the log that the records were read from, kept so that it can be told later whether
            the metrics still belong to the log.

    Returns:
        Plain numbers, strings, lists and dictionaries; proportions are within 0…1, an interval is ``[low, high]``, a
        class without samples has ``None`` for its recall. The same records give the same result.

    Raises:
        UserError: there are no records, or one has no target or a label that the space does not know.
    """
    records = list(records)
    names = list(labels["names"])
    if not records:
        raise UserError("there are no records to compute metrics from", expected="at least one record in the log")
    for record in records:
        if record["target"] is None:
            raise UserError(f"the record {record.get('id')!r} has no target", expected="a true label for each sample")

    given = [record["prediction"] if record["status"] == "ok" else None for record in records]
    confusion = confusion_matrix(encode((r["target"] for r in records), names), encode(given, names), len(names))
    drawn = statistics.bootstrap(confusion)
    hits, n = _hits(confusion), confusion.sum(axis=-1)
    errors = sum(record["status"] == "error" for record in records)
    invalid = int(confusion[:, -1].sum()) - errors
    return {
        "schema": SCHEMA,
        "log_sha256": log_sha256,
        "samples": len(records),
        "uar": float(uar(confusion)),
        "uar_interval": list(statistics.percentile_interval(uar(drawn))),
        "war": float(war(confusion)),
        "war_interval": list(statistics.wilson_interval(int(hits.sum()), len(records))),
        "macro_f1": float(macro_f1(confusion)),
        "macro_f1_interval": list(statistics.percentile_interval(macro_f1(drawn))),
        "level": statistics.LEVEL,
        "bootstrap": {"replicates": statistics.REPLICATES, "seed": statistics.SEED},
        "invalid": invalid,
        "errors": errors,
        "invalid_rate": invalid / len(records),
        "reasons": dict(sorted(Counter(r["reason"] or "unknown" for r in records if r["status"] == "invalid").items())),
        "per_class": {name: _proportion(int(h), int(m)) for name, h, m in zip(names, hits, n, strict=True)},
        "confusion": {"labels": [*names, "INVALID"], "rows": confusion.tolist()},
        "chain": _chain(records, labels.get("pairs") or {}),
    }


def _proportion(hits: int, n: int) -> dict[str, Any]:
    if not n:
        return {"n": 0, "hits": 0, "recall": None, "interval": None}
    return {"n": n, "hits": hits, "recall": hits / n, "interval": list(statistics.wilson_interval(hits, n))}


def _chain(records: Sequence[Mapping[str, Any]], pairs: Mapping[str, Sequence[str] | None]) -> dict[str, Any] | None:
    """Say where a chain of two questions goes wrong; None for runs that asked no primary question about a pair.

    A compound label needs two answers. The first is right when it belongs to the label's pair; given that, the
    second is right when it is the other one. The product of the two rates is the WAR over these samples.
    """
    asked = []
    for record in records:
        answers = {turn["name"]: turn["label"] for turn in record.get("turns") or ()}
        pair = pairs.get(record["target"])
        if pair and "primary" in answers:
            asked.append((set(pair), answers["primary"], answers.get("secondary"), record["reason"] or ""))
    if not asked:
        return None

    begun = [(pair - {primary}, secondary) for pair, primary, secondary, _ in asked if primary in pair]
    ended = sum(secondary in rest for rest, secondary in begun)
    reasons = Counter("unparsed" if reason.startswith("unparsed") else reason for *_, reason in asked)
    return {
        "samples": len(asked),
        "right_primaries": len(begun),
        "primary_in_pair": len(begun) / len(asked),
        "primary_in_pair_interval": list(statistics.wilson_interval(len(begun), len(asked))),
        "secondary_given_right_primary": ended / len(begun) if begun else None,
        "secondary_given_right_primary_interval": (
            list(statistics.wilson_interval(ended, len(begun))) if begun else None
        ),
        **{
            reason.replace("-", "_"): reasons[reason]
            for reason in ("repeated", "neutral-first", "neutral-second", "no-class", "unparsed")
        },
    }
