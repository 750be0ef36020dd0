"""How the options of a question are listed."""

from __future__ import annotations

import hashlib
import re
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from coabench.base.names import to_hash
from coabench.base.schema import between
from coabench.dialogue import Question
from coabench.labels import Choices
from coabench.rewrite import Rewrite, Rewritten
from coabench_rewrites.listing import Slot, in_lists, in_texts, mentions, replaced, with_quotes

MARKS = {"none": ("", ""), "single": ("'", "'"), "double": ('"', '"'), "guillemets": ("«", "»")}
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Order(Rewrite):
    """Lists the options in another order, those of earlier questions of the chat too."""

    needs_options = True

    @dataclass(frozen=True)
    class Options:
        """*rotate*: so many options from the first on move to the end; *seed*: a random order in place of that.

        All orders of a question with n options are rotated by 1 to n - 1; n is 0 again.
        """

        rotate: Annotated[int, between(1, 63)] = 1
        seed: Annotated[int, between(0, 2**31)] | None = None

    def rewrite(self, question: Question) -> Rewritten:
        def edit(text: str, slots: list[Slot]) -> list[tuple[int, int, str]]:
            order = self._order([slot.label for slot in slots])
            return [(slot.begin, slot.end, label) for slot, label in zip(slots, order, strict=True)]

        made = in_lists(question, edit)
        return Rewritten(replace(made, options=Choices(self._order(question.options))))

    def _order(self, labels: Sequence[str]) -> list[str]:
        seed, start = self.options.seed, self.options.rotate % len(labels)
        if seed is None:
            return [*labels[start:], *labels[:start]]
        return sorted(labels, key=lambda label: hashlib.sha256(to_hash(f"{seed}:{label}")).digest())


class Quotes(Rewrite):
    """Sets the options in other quotation marks, or in none."""

    needs_options = True

    @dataclass(frozen=True)
    class Options:
        """*style*: which."""

        style: Literal["none", "single", "double", "guillemets"] = "double"

    def rewrite(self, question: Question) -> Rewritten:
        before, after = MARKS[self.options.style]

        def edit(text: str, slots: list[Slot]) -> list[tuple[int, int, str]]:
            return [(*with_quotes(text, slot), f"{before}{slot.label}{after}") for slot in slots]

        return Rewritten(in_lists(question, edit))


class Numbering(Rewrite):
    """Numbers the options; the number alone, ``2``, is an answer too, where the parser reads spellings."""

    needs_options = True

    @dataclass(frozen=True)
    class Options:
        """*style*: of the numbers."""

        style: Literal["digits", "letters"] = "digits"

    def rewrite(self, question: Question) -> Rewritten:
        signs = LETTERS if self.options.style == "letters" else [str(number) for number in range(1, 100)]

        def edit(text: str, slots: list[Slot]) -> list[tuple[int, int, str]]:
            begins = [with_quotes(text, slot)[0] for slot in slots]
            return [(begin, begin, f"({sign}) ") for begin, sign in zip(begins, signs, strict=False)]

        made, spellings = in_lists(question, edit), {}
        for sign, option in zip(signs, question.options, strict=False):
            for text in (sign, f"({sign})", f"({sign}", f"({sign}) {option}", f"{sign}) {option}", f"{sign}. {option}"):
                spellings[text] = option
        return Rewritten(made, spellings=spellings)


class Comma(Rewrite):
    """Takes away the comma before the last option's "or", or puts it there: so do two published variants differ."""

    needs_options = True

    @dataclass(frozen=True)
    class Options:
        """*last*: whether it is there."""

        last: bool = False

    def rewrite(self, question: Question) -> Rewritten:
        def edit(text: str, slots: list[Slot]) -> list[tuple[int, int, str]]:
            begin, end = slots[-2].end, slots[-1].begin
            comma = "," if self.options.last else ""
            return [(begin, end, re.sub(r",?(\s+(?:or|and|oder|ou|o)\b)", rf"{comma}\1", text[begin:end]))]

        return Rewritten(in_lists(question, edit))


class Renaming(Rewrite):
    """Gives the labels other names, wherever the question and the chat before it mention them."""

    needs_options = True

    @abstractmethod
    def name(self, label: str) -> str:
        """Return what a label is called."""

    def rewrite(self, question: Question) -> Rewritten:
        names = {label: self.name(label) for label in question.recognised}

        def edit(text: str) -> str:
            found = mentions(text, question.recognised)
            return replaced(text, [(slot.begin, slot.end, names[slot.label]) for slot in found])

        made = in_texts(question, edit, lambda said: names.get(said, said))
        options, recognised = (Choices(names[label] for label in each) for each in (question.options, names))
        labels = {new: label for label, new in names.items()}
        return Rewritten(replace(made, options=options, recognised=recognised), labels)


class Case(Renaming):
    """Writes the labels in other letters. Answers are read whatever their case, as they are anyway."""

    @dataclass(frozen=True)
    class Options:
        """*style*: ``capitalised`` has a capital letter at the beginning of the label alone."""

        style: Literal["lower", "upper", "capitalised"] = "lower"

    def name(self, label: str) -> str:
        written: Callable[[str], str] = {"lower": str.lower, "upper": str.upper}.get(self.options.style, str.capitalize)
        return written(label)
