"""The log of a training, read again: losses and dev scores over its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from coabench.base.jsonlines import InvalidLine, read_lines
from coabench.base.reading import exists, why
from coabench.errors import UserError
from coabench.metrics.headline import Estimate

LOG = "training.jsonl"
LEAST, MOST = 1e-30, 1e30
"""Numbers that a chart can show, but for 0."""


@dataclass(frozen=True)
class Entry:
    """What was logged after a step: numbers by name."""

    step: int
    numbers: Mapping[str, float]

    def estimate(self, name: str) -> Estimate:
        """Return a dev score with its interval, as far as they were logged."""
        return Estimate(*(self.numbers.get(prefix + name) for prefix in ("", "low ", "high ")))

    def percents(self, name: str) -> tuple[float | None, float | None, float | None]:
        """Return the same in percent, within 0…100."""
        value, low, high = (
            None if value is None else round(100 * min(1.0, max(0.0, value)), 6) for value in self.estimate(name)
        )
        return value, low, high


@dataclass(frozen=True)
class TrainingLog:
    """The log of a training, as far as it can be read.

    Attributes:
        losses: the entries with a ``loss``, in the order of the steps.
        evaluations: those with a ``uar``.
        seen: question -> answer -> examples up to the last step; empty where 0.1.0 wrote the log.
        problem: why there is no more; None where all was read.
    """

    losses: Sequence[Entry] = ()
    evaluations: Sequence[Entry] = ()
    seen: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    problem: str | None = None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the log in a training's folder, up to a line that is damaged.

        Raises:
            UserError: it cannot be opened.
        """
        path = folder / LOG
        if not exists(path):
            return cls(problem=f"There is no {LOG}: how the training went is not known.")
        losses: list[Entry] = []
        evaluations: list[Entry] = []
        seen: Mapping[str, Mapping[str, int]] = {}
        problem = None
        try:
            for line in read_lines(path):
                entry = _entry(line.number, line.data)
                losses += [entry] if "loss" in entry.numbers else []
                evaluations += [entry] if "uar" in entry.numbers else []
                seen = _seen(line.data.get("seen")) or seen
        except InvalidLine as error:
            problem = f"Line {error.number} of {LOG} is damaged: what comes after it is not shown."
        except OSError as error:
            raise UserError(f"the log {path} cannot be read", found=why(error), remedy="restore it") from None
        for entries in (losses, evaluations):
            entries.sort(key=lambda entry: entry.step)
        return cls(losses, evaluations, seen, problem)

    @property
    def last_step(self) -> int:
        """The last step that was logged; 0 without one."""
        return max((entries[-1].step for entries in (self.losses, self.evaluations) if entries), default=0)

    @property
    def aim(self) -> str:
        """What the training aims at: ``reward`` where answers were rewarded, else ``loss``."""
        return "reward" if any("reward" in entry.numbers for entry in self.losses) else "loss"

    def evaluation(self, step: int | None) -> Entry | None:
        """Return the evaluation after a step."""
        return next((entry for entry in self.evaluations if entry.step == step), None)

    @property
    def seconds(self) -> float | None:
        """The seconds that it took up to the last entry; None without one."""
        each = [entries[-1].numbers.get("seconds") for entries in (self.losses, self.evaluations) if entries]
        return max((seconds for seconds in each if seconds is not None), default=None)

    @property
    def best(self) -> Entry | None:
        """The evaluation with the best mean UAR, the first of equals; None where nothing was evaluated."""
        return max(self.evaluations, key=lambda entry: entry.numbers["uar"], default=None)


def _entry(number: int, data: Mapping[str, Any]) -> Entry:
    step = data.get("step")
    if type(step) is not int or not 0 <= step <= MOST:
        raise InvalidLine(number, "no step")
    return Entry(step, {name: float(value) for name, value in data.items() if _fits(value)})


def _fits(value: object) -> bool:
    return type(value) in (int, float) and (value == 0 or LEAST <= abs(value) <= MOST)  # type: ignore[arg-type]


def _seen(data: object) -> dict[str, dict[str, int]]:
    """Return the counts of a line, without what is none."""
    questions = data.items() if isinstance(data, dict) else ()
    return {
        str(question): {answer: n for answer, n in answers.items() if type(n) is int and n >= 0}
        for question, answers in questions
        if isinstance(answers, dict)
    }
