"""Every sample of a run, or of two, as columns for the page's viewer: compact, so that 100,000 samples stay usable.

A text that occurs more than once (prompts, labels, most responses) is stored once, in ``strings``; everything else
refers to it by number, −1 for none. The turns of all samples stand one after another; ``asked`` says how many each
sample has. ``coabench/reports/viewer_data.js`` reads this.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
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
    names: Sequence[str],
    samples: Iterable[Sequence[Mapping[str, Any]]],
    labels: Mapping[str, Any],
    groups: Sequence[str],
    pictures: Thumbnails | None,
) -> dict[str, Any]:
    """Return records as columns: what is known of each sample, then what each run said about it.

    Args:
        names: of one run or of two.
        samples: the record of each run for each sample; read once, and none is kept.
        labels: the manifest's ``labels``: ``names``, and ``basic``.
        groups: the attributes that make groups, to filter by.
        pictures: the images of the samples; None for a page without, and may lack some.
    """
    text, question = _Table(), _Table()
    listed = [text(name) for name in labels["names"]]
    known: dict[str, list[Any]] = {key: [] for key in ("id", "image", "target", "face", "votes")}
    attributes: dict[str, list[int]] = {}
    runs = [_Answers(text, question) for _ in names]
    for number, sample in enumerate(samples):
        record = sample[0]
        known["id"].append(str(record["id"]))
        known["image"].append(text(record.get("image")))
        known["target"].append(text(record["target"]))
        known["face"].append(text(_face(record)))
        known["votes"].append(text(_most_first(record.get("votes") or {})))
        given = attributes_of(sample)
        for key in given:
            attributes.setdefault(key, [-1] * number)
        for key, values in attributes.items():
            values.append(text(_shown(given.get(key))))
        for run, own in zip(runs, sample, strict=True):
            run.add(own)
    return {
        "names": listed,
        "groups": list(groups),
        **known,
        "attributes": attributes,
        "runs": [{"name": name, **run.columns, "turns": run.turns} for name, run in zip(names, runs, strict=True)],
        "pictured": pictures is not None,
        "images": _in_order(known["id"], pictures.images if pictures else {}),
        "originals": _in_order(known["id"], pictures.originals if pictures else {}),
        "questions": question.values,
        "strings": text.values,
    }


class _Answers:
    """What a run said about each sample, and in each turn."""

    def __init__(self, text: _Table, question: _Table) -> None:
        self._text, self._question = text, question
        self._tokens: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        asked = "prediction", "status", "reason", "seconds", "confidence", "exemplars", "asked"
        self.columns: dict[str, list[Any]] = {key: [] for key in asked}
        said = "question", "response", "label", "match", "scores", "tokens"
        self.turns: dict[str, list[Any]] = {key: [] for key in said}

    def add(self, record: Mapping[str, Any]) -> None:
        text, add = self._text, self.columns
        add["prediction"].append(text(record["prediction"]))
        add["status"].append(STATUSES.index(record["status"]))
        add["reason"].append(text(record["reason"]))
        add["seconds"].append(_rounded(record.get("seconds")))
        add["confidence"].append(_rounded(confidence_of(record)))
        exemplars = record.get("exemplars")
        add["exemplars"].append(text(", ".join(map(str, exemplars)) if exemplars else None))
        add["asked"].append(len(record["turns"]))
        for turn in record["turns"]:
            self._add_turn(turn)

    def _add_turn(self, turn: Mapping[str, Any]) -> None:
        text, add = self._text, self.turns
        question = text(turn["name"]), text(turn["prompt"]), *map(text, turn["options"])
        add["question"].append(self._question(question))
        add["response"].append(text(turn["response"]))
        add["label"].append(text(turn["label"]))
        add["match"].append(text(turn.get("match")))
        add["scores"].append(_scores(turn))
        tokens = tuple(turn.get(kind) for kind in ("prompt_tokens", "cached_tokens", "new_tokens"))
        add["tokens"].append(self._tokens.setdefault(tokens, tokens))  # few differ


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _shown(value: Any) -> str | None:
    """Return an attribute's value as text; what is not a single value as JSON."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _in_order(ids: Sequence[str], images: Mapping[str, str]) -> list[str | None] | None:
    return [images.get(id) for id in ids] if images else None


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
