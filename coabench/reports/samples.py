"""Every sample of a run, or of two, as columns for the page's viewer: compact, so that 100,000 samples stay usable.

A text that occurs more than once (prompts, labels, most responses) is stored once, in ``strings``; everything else
refers to it by number, −1 for none. The turns of all samples stand one after another; ``asked`` says how many each
sample has. ``coabench/reports/viewer_data.js`` reads this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from coabench.base.names import UNWRITABLE
from coabench.base.vocabulary import STATUSES
from coabench.cropping.step import NAME as CROP
from coabench.metrics.calibration import confidence_of
from coabench.reports.aligned import attributes_of
from coabench.reports.thumbnails import Thumbnails

VIEWER_STYLES = ("viewer.css",)
VIEWER_SCRIPTS = ("viewer_data.js", "viewer_csv.js", "viewer_sheet.js", "viewer_keys.js", "viewer.js")
"""What a page that includes ``viewer.html`` has beside it."""


def link(*filters: tuple[str, str], **more: str) -> str:
    """Return the address, within the page, of the viewer with filters set: names with their values."""
    return "#" + urlencode([*filters, *more.items()], errors=UNWRITABLE)


class _Table:
    """Texts (or other values), each once, known by their number."""

    def __init__(self) -> None:
        self._index: dict[Any, int] = {}

    def __call__(self, value: Any) -> int:
        return -1 if value is None else self._index.setdefault(value, len(self._index))

    @property
    def values(self) -> list[Any]:
        return list(self._index)


def columns(
    runs: Sequence[tuple[str, Sequence[Mapping[str, Any]]]],
    labels: Mapping[str, Any],
    groups: Sequence[str],
    pictures: Thumbnails | None,
) -> dict[str, Any]:
    """Return the records as columns: what is known of each sample, then what each run said about it.

    Args:
        runs: the name and the records of one run or of two, of the same samples in the same order.
        labels: the manifest's ``labels``: ``names``, and ``basic``.
        groups: the attributes that make groups, to filter by.
        pictures: the images of the samples; None for a page without, and may lack some.
    """
    text, question = _Table(), _Table()
    records = runs[0][1]
    given = [attributes_of(sample) for sample in zip(*(own for _, own in runs), strict=True)]
    attributes = dict.fromkeys(key for values in given for key in values)
    data = {
        "names": [text(name) for name in labels["names"]],
        "groups": list(groups),
        "id": [str(record["id"]) for record in records],
        "image": [text(record.get("image")) for record in records],
        "target": [text(record["target"]) for record in records],
        "face": [text(_face(record)) for record in records],
        "votes": [text(_most_first(record.get("votes") or {})) for record in records],
        "attributes": {key: [text(_shown(values.get(key))) for values in given] for key in attributes},
        "runs": [{"name": name, **_answers(own, text, question)} for name, own in runs],
        "pictured": pictures is not None,
        "images": _in_order(records, pictures.images if pictures else {}),
        "originals": _in_order(records, pictures.originals if pictures else {}),
    }
    return data | {"questions": question.values, "strings": text.values}


def _answers(records: Sequence[Mapping[str, Any]], text: _Table, question: _Table) -> dict[str, Any]:
    """Return what a run said about each sample."""
    turns = [turn for record in records for turn in record["turns"]]
    return {
        "prediction": [text(record["prediction"]) for record in records],
        "status": [STATUSES.index(record["status"]) for record in records],
        "reason": [text(record["reason"]) for record in records],
        "seconds": [_rounded(record.get("seconds")) for record in records],
        "confidence": [_rounded(confidence_of(record)) for record in records],
        "exemplars": [text(", ".join(map(str, r["exemplars"])) if r.get("exemplars") else None) for r in records],
        "asked": [len(record["turns"]) for record in records],
        "turns": {
            "question": [
                question((text(turn["name"]), text(turn["prompt"]), *map(text, turn["options"]))) for turn in turns
            ],
            "response": [text(turn["response"]) for turn in turns],
            "label": [text(turn["label"]) for turn in turns],
            "match": [text(turn.get("match")) for turn in turns],
            "scores": [_scores(turn) for turn in turns],
            "tokens": [[turn.get(kind) for kind in ("prompt_tokens", "cached_tokens", "new_tokens")] for turn in turns],
        },
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _shown(value: Any) -> str | None:
    """Return an attribute's value as text; what is not a single value as JSON."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _in_order(records: Sequence[Mapping[str, Any]], images: Mapping[str, str]) -> list[str | None] | None:
    return [images.get(str(record["id"])) for record in records] if images else None


def _face(record: Mapping[str, Any]) -> str | None:
    """Return where the face is that the picture was cropped to: ``60×60 at 40,30 of 1, score 0.91``."""
    facts = (record.get("preparation") or {}).get(CROP)
    if facts is None:
        return None
    if facts["box"] is None:
        return "none found"
    left, top, right, bottom = facts["box"]
    return f"{right - left}×{bottom - top} at {left},{top}, score {facts['score']:g}, {facts['faces']} found"


def _most_first(votes: Mapping[str, float]) -> str | None:
    """Return votes as text, the label with the most first: ``Anger 7, Fear 3``."""
    most_first = sorted(votes.items(), key=lambda vote: -vote[1])
    return ", ".join(f"{label} {number:g}" for label, number in most_first if number) or None


def _scores(turn: Mapping[str, Any]) -> list[float | None] | None:
    """Return the options' log-probabilities in the options' order."""
    scores = turn.get("scores")
    return None if scores is None else [_rounded(scores.get(option)) for option in turn["options"]]
