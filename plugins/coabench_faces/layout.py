"""The ``options`` of a card: where its labelled faces are and how they are labelled. All of them are checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from coabench.base.vocabulary import SUBJECT
from coabench.dataset import Card
from coabench.errors import UserError, did_you_mean
from coabench.labels import fold
from coabench_faces.labelling import Unknown, Values, Votes, known_columns, own_values
from coabench_faces.tables import SPACE, Format
from coabench_faces.template import PathPattern, Template

_T = TypeVar("_T", Template, PathPattern)

FOLDERS = "{split}/{label}/*"
"""Where images are unless the card says otherwise."""

BUILT_IN = ("split", "folder", "file", "row")
"""Columns that every row has, unless its table has a column of that name."""


@dataclass(frozen=True)
class Join:
    """A second table, whose columns are added to the rows of the first where the column *by* agrees."""

    table: PathPattern
    by: str
    form: Format


@dataclass(frozen=True)
class Layout:
    """Where the rows come from, and what their columns mean.

    Attributes:
        sources: split -> where its rows are; the key None is for rows of any split.
        tables: whether these are tables; otherwise they are the images themselves.
        form: how the tables are written.
        join: a second table, or None.
        pattern: found in the path of an image, its named groups become columns; or None.
        image: split -> column or template of the image's path; the key None is for any split.
        pixels: the column of grey values, instead of images.
        label: column or template of the label.
        values: which label a value stands for.
        votes: columns of votes, instead of a label.
        split: column or template of the split; None: the column ``split`` where there is one.
        split_values: what the files call a split -> the card's split, or None for rows to leave out.
        subject: column or template of the person; None: the column ``subject`` where there is one.
        id: column or template of the id; None: the path of the image without its ending.
        attributes: name -> column or template.
        where: column -> the values of the rows to keep.
        notes: what the user must know with every run.
    """

    sources: Mapping[str | None, PathPattern]
    tables: bool
    values: Values
    form: Format = field(default_factory=Format)
    join: Join | None = None
    pattern: re.Pattern[str] | None = None
    image: Mapping[str | None, Template] = field(default_factory=dict)
    pixels: str | None = None
    label: Template = field(default_factory=lambda: Template("label"))
    votes: Votes | None = None
    split: Template | None = None
    split_values: Mapping[str, str | None] = field(default_factory=dict)
    subject: Template | None = None
    id: Template | None = None
    attributes: Mapping[str, Template] = field(default_factory=dict)
    where: Mapping[str, frozenset[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def image_by_split(self) -> bool:
        """Whether the place of an image depends on its split."""
        return None not in self.image or any("split" in template.columns for template in self.image.values())

    def needed(self, split: str | None) -> dict[str, str]:
        """Return every column that rows of a split must have -> the option that names it."""
        named = [("subject", self.subject), ("id", self.id), ("split", self.split)]
        named += [(f"attributes.{name}", template) for name, template in self.attributes.items()]
        if self.tables and self.pixels is None:
            here = [self.image[key] for key in (split, None) if key in self.image][:1]
            named += [("image", template) for template in here or self.image.values()]
        if self.votes is None:
            named.append(("label", self.label))
        needed = {column: option for option, template in named if template for column in template.columns}
        needed |= dict.fromkeys(self.where, "where") | dict.fromkeys(self.votes.columns if self.votes else (), "votes")
        return needed | ({self.pixels: "pixels"} if self.pixels else {})


def read_layout(card: Card) -> Layout:
    """Read the options of a card.

    Raises:
        UserError: an option is unknown, of another type, or contradicts another one.
    """
    reader = _Reader(card)
    reader.known(card.options, KNOWN, "option")
    return reader.layout()


KNOWN = (
    "files", "table", "columns", "separator", "join", "pattern", "image", "pixels", "label", "values", "votes",
    "split", "split_values", "subject", "id", "attributes", "where", "notes",
)  # fmt: skip


class _Reader:
    def __init__(self, card: Card) -> None:
        self.card = card
        self.options = card.options
        self.where = f"{card.path or card.name}, options"

    def layout(self) -> Layout:
        self.against("files", "table", "image", "pixels", "columns", "separator", "join")
        self.against("pixels", "image", "pattern")
        self.against("label", "votes")
        values = self.values()
        tables = "table" in self.options
        for option in ("columns", "separator", "join", "image", "pixels", "votes"):
            if option in self.options and not tables:
                raise self.bad(f"{option!r} is for tables", "the option 'table'", "add 'table', or leave it out")
        return Layout(
            sources=self.sources(tables),
            tables=tables,
            values=values,
            form=self.form(self.options, self.where),
            join=self.join(),
            pattern=self.pattern(),
            image=self.per_split("image", Template, {None: Template("image")}),
            pixels=self.text("pixels"),
            label=self.template("label") or Template("label"),
            votes=self.votes(values),
            split=self.template("split"),
            split_values=self.split_values(),
            subject=self.template("subject"),
            id=self.template("id"),
            attributes=self.attributes(),
            where=self.filter(),
            notes=self.texts("notes"),
        )

    def sources(self, tables: bool) -> Mapping[str | None, PathPattern]:
        option = "table" if tables else "files"
        sources = self.per_split(option, PathPattern, {None: PathPattern(FOLDERS)})
        named = sources.get(None)
        if named and "{split}" in named.text:
            sources = dict.fromkeys(self.card.splits, named)
        return {
            split: PathPattern(source.text.replace("{split}", split)) if split else source
            for split, source in sources.items()
        }

    def form(self, options: Mapping[str, Any], where: str) -> Format:
        separator = options.get("separator")
        if separator is not None and not (isinstance(separator, str) and (len(separator) == 1 or separator == SPACE)):
            raise self.bad(
                f"'separator' is {separator!r}", f"one character, or {SPACE} for any white space", where=where
            )
        columns = options.get("columns")
        names = () if columns is None else self.list_of_texts("columns", columns, where)
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise self.bad(f"{twice[0]!r} stands twice in 'columns'", "every column once", where=where)
        return Format(names, separator)

    def join(self) -> Join | None:
        given = self.options.get("join")
        if given is None:
            return None
        where = f"{self.where}, join"
        if not isinstance(given, Mapping) or not {"table", "by"} <= set(given):
            raise self.bad("'join' cannot be read", "{table: FILE, by: COLUMN}, optionally columns and separator")
        self.known(given, ("table", "by", "columns", "separator"), "field", where)
        pattern, by = given["table"], given["by"]
        if not isinstance(pattern, str) or not isinstance(by, str):
            raise self.bad("'join' cannot be read", "a text for table and for by")
        table = PathPattern(pattern)
        table.check(where)
        if not table.is_plain:
            raise self.bad(f"join.table is {pattern!r}", "one file, without *, ? and braces")
        return Join(table, by, self.form(given, where))

    def pattern(self) -> re.Pattern[str] | None:
        text = self.text("pattern")
        if text is None:
            return None
        try:
            pattern = re.compile(text)
        except re.error as error:
            raise self.bad(
                "'pattern' is no regular expression", "such as '(?P<label>[A-Z]{2})[0-9]+[.]jpg$'", found=str(error)
            ) from None
        if not pattern.groupindex:
            raise self.bad(
                "'pattern' has no named group, so it says nothing",
                "named groups such as (?P<label>…) and (?P<subject>…)",
                found=text,
            )
        return pattern

    def values(self) -> Values:
        given = self.mapping("values")
        space = self.card.space
        spellings = space.spellings(space.names)
        own: dict[str, str | None] = {}
        for key, name in given.items():
            if isinstance(key, bool) or key is None:
                raise self.bad(f"a key of 'values' is {key!r}", "a text or a number", "put it in quotes")
            label = spellings.get(fold(name)) if isinstance(name, str) else None
            if name is not None and label is None:
                hint = did_you_mean(str(name), space.names)
                raise self.bad(
                    f"values.{key} is {name!r}, which is no label of the card",
                    f"{', '.join(space.names)}; or null to leave such rows out",
                    f"{hint}correct the card",
                )
            own |= own_values({key: label})
        return Values(space, own)

    def votes(self, values: Values) -> Votes | None:
        given = self.mapping("votes")
        if not given:
            return None
        self.known(given, ("columns", "least", "above"), "field", f"{self.where}, votes")
        columns = self.list_of_texts("votes.columns", given.get("columns"), self.where)
        least, above = given.get("least", 0), given.get("above", 0)
        for name, number in (("least", least), ("above", above)):
            if isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
                raise self.bad(f"votes.{name} is {number!r}", "a number, 0 or more")
        if above >= 1:
            raise self.bad(f"votes.above is {above!r}", "a share below 1: 0.5 asks for more than half of the votes")
        try:
            return Votes(known_columns(values, columns), least, above)
        except Unknown as unknown:
            raise self.bad(
                f"the column of votes {unknown.value!r} stands for no label",
                unknown.expected,
                f"name it under values: {{{unknown.value}: LABEL}}, or null if it is no label",
            ) from None

    def split_values(self) -> Mapping[str, str | None]:
        given = self.mapping("split_values")
        for key, split in given.items():
            if isinstance(key, bool) or key is None:
                raise self.bad(f"a key of 'split_values' is {key!r}", "a text or a number", "put it in quotes")
            if split is not None and split not in self.card.splits:
                raise self.bad(
                    f"split_values.{key} is {split!r}, which is no split of the card",
                    f"{', '.join(self.card.splits)}; or null to leave such rows out",
                    f"{did_you_mean(str(split), self.card.splits)}correct the card",
                )
        return {str(key).strip(): split for key, split in given.items()}

    def attributes(self) -> Mapping[str, Template]:
        given = self.options.get("attributes")
        if given is None:
            return {}
        if isinstance(given, list):
            given = dict(zip(self.list_of_texts("attributes", given, self.where), given, strict=True))
        if not isinstance(given, Mapping):
            raise self.bad("'attributes' cannot be read", "a list of columns, or attribute: column", found=repr(given))
        templates = {}
        for name, text in given.items():
            if not isinstance(name, str) or not isinstance(text, str):
                raise self.bad(f"the attribute {name!r} cannot be read", "a text: the column", found=repr(text))
            if name == SUBJECT:
                raise self.bad("the attribute 'subject' is taken", "the option 'subject'", "write subject: COLUMN")
            templates[name] = Template(text)
            templates[name].check(f"{self.where}, attributes.{name}")
        return templates

    def filter(self) -> Mapping[str, frozenset[str]]:
        where = {}
        for column, values in self.mapping("where").items():
            listed = values if isinstance(values, list) else [values]
            if not isinstance(column, str) or any(isinstance(v, bool | Mapping | list) or v is None for v in listed):
                raise self.bad(f"where.{column} cannot be read", "column: [value, …]", found=repr(values))
            where[column] = frozenset(str(value).strip() for value in listed)
        return where

    def per_split(
        self, option: str, make: Callable[[str], _T], default: Mapping[str | None, _T]
    ) -> Mapping[str | None, _T]:
        """Read an option that is one text for all splits, or a text for each."""
        given = self.options.get(option)
        if given is None:
            return default
        texts: Mapping[Any, Any] = given if isinstance(given, Mapping) else {None: given}
        made: dict[str | None, _T] = {}
        for split, text in texts.items():
            if split is not None and split not in self.card.splits:
                raise self.bad(
                    f"{option!r} names the unknown split {split!r}",
                    ", ".join(self.card.splits),
                    f"{did_you_mean(str(split), self.card.splits)}correct the card",
                )
            if not isinstance(text, str) or not text:
                raise self.bad(f"{option!r} cannot be read", "a text, or a text for each split", found=repr(text))
            made[split] = make(text)
            made[split].check(f"{self.where}, {option}")
        return made

    def template(self, option: str) -> Template | None:
        text = self.text(option)
        if text is None:
            return None
        template = Template(text)
        template.check(f"{self.where}, {option}")
        return template

    def text(self, option: str) -> str | None:
        value = self.options.get(option)
        if value is None:
            return None
        if not isinstance(value, str) or not value:
            raise self.bad(f"{option!r} cannot be read", "a text", found=repr(value))
        return value

    def texts(self, option: str) -> tuple[str, ...]:
        value = self.options.get(option)
        return () if value is None else self.list_of_texts(option, value, self.where)

    def list_of_texts(self, option: str, value: Any, where: str) -> tuple[str, ...]:
        if not isinstance(value, list) or not value or not all(isinstance(v, str) and v for v in value):
            raise self.bad(f"{option!r} cannot be read", "a list of texts", found=repr(value), where=where)
        return tuple(value)

    def mapping(self, option: str) -> Mapping[Any, Any]:
        value = self.options.get(option)
        if value is not None and not isinstance(value, Mapping):
            raise self.bad(f"{option!r} cannot be read", "a mapping", found=repr(value))
        return value or {}

    def against(self, option: str, *others: str) -> None:
        for other in others:
            if option in self.options and other in self.options:
                raise self.bad(f"{option!r} and {other!r} exclude each other", "one of the two")

    def known(self, given: Mapping[Any, Any], known: Sequence[str], what: str, where: str | None = None) -> None:
        for key in given:
            if key not in known:
                remedy = f"{did_you_mean(str(key), list(known))}correct the card"
                raise self.bad(f"unknown {what} {key!r}", ", ".join(known), remedy, where=where)

    def bad(
        self,
        problem: str,
        expected: str,
        remedy: str = "correct the card",
        *,
        found: str | None = None,
        where: str | None = None,
    ) -> UserError:
        return UserError(f"{where or self.where}: {problem}", expected=expected, found=found, remedy=remedy)
