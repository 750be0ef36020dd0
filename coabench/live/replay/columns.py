"""A session as columns, which take a fifth of the space of rows and are what the page's scripts read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import Any, Generic, TypeVar

from coabench.dialogue import Prediction
from coabench.live.reasons import why_no_label
from coabench.live.replay.reader import SessionLog
from coabench.metrics.calibration import confidence

Item = TypeVar("Item", bound=Hashable)
FIRST = "A"
"""What answers where the log names nobody: one alone."""


class Pool(Generic[Item]):
    """Every item once, numbered."""

    def __init__(self) -> None:
        self._numbers: dict[Item, int] = {}

    def number(self, item: Item) -> int:
        """Return the number of an item."""
        return self._numbers.setdefault(item, len(self._numbers))

    @property
    def items(self) -> list[Item]:
        """All items, by number."""
        return list(self._numbers)


def columns(log: SessionLog) -> dict[str, Any]:
    """Return the answers and notes of a session, in the order of their times.

    Returns:
        ``strings``; ``questions``: lists of numbers of strings, name, prompt, options; ``faces``: their numbers;
        ``answerers``: their names; ``labels``: the labels, the most frequent first; ``answers``: column -> a list with
        one value per answer; ``turns``: the same per turn, the turns of each answer one after the other
        (``answers.asked`` counts them); ``notes``: pairs of time and text; ``gaps``: begin, end and reason of each.
    """
    rows = sorted(log.answers, key=lambda row: row["time"])
    strings, questions = Pool[str](), Pool[tuple[int, ...]]()
    faces, answerers = sorted({row["track"] for row in rows}), sorted({row.get("answerer", FIRST) for row in rows})
    place = {face: number for number, face in enumerate(faces)}
    named = Counter(row["prediction"] for row in rows if row["prediction"] is not None)
    turns = [turn for row in rows for turn in row["turns"]]

    def text(value: str | None) -> int:
        return -1 if value is None else strings.number(value)

    def question(turn: Mapping[str, Any]) -> int:
        words = (turn["name"], turn["prompt"], *turn["options"])
        return questions.number(tuple(strings.number(word) for word in words))

    return {
        "answers": {
            "time": [round(row["time"], 3) for row in rows],
            "frame": [row["frame"] for row in rows],
            "face": [place[row["track"]] for row in rows],
            "answerer": [answerers.index(row.get("answerer", FIRST)) for row in rows],
            "label": [text(row["prediction"]) for row in rows],
            "why": [text(_why(row)) for row in rows],
            "status": [text(row["status"]) for row in rows],
            "reason": [text(row.get("reason")) for row in rows],
            "smoothed": [text(row.get("smoothed")) for row in rows],
            "confidence": [_confidence(row) for row in rows],
            "seconds": [None if (taken := row.get("seconds")) is None else round(taken, 3) for row in rows],
            "strategy": [text(row.get("strategy")) for row in rows],
            "file": [text(row.get("file")) for row in rows],
            "box": [[round(edge) for edge in row["box"]] for row in rows],
            "asked": [len(row["turns"]) for row in rows],
        },
        "turns": {
            "question": [question(turn) for turn in turns],
            "response": [text(turn["response"]) for turn in turns],
            "label": [text(turn["label"]) for turn in turns],
            "scores": [_scores(turn) for turn in turns],
        },
        "gaps": [[round(gap.time, 3), round(gap.time + gap.seconds, 3), gap.why] for gap in log.gaps],
        "notes": [[round(note.time, 3), note.text] for note in log.notes],
        "faces": faces,
        "answerers": answerers,
        "labels": [strings.number(label) for label, _ in named.most_common()],
        "strings": strings.items,
        "questions": questions.items,
    }


def _why(row: Mapping[str, Any]) -> str | None:
    """Return why an answer has no label, in words; None where it has one."""
    return why_no_label(Prediction(row["prediction"], row["status"], row.get("reason")))


def _confidence(row: Mapping[str, Any]) -> float | None:
    """Return how sure an answer is: what the log says, else what its scores make."""
    found = row["confidence"] if "confidence" in row else confidence(row["turns"])
    return None if found is None else round(found, 4)


def _scores(turn: Mapping[str, Any]) -> list[float | None] | None:
    """Return the scores of the options, in their order."""
    if turn["scores"] is None:
        return None
    found = [turn["scores"].get(option) for option in turn["options"]]
    return [None if score is None else round(score, 3) for score in found]
