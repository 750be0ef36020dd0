"""Why an answer has no label, in the words of people."""

from __future__ import annotations

from coabench.base.text import safe
from coabench.base.vocabulary import ERROR
from coabench.dialogue import Prediction

WORDS = {
    "repeated": "both answers are the same emotion",
    "neutral-first": "the first answer is Neutral",
    "neutral-second": "the second answer is Neutral",
    "no-class": "the two emotions make none",
    "unparsed-answer": "the answer is no option",
    "unparsed-primary": "the first answer is no option",
    "unparsed-secondary": "the second answer is no option",
    "unparsed-rank": "the answer is no list of emotions",
    "short-rank": "the list has too few emotions",
    "tied": "two labels got equally many votes",
    "no-label": "the strategy gave none",
}
"""The reasons of `coabench.dialogue.Prediction` that the bench's own strategies give."""
LONGEST = 60
"""Characters of what a plugin or a model says."""


def why_no_label(prediction: Prediction) -> str | None:
    """Return why there is no label (``no-class``: ``the two emotions make none``); None where there is one."""
    if prediction.label is not None:
        return None
    reason = prediction.reason or ""
    if prediction.status == ERROR:
        return f"unusable image: {safe(reason, LONGEST)}" if reason else "unusable image"
    question = reason.removeprefix("unparsed-")
    unparsed = f"the answer to {safe(question, LONGEST)} is no option" if question != reason else None
    return WORDS.get(reason) or unparsed or safe(reason, LONGEST) or "an invalid answer"
