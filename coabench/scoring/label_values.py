"""What a value in a file of predictions means: a label by name, code or letter; two basic emotions; a ranking."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Literal, NamedTuple

from coabench.base.text import safe
from coabench.dialogue import Answer, Prediction, Question, Task, Turn
from coabench.errors import UserError, did_you_mean
from coabench.labels import LabelSpace, fold
from coabench.parser import Parser, Response
from coabench.scoring.formats.table import Row

EMPTY = "unparsed-answer"
"""The reason of a prediction that is empty, or that counts as none."""
RANK = "rank"
"""The detail of a prediction that holds a ranking, as the strategy ``rank`` records it."""
Codes = Literal["card", "0-based", "1-based"]
CODES: tuple[Codes, ...] = ("card", "0-based", "1-based")
TEXTS = 4096
"""How many texts are kept with what they mean: of a million rows, most repeat a label."""
_SEPARATOR = re.compile(r"[,;>|]")


class Reading(NamedTuple):
    """The prediction that a row holds; or what is not understood about it; or neither, where it is empty.

    Attributes:
        turn: what the model said, or its scores, where the row has these.
    """

    prediction: Prediction | None = None
    problem: str | None = None
    turn: Turn | None = None


def codes_of(space: LabelSpace, numbering: Codes) -> Mapping[int, str]:
    """Return number -> label: the card's codes, or the labels counted from 0 or 1 in the order of these codes.

    Where a label has no code they are counted in the order of the card.
    """
    if numbering == "card":
        return {label.code: label.name for label in space.labels if label.code is not None}
    coded = all(label.code is not None for label in space.labels)
    ordered = sorted(space.labels, key=lambda label: label.code or 0) if coded else space.labels
    return dict(enumerate((label.name for label in ordered), start=int(numbering[0])))


class LabelValues:
    """Reads labels off one column, or pairs off two."""

    def __init__(
        self,
        space: LabelSpace,
        columns: Sequence[str],
        option: str,
        *,
        codes: Codes = "card",
        parser: Parser | None = None,
        rankings: bool = False,
    ) -> None:
        """Prepare to read *columns*, as the user named them with *option*.

        Args:
            codes: what numbers mean.
            parser: reads sentences, by the rules for a model's responses; None where values are labels.
            rankings: whether a list of labels, the likeliest first, stands for its first.

        Raises:
            UserError: more than two columns, or two for labels that are no pairs or for sentences.
        """
        pairs = space.compound and parser is None
        if not 1 <= len(columns) <= 2 or (len(columns) == 2 and not pairs):
            raise UserError(
                f"{option} names {len(columns)} columns",
                expected="one column, or two for the two basic emotions" if pairs else
                "one column: --parser reads sentences" if parser else
                f"one column: the labels of {space.name} are no pairs",
                found=", ".join(columns),
                remedy=f"correct {option}",
            )  # fmt: skip
        self.space, self.columns, self.parser = space, columns, parser
        self._rankings = rankings
        self._recognised = space.names if len(columns) == 1 else space.basic
        self._spellings = space.spellings(self._recognised)
        self._codes = codes_of(space, codes) if len(columns) == 1 else {}
        self._letters: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
        self._meant = lru_cache(TEXTS)(self._meaning)

    def read(self, row: Row) -> Reading:
        """Read a row. Two basic emotions may stand in either order."""
        if self.parser is not None:
            return self._parsed(row, self.columns[0], self.parser)
        filled = [column for column in self.columns if row.text(column)]
        labels = [self.label_of(row, row.text(column)) for column in filled]
        if len(self.columns) == 1 and labels == [None] and (ranked := self._ranked(row, filled[0])):
            return Reading(ranked)
        unknown = [column for column, label in zip(filled, labels, strict=True) if label is None]
        if unknown:
            return Reading(problem=", ".join(self._problem(row, column) for column in unknown))
        if len(filled) < len(self.columns):
            return Reading()
        known = [label for label in labels if label is not None]
        return Reading(Task(self.space).combine(*known) if len(known) == 2 else Prediction(known[0]))

    def raw(self, row: Row) -> list[str | None]:
        """Return the values as they stand in the row, for the record."""
        return [None if row.values.get(column) is None else str(row.values[column]) for column in self.columns]

    @property
    def expected(self) -> str:
        """What a value may be, for error messages."""
        listed = ", ".join(self._recognised)
        return f"{listed}; or a code, {min(self._codes)} to {max(self._codes)}" if self._codes else listed

    @property
    def remedy(self) -> str:
        """What to do about values that are none of these."""
        if self.parser is not None:
            return "try another --parser; --unknown invalid where the model did answer so"
        return (
            "--parser NAME reads sentences, --codes 0-based or 1-based numbers counted from there; "
            "other spellings can be aliases on a card for --labels"
        )

    def label_of(self, row: Row, text: str) -> str | None:
        """Return the label that a text means. ``3.0`` is the code 3: pandas writes it so in a column with gaps."""
        return self._meant(text, tuple(row.options.items()))

    def _meaning(self, text: str, options: tuple[tuple[str, str], ...]) -> str | None:
        named = self._spellings.get(fold(text)) or self._lettered(options).get(fold(text))
        digits = text.removesuffix(".0")
        if named is not None or not (digits.isascii() and digits.isdecimal() and len(digits) < 10):
            return named
        return self._codes.get(int(digits))

    def _lettered(self, options: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
        """Return spelling -> label of options that the row lists: ``b``, ``(b)``, ``b. fear``."""
        if options not in self._letters:
            known = {letter: label for letter, text in options if (label := self._spellings.get(fold(text)))}
            marks = "{0}", "{0}.", "{0})", "({0})", "{0}:"
            self._letters[options] = {
                fold(form): label
                for letter, label in known.items()
                for mark in marks
                for form in (mark.format(letter), f"{mark.format(letter)} {dict(options)[letter]}")
            }
        return self._letters[options]

    def _parsed(self, row: Row, column: str, parser: Parser) -> Reading:
        """Read a response. Letters count where nothing else does: in a sentence, ``a`` is a word."""
        response = row.text(column)
        if not response:
            return Reading()
        label, match = parser(Response(response, self.space.names, self._spellings))
        if label is None and (letters := self._lettered(tuple(row.options.items()))):
            label, match = parser(Response(response, self.space.names, {**self._spellings, **letters}))
        turn = Turn(Question("", self.space.names), Answer(response, label=label, match=match))
        if label is None:
            return Reading(problem=row.quoted(column), turn=turn)
        return Reading(Prediction(label), turn=turn)

    def _ranked(self, row: Row, column: str) -> Prediction | None:
        """Return what a list of labels, or of basic emotions, says; None where it is none.

        Its first is the label. Of basic emotions where labels are pairs the first two make it, Neutral aside, as the
        strategy ``rank`` has it; two alone are these two.
        """
        value = row.values[column]
        items = value if isinstance(value, list) else _SEPARATOR.split(row.text(column))
        for recognised in (self.space.names, self.space.basic) if self._rankings and len(items) > 1 else ():
            spellings = self.space.spellings(recognised)
            labels = [label for item in items if isinstance(item, str) and (label := spellings.get(fold(item)))]
            if len(labels) == len(items) == len(set(labels)):
                return self._conclusion(labels)
        return None

    def _conclusion(self, labels: list[str]) -> Prediction:
        if labels[0] in self.space.names:
            return Prediction(labels[0], details={RANK: labels})
        if len(labels) == 2:
            return Task(self.space).combine(*labels)
        felt = [emotion for emotion in labels if emotion != self.space.neutral]
        return replace(Task(self.space).combine(felt[0], felt[1]), details={RANK: labels})

    def _problem(self, row: Row, column: str) -> str:
        text = row.text(column)
        letter = text.upper().strip("().: ")
        option = row.options.get(letter)
        if option:
            why = f"the option {safe(option, 60)!r}"
        elif len(letter) == 1 and letter.isalpha() and not row.options:
            why = "a letter, and the file does not list the options: they can be aliases on a card for --labels"
        else:
            why = did_you_mean(text, self._recognised).strip()
        return f"{row.quoted(column)}{f' ({why})' if why else ''}"
