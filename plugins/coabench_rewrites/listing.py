"""The lists of labels in the text of a question."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from coabench.dialogue import Question
from coabench.errors import UserError

QUOTES = "\"'`*“”‘’«»"
WORDS = "or|and|oder|ou|o|または|或"
"""What stands before the last label of a list."""
SEPARATOR = re.compile(
    rf"[{QUOTES}\s]*(?:(?:[,;/|、]|\n)\s*)?(?:(?:{WORDS})\s+)?(?:[-–•]\s+|\(?\w{{1,2}}[.):]\s+)?[{QUOTES}\s]*"
)
"""What stands between two labels of a list, and never more."""


class Slot(NamedTuple):
    """A label in a text: where it begins and ends, and which it is."""

    begin: int
    end: int
    label: str


def mentions(text: str, names: Sequence[str]) -> Iterator[Slot]:
    """Yield every label in a text, as a word of its own and letter by letter."""
    if names:
        longest_first = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
        for match in re.finditer(rf"(?<!\w)(?:{longest_first})(?!\w)", text):
            yield Slot(match.start(), match.end(), match[0])


def lists(text: str, names: Sequence[str]) -> list[list[Slot]]:
    """Return the lists of two labels or more in a text."""
    found: list[list[Slot]] = []
    for slot in mentions(text, names):
        between = text[found[-1][-1].end : slot.begin] if found else ""
        if found and between.strip() and SEPARATOR.fullmatch(between):
            found[-1].append(slot)
        else:
            found.append([slot])
    return [slots for slots in found if len(slots) > 1]


def replaced(text: str, parts: Sequence[tuple[int, int, str]]) -> str:
    """Return a text with parts of it, in order, replaced."""
    made, done = [], 0
    for begin, end, new in parts:
        made += [text[done:begin], new]
        done = end
    return "".join([*made, text[done:]])


def in_lists(question: Question, edit: Callable[[str, list[Slot]], list[tuple[int, int, str]]]) -> Question:
    """Return a question whose lists of labels, in the chat before it too, are edited.

    Args:
        edit: returns what is replaced in a text, for the slots of one of its lists.

    Raises:
        UserError: its options are not listed in it, in their order.
    """
    names = question.recognised

    def edited(text: str) -> str:
        parts = [part for slots in lists(text, names) for part in edit(text, slots)]
        return replaced(text, parts)

    if tuple(question.options) not in [tuple(s.label for s in slots) for slots in lists(question.prompt, names)]:
        raise UserError(
            f"the question {question.name!r} does not list its options in a way that can be rewritten",
            expected=f"a list with commas or lines: {', '.join(question.options)}",
            found=question.prompt[:300],
            remedy="leave this rewrite out, or choose another --strategy",
        )
    return in_texts(question, edited)


def in_texts(question: Question, edit: Callable[[str], str], answer: Callable[[str], str] = str) -> Question:
    """Return a question with its text, and those of the chat before it, edited; *answer* edits what was answered."""
    context = tuple(
        replace(message, text=(edit if message.role == "user" else answer)(message.text))
        for message in question.context
    )
    return replace(question, prompt=edit(question.prompt), context=context)


def with_quotes(text: str, slot: Slot) -> tuple[int, int]:
    """Return where a label begins and ends together with the quotation marks around it."""
    begin, end = slot.begin, slot.end
    quoted = begin > 0 and end < len(text) and text[begin - 1] in QUOTES and text[end] in QUOTES
    return (begin - 1, end + 1) if quoted else (begin, end)
