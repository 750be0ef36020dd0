"""What the files of a data set say: one entry a labelled face, and a problem wherever a label cannot be trusted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from coabench.base.vocabulary import SUBJECT
from coabench.dataset import Card, ImageSource
from coabench.errors import UserError, did_you_mean
from coabench.support.images import SUFFIXES
from coabench.support.parquet import Encoded
from coabench.support.tree import Tree
from coabench.support.verification import Problem
from coabench_faces.duplicates import with_endings, without_duplicates
from coabench_faces.entry import Entry
from coabench_faces.images import PixelImage, file_inside, grey_values
from coabench_faces.labelling import LeftOut, Unknown
from coabench_faces.layout import BUILT_IN, Layout
from coabench_faces.tables import TABLES, BadRow, Table, read_table
from coabench_faces.template import MatchedFile, PathPattern, Template

ProblemKind = Literal["unreadable", "label", "split", "image", "outside", "id", "duplicate"]


@dataclass
class Listing:
    """Every entry by id, every problem on the way, and what the card leaves out.

    Attributes:
        left_out: why -> how many rows.
        unmatched: images whose path does not fit the card's ``pattern``.
        images: the path of every image that a row names, left out or not.
        unread: the path of every file that lies where the card has images and is of another kind.
        unknown: what the files call labels that the card does not know -> where.
        absent: the sources of rows that are not there, by split.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    unmatched: list[str] = field(default_factory=list)
    images: set[str] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)
    unknown: dict[str, list[str]] = field(default_factory=dict)
    absent: dict[str | None, str] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Add an entry; a second one with the same id is a problem."""
        first = self.entries.setdefault(entry.id, entry)
        if first is not entry:
            found = f"{entry.id} again, first in {first.where}"
            self.problems.append(Problem("id", entry.where, "every id once", found))


@dataclass(frozen=True)
class _Row:
    """A row as it was read: what is known before its columns are looked at.

    Attributes:
        name: what the sample is called where nothing else names it: the image's path or the table's, without ending.
        from_path: the columns that come from a path, in which whole numbers are no codes.
        image: the path of the image, where the row is the image.
    """

    where: str
    name: str
    split: str | None
    values: dict[str, Any]
    from_path: frozenset[str]
    image: str | None = None


def read_listing(card: Card, layout: Layout, tree: Tree) -> Listing:
    """Read all rows. Whatever cannot be trusted becomes a problem of the listing.

    Raises:
        UserError: the card names a column that is not there, or a table needs a package that is not installed.
    """
    listing = Listing()
    reader = _RowReader(card, layout, tree, listing)
    for row in reader.rows():
        reader.read(row)
    entries = reader.entries if layout.id is not None else with_endings(reader.entries)
    if layout.duplicates:
        entries = without_duplicates(entries, layout.duplicates, listing.left_out, listing.problems)
    for entry in entries:
        listing.add(entry)
    return listing


class _RowReader:
    def __init__(self, card: Card, layout: Layout, tree: Tree, listing: Listing) -> None:
        self.card, self.layout, self.tree, self.listing = card, layout, tree, listing
        self.groups = tuple(layout.pattern.groupindex) if layout.pattern else ()
        self.entries: list[Entry] = []

    def rows(self) -> Iterator[_Row]:
        for split, source in self.layout.sources.items():
            absent = True
            for file in sorted(find_source(source, self.tree), key=lambda f: f.path):
                if not is_row(file.path, source, self.layout.tables):
                    self.listing.unread += [] if is_table(file.path) else [file.path]
                    continue
                absent = False
                yield from self._table(file, split) if self.layout.tables else self._file(file, split)
            if absent:
                self.listing.absent[split] = source.text

    def _file(self, file: MatchedFile, split: str | None) -> Iterator[_Row]:
        pure = PurePosixPath(file.path)
        values = {**_around(pure, split), "row": 1, **file.captured}
        self._need((*file.captured, *self.groups), split, "'files' and 'pattern' of the card")
        from_path = frozenset((*values, *self.groups))
        yield _Row(file.path, str(pure.with_suffix("")), split, values, from_path, file.path)

    def _table(self, file: MatchedFile, split: str | None) -> Iterator[_Row]:
        link = file_inside(self.tree, file.path)
        if isinstance(link, str):
            self._report("outside", file.path, "a table in the data root", link, split)
            return
        table = read_table(self.tree, file.path, self.layout)
        joined = self._joined(table)
        pure = PurePosixPath(file.path)
        around = {**_around(pure, split), **file.captured}
        checked = False
        from_path = (frozenset((*BUILT_IN, *file.captured)) - set(table.columns)) | frozenset(self.groups)
        for row in table.rows:
            if isinstance(row, BadRow):
                self._report("unreadable", row.where, row.expected, row.found, split)
                continue
            if not checked:
                self._need((*table.columns, *joined.columns, *file.captured, *self.groups), split, file.path)
                checked = True
            values = {**around, "row": row.number, **row.values}
            extra = joined.of(row.values, row.where)
            if extra is None:
                expected = f"a row with the same {joined.by}"
                self._report("unreadable", row.where, f"{expected} in {joined.path}", "none", split)
                continue
            yield _Row(row.where, f"{pure.with_suffix('')}/{row.number:06}", split, values | extra, from_path)

    def _joined(self, table: Table) -> _Joined:
        join = self.layout.join
        if join is None:
            return _Joined("", "", (), {})
        path = join.table.text
        if not self.tree.exists(path) or isinstance(file_inside(self.tree, path), str):
            raise UserError(
                f"the table {path} is not there",
                expected=f"{path} in {self.tree.where('')}, as the card says under join",
                remedy="copy it there, or correct --data-root",
            )
        second = read_table(self.tree, path, join)
        for columns, where in ((table.columns, table.path), (second.columns, path)):
            if join.by not in columns:
                raise _no_column(join.by, "join.by", columns, where, self.card)
        rows: dict[str, dict[str, Any]] = {}
        for row in second.rows:
            if isinstance(row, BadRow):
                self._report("unreadable", row.where, row.expected, row.found)
                continue
            key = str(row.values[join.by]).strip()
            if key in rows:
                self._report("unreadable", row.where, f"every {join.by} once", f"{key} again")
            rows.setdefault(key, {k: v for k, v in row.values.items() if k not in table.columns})
        return _Joined(path, join.by, tuple(c for c in second.columns if c not in table.columns), rows)

    def _need(self, columns: Iterable[str], split: str | None, where: str) -> None:
        """Refuse a card that names columns which are not there."""
        there = tuple(dict.fromkeys(columns))
        for column, option in self.layout.needed(split).items():
            if column not in there + BUILT_IN:
                raise _no_column(column, option, there, where, self.card)

    def read(self, row: _Row) -> None:
        """Make an entry of a row, or note why not."""
        try:
            self._read(row)
        except LeftOut as reason:
            self.listing.left_out[str(reason)] += 1

    def _read(self, row: _Row) -> None:
        values = row.values
        split = row.split
        if split is None and self.layout.image_by_split:
            split = self._split(row)
            if split is None:
                return
            values.setdefault("split", split)
        path = row.image if row.image is not None else self._image_path(row, split)
        if isinstance(path, str):
            self.listing.images.add(path)
        if self.layout.pattern:
            match = self.layout.pattern.search(path if isinstance(path, str) else row.where)
            if not match:
                self.listing.unmatched.append(path if isinstance(path, str) else row.where)
                return
            values |= match.groupdict()
        if any(str(values[column]).strip() not in kept for column, kept in self.layout.where.items()):
            raise LeftOut("not selected by 'where'")
        split = split or self._split(row)
        if split is None:
            return
        values.setdefault("split", split)
        label = self._label(row, split)
        if label is None:
            return
        image = self._image(row, path, split)
        if image is None:
            return
        identity = self._id(row, path)
        if not identity:
            self._report("id", row.where, "an id", "an empty cell", split)
            return
        votes = self.layout.votes.counts(values) if self.layout.votes else {}
        self.entries.append(Entry(identity, image, label, split, row.where, self._attributes(values), votes))

    def _image_path(self, row: _Row, split: str | None) -> Any:
        """Return the path that a row of a table gives, or the image itself; None for one of grey values."""
        if self.layout.pixels is not None:
            return None
        template = self.layout.image.get(split, self.layout.image.get(None))
        if template is None or any(row.values.get(column) in (None, "") for column in template.columns):
            return ""
        path = template.fill(row.values)
        return path if isinstance(path, Encoded) else str(path).strip()

    def _image(self, row: _Row, path: Any, split: str) -> ImageSource | None:
        if isinstance(path, Encoded):
            return path
        if self.layout.pixels is not None:
            grey = grey_values(str(row.values[self.layout.pixels]))
            if isinstance(grey, str):
                self._report("image", row.where, "grey values of a square image, separated by spaces", grey, split)
                return None
            return PixelImage(row.where, *grey)
        if not path:
            self._report("image", row.where, "the path of an image", "an empty cell", split)
            return None
        file = file_inside(self.tree, path)
        if isinstance(file, str):
            self._report("outside", row.where, "an image in the data root", f"{path}: {file}", split)
            return None
        return file

    def _split(self, row: _Row) -> str | None:
        if row.split is not None:
            return row.split
        if self.layout.split is not None:
            value = self.layout.split.fill(row.values)
        elif "split" in row.values:
            value = row.values["split"]
        elif len(self.card.splits) == 1:
            return self.card.splits[0]
        else:
            raise UserError(
                f"nothing says to which split the rows of {self.card.name} belong",
                expected=f"a column 'split', the option 'split', or a source for each of {', '.join(self.card.splits)}",
                found=f"columns {', '.join(c for c in row.values if c not in BUILT_IN)}",
                remedy="correct the card: name the column (split: COLUMN), or list one split only",
            )
        text = "" if value is None else str(value).strip()
        if text in self.layout.split_values:
            split = self.layout.split_values[text]
            if split is None:
                raise LeftOut(f"split {text!r}")
            return split
        if text not in self.card.splits:
            known = ", ".join([*self.layout.split_values, *self.card.splits])
            self._report("split", row.where, known, repr(text))
            return None
        return text

    def _label(self, row: _Row, split: str) -> str | None:
        layout = self.layout
        try:
            if layout.votes:
                return layout.votes.label(row.values)
            coded = not set(layout.label.columns) <= row.from_path
            return layout.values.label(layout.label.fill(row.values), coded)
        except Unknown as unknown:
            if not layout.votes:
                self.listing.unknown.setdefault(unknown.value, []).append(row.where)
            self._report("label", row.where, unknown.expected, repr(unknown.value), split)
            return None

    def _id(self, row: _Row, path: Any) -> str:
        if self.layout.id is not None:
            return str(self.layout.id.fill(row.values) or "").strip()
        return str(PurePosixPath(path).with_suffix("")) if isinstance(path, str) else row.name

    def _attributes(self, values: Mapping[str, Any]) -> dict[str, Any]:
        subject = self.layout.subject or (Template(SUBJECT) if SUBJECT in values else None)
        templates = {**({SUBJECT: subject} if subject else {}), **self.layout.attributes}
        filled = {name: _plain(template.fill(values)) for name, template in templates.items()}
        return {name: value for name, value in filled.items() if value not in (None, "")}

    def _report(self, kind: ProblemKind, where: str, expected: str, found: str, split: str | None = None) -> None:
        self.listing.problems.append(Problem(kind, where, expected, found, split))


@dataclass(frozen=True)
class _Joined:
    """The rows of a second table, by the column they are joined on."""

    path: str
    by: str
    columns: tuple[str, ...]
    rows: Mapping[str, dict[str, Any]]

    def of(self, values: Mapping[str, Any], where: str) -> dict[str, Any] | None:
        """Return the second table's part of a row, None where it has none."""
        return self.rows.get(str(values[self.by]).strip()) if self.by else {}


