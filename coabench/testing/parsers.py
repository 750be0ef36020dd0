"""Checks of a parser: it never guesses, and the same response always means the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from time import perf_counter as clock
from typing import Any

from coabench.labels import LabelSpace
from coabench.parser import Parsed, Parser, Response
from coabench.registry.registrations import Registration
from coabench.testing.check import Check, Checks
from coabench.testing.defects import parsers as defects
from coabench.testing.findings import Finding
from coabench.testing.spaces import BASIC, COMPOUND

NOTHING = (
    "", " \n\t ", "\x00\x1b[31m {0} %s {{ options }} \\", "I cannot tell.", "The face is turned away.", "?", "[]", "{}",
)  # fmt: skip
"""Responses without a label."""
DOUBTFUL = (
    "{a} or {b}", "Either {a} or {b}.", "{a}, {b}", "{a}\n{b}", "- {a}\n- {b}", "It is not {a}.", "Not {a}",
    "I first thought of {a}, then of {b}, and cannot tell.",
)  # fmt: skip
"""Responses that name two labels, or deny one."""
LONG = ("so the answer is, " * 1200, "(" * 20_000, "not " * 5000 + "this", "a, " * 7000)


def check(parser: str | Registration | Parser) -> list[Finding]:
    """Check a parser (the name it is registered under, its registration, or the target) and return what is wrong."""
    return _Checks(parser).result()


class _Checks(Checks):
    kind = "parsers"

    def checks(self) -> Iterator[Check]:
        self.parser = self.load()
        self.need(callable(self.parser), defects.NOT_PARSED, f"the target is {self.parser!r}")
        self.stop_where_wrong()
        for space in (BASIC, COMPOUND):
            yield from (partial(self.answers, space), partial(self.unclear, space), partial(self.long, space))

    def answers(self, space: LabelSpace) -> None:
        """Read every label, alone."""
        read = [self.read(name, space).label for name in space.names]
        self.need(any(read), defects.READS_NOTHING, repr(space.names[0]))
        for name, label in zip(space.names, read, strict=True):
            self.need(label in (None, name), defects.GUESSES, f"{label!r} from {name!r}")

    def unclear(self, space: LabelSpace) -> None:
        """Read what says nothing, and what says two things."""
        a, b = space.names[0], space.names[-2]
        for text in (*NOTHING, *(form.format(a=a, b=b) for form in DOUBTFUL)):
            label = self.read(text, space).label
            self.need(label is None, defects.GUESSES, f"{label!r} from {text!r}")

    def long(self, space: LabelSpace) -> None:
        for text in LONG:
            started = clock()
            self.read(text, space)
            seconds = (clock() - started) / 2
            self.need(seconds < defects.MOST_SECONDS, defects.SLOW, f"{seconds:.1f} seconds for {text[:20]!r}…")

    def read(self, text: str, space: LabelSpace) -> Parsed:
        """Read a response twice."""
        once, again = (
            self.attempt(defects.FAILS, self.parser, Response(text, space.names, space.spellings(space.names)))
            for _ in range(2)
        )
        if not _is_parsed(once):
            self.fail(defects.NOT_PARSED, f"{once!r} for {text[:80]!r}"[:200])
        self.need(once == again, defects.UNSTEADY, f"{once} and {again} for {text[:80]!r}")
        if once[0] is not None and once[0] not in space.names:
            self.fail(defects.NO_LABEL, f"{once[0]!r} for {text[:80]!r}")
        return Parsed(*once)


def _is_parsed(value: Any) -> bool:
    if not isinstance(value, tuple) or len(value) != 2:
        return False
    label, match = value
    return match is None if label is None else isinstance(label, str) and isinstance(match, str) and bool(match)
