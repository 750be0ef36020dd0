"""The table that every file of predictions is read into: rows that know where they stand, and what the columns mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from coabench.base.text import safe
from coabench.errors import UserError, did_you_mean

SHOWN = 10
"""How many of many mistakes an error lists."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        line: where it stands; see `Table.unit`.
        values: as they stand in the file: texts, or JSON values.
        options: letter -> the option of the question that it stands for, where the file lists them.
        scores: option -> its natural-log probability, where the tool recorded one for each.
    """

    line: int
    values: Mapping[str, Any]
    options: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[str, float] | None = None

    def text(self, column: str) -> str:
        """Return the value as text, the empty string where there is none: nothing, null or NaN."""
        value = self.values.get(column)
        text = "" if value is None else str(value).strip()
        return "" if text.casefold() == "nan" else text

    def quoted(self, column: str) -> str:
        """Return the value as a message quotes it."""
        value = self.values.get(column)
        text = "" if value is None else safe(value, 60).strip()
        return "NaN" if text.casefold() == "nan" else repr(text) if text else "nothing"


@dataclass(frozen=True)
class Table:
    """A file of predictions.

    Attributes:
        sha256: of its bytes.
        columns: in their order.
        unit: what `Row.line` counts, from 1.
        about: what the file says of all rows, beside them.
        defaults: ``prediction``, ``target`` or ``id`` -> the column that holds it unless the user names another; the
            column of that name where it is not here. ``response`` -> the sentence that a parser reads instead.
        notes: what the user must know of how it was read.
    """

    path: Path
    sha256: str
    columns: Sequence[str]
    rows: Sequence[Row]
    unit: str = "line"
    about: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def check_columns(self, wanted: Mapping[str, Sequence[str]]) -> None:
        """Check that the columns are there.

        Args:
            wanted: option -> the columns it names.

        Raises:
            UserError: naming the columns that it has.
        """
        for option, columns in wanted.items():
            for column in columns:
                if column not in self.columns:
                    raise UserError(
                        f"{self.path.name} has no column {column!r}",
                        expected=f"a column for {option}",
                        found=", ".join(map(repr, self.columns)),
                        remedy=f"{did_you_mean(column, list(self.columns))}name it with {option}",
                    )

    def at(self, row: Row) -> str:
        """Return where a row stands: ``line 3``."""
        return f"{self.unit} {row.line}"

    def wrong(
        self, noun: str, what: str, mistakes: Sequence[str], expected: str, remedy: str = "", *, share: bool = False
    ) -> UserError:
        """Return the error that lists the *mistakes*, the first ten of many: "FILE: 12 rows are WHAT".

        Args:
            share: whether to say of how many rows they are: "12 of 20 rows".
        """
        shown = list(dict.fromkeys(mistakes))
        more = [f"… and {len(shown) - SHOWN} more"] if len(shown) > SHOWN else []
        return UserError(
            f"{self.path.name}: {counted(len(mistakes), noun, len(self.rows) if share else None)} {what}",
            expected=expected,
            found="".join(f"\n    {line}" for line in (*shown[:SHOWN], *more)),
            remedy=remedy or "correct the file",
        )


class Content(NamedTuple):
    """What stands in a file: its rows, what it says beside them, and notes as in `Table`.

    *columns* are those of the rows, in their order, where it takes no other look at them.
    """

    rows: Iterable[Row]
    about: Mapping[str, Any] = {}
    notes: Sequence[str] = ()
    columns: Sequence[str] | None = None


@dataclass(frozen=True)
class Format:
    """How a tool writes predictions.

    Attributes:
        name: what ``--format`` calls it.
        version: of the reader, raised whenever it reads a file otherwise; part of a run's identity.
        tool: the tool, and the version whose files were looked at.
        recognised: by what a file is recognised, in words.
        reads: what is read, in words.
        endings: of the files that are recognised; with ``--format`` a file may be called otherwise.
        fits: whether a table, as it stands in the file, is of this format.
        arrange: returns the table with its defaults, options and scores; `UserError` where it is damaged.
    """

    name: str
    version: int
    tool: str
    recognised: str
    reads: str
    endings: Sequence[str]
    fits: Callable[[Table], bool]
    arrange: Callable[[Table], Table]


def all_columns(rows: Iterable[Row]) -> list[str]:
    """Return the columns that any row has, in their order."""
    return list(dict.fromkeys(column for row in rows for column in row.values))


def counted(count: int, noun: str, total: int | None = None) -> str:
    """Return "1 row is", "2 rows are", "1 of 3 rows is"."""
    if total is not None:
        return f"{count} of {total} {noun}{'s are' if total != 1 else ' is'}"
    return f"1 {noun} is" if count == 1 else f"{count} {noun}s are"


def unreadable(path: Path, where: str, expected: str, found: str) -> UserError:
    """Return the error of a part of a file that cannot be read: ``line 3``."""
    return UserError(f"{path.name}: {where} cannot be read", expected=expected, found=found, remedy="correct it")
