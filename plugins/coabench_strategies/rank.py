"""``rank``: all basic emotions in order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from coabench.dialogue import Prediction, Task
from coabench.inference.parsing import RULES
from coabench.labels import Choices
from coabench.strategy import Conversation
from coabench_strategies.prompted import Prompted

_SEPARATOR = re.compile(r"[,;>]")
_MARK = re.compile(r"^(?:(?:and|then)\s+)?[*_]*(?:[-–—•]\s+|\(?\d{1,2}[.):]\s*)?", re.IGNORECASE)


class Rank(Prompted):
    """One open question for the order of all basic emotions, strongest first.

    On compound labels the first two that are not Neutral make the pair; on basic labels the first is the label.
    """

    name = "rank"
    file = "rank"

    def converse(self, task: Task) -> Conversation:
        # An open question: its answer is a list, not one of its options.
        answer = yield replace(self.prompts.question("rank", task), options=Choices(), recognised=Choices())
        ranked = read_rank(answer.response, task.space.spellings(task.basic))
        if ranked is None:
            return Prediction.invalid("unparsed-rank")
        return replace(self._conclusion(task, ranked), details={"rank": ranked})

    def _conclusion(self, task: Task, ranked: list[str]) -> Prediction:
        if not task.space.compound:
            return Prediction(ranked[0]) if ranked[0] in task.labels else Prediction.invalid("no-class")
        felt = [emotion for emotion in ranked if emotion != task.space.neutral]
        return task.combine(felt[0], felt[1]) if len(felt) > 1 else Prediction.invalid("short-rank")


def read_rank(response: str, spellings: Mapping[str, str]) -> list[str] | None:
    """Read a list of different emotions, and nothing else; None for anything that is not one.

    One emotion a line, or all in one line between commas, semicolons or ">"; numbers or bullets before them, quotes,
    asterisks and final punctuation around them do not count. Every item has to be a spelling of an emotion as a whole.
    The list may stop early, since a ranking cut short says no less about its beginning.

    Args:
        response: the raw text.
        spellings: folded spelling -> emotion, from `coabench.labels.LabelSpace.spellings`.
    """
    lines = [line for line in response.splitlines() if line.strip()]
    items = lines if len(lines) > 1 else _SEPARATOR.split(response)
    read = (RULES["synonym"](_MARK.sub("", item.strip(), count=1), spellings) for item in items)
    ranked = [emotion for emotion in read if emotion is not None]
    return ranked if len(ranked) == len(items) == len(set(ranked)) else None