def find_source(source: PathPattern, tree: Tree) -> Iterator[MatchedFile]:
    """Yield the files that a source stands for, of any kind, in no particular order."""
    if source.is_plain and tree.exists(source.text):
        yield MatchedFile(source.text, {})
    else:
        yield from source.find(tree)


def is_row(path: str, source: PathPattern, tables: bool) -> bool:
    """Whether a file of a source is a table or an image; a file that the card names by itself is."""
    return tables or source.is_plain or is_image(path)


def is_image(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in SUFFIXES


def is_table(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in TABLES


def _around(file: PurePosixPath, split: str | None) -> dict[str, Any]:
    """Return the columns that rows have for where they are; the split only once it is known."""
    return {"folder": str(file.parent), "file": file.stem} | ({"split": split} if split else {})


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, str):
        return value.strip()
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _no_column(column: str, option: str, columns: Iterable[str], where: str, card: Card) -> UserError:
    known = list(columns)
    return UserError(
        f"{where}: there is no column {column!r}, which {card.name} names as {option!r}",
        expected=f"one of {', '.join(known)}" if known else f"a column; or {', '.join(BUILT_IN)}, which all rows have",
        found=f"no {column!r}",
        remedy=f"{did_you_mean(column, known)}correct {option!r} under the options of the card",
    )
