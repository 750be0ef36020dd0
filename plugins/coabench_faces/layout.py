"""The ``options`` of a card: where its labelled faces are and how they are labelled. All of them are checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any

from coabench.base.schema import At, Read, Text, Unfit, must, read_fields
from coabench.base.vocabulary import SUBJECT
from coabench.dataset import Card
from coabench.errors import did_you_mean
from coabench.labels import fold
from coabench_faces.duplicates import Duplicates
from coabench_faces.labelling import Unknown, Values, Votes, known_columns, own_values
from coabench_faces.tables import Format, Texts
from coabench_faces.template import PathPattern, Template

FOLDERS = "{split}/{label}/*"
"""Where images are unless the card says otherwise."""

BUILT_IN = ("split", "folder", "file", "row")
"""Columns that every row has, unless its table has a column of that name."""

EXCLUSIVE = {
    "files": ("table", "image", "pixels", "columns", "separator", "join"),
    "pixels": ("image", "pattern"),
    "label": ("votes",),
}
FOR_TABLES = ("columns", "separator", "join", "image", "pixels", "votes")


def _per_split(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {None: value}


def _expression(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        example = "such as '(?P<label>[A-Z]{2})[0-9]+[.]jpg$'"
        raise Unfit(example, "this is no regular expression", found=str(error)) from None
    if not pattern.groupindex:
        raise Unfit("named groups such as (?P<label>…) and (?P<subject>…)", "no group has a name", found=text)
    return pattern


def _attributes(columns: Any) -> Mapping[str, Template]:
    named: Mapping[str, Template] = (
        columns if isinstance(columns, Mapping) else {name: Template.parse(name) for name in columns}
    )
    if SUBJECT in named:
        raise Unfit("the option 'subject'", "the attribute 'subject' is taken", remedy="write subject: COLUMN")
    return named


def _selected(values: Any) -> frozenset[str]:
    return frozenset(str(value).strip() for value in (values if isinstance(values, tuple) else (values,)))


def _text_keys(values: Mapping[Any, Any]) -> Mapping[str, Any]:
    return {str(key).strip(): value for key, value in values.items()}


Column = Annotated[Template, Read(Template.parse, Text)]
FilePath = Annotated[PathPattern, Read(PathPattern.parse, Text)]
Sources = Annotated[Mapping[str | None, PathPattern], Read(_per_split, FilePath | Mapping[str, FilePath])]
Cell = str | int | float


@dataclass(frozen=True, kw_only=True)
class Join(Format):
    """A second table, whose columns are added to the rows of the first where the column *by* agrees."""

    table: Annotated[FilePath, must(lambda path: path.is_plain, "one file, without *, ? and braces")]
    by: str


@dataclass(frozen=True, kw_only=True)
class Layout(Format):
    """Where the rows come from, and what their columns mean: the options of a card.

    Attributes:
        files: split -> the images; the key None is for any split.
        table: split -> the tables, instead of *files*.
        join: a second table, or None.
        pattern: found in the path of an image, its named groups become columns; or None.
        image: split -> column or template of the image's path; the key None is for any split.
        pixels: the column of grey values, instead of images.
        label: column or template of the label.
        own_values: what else the files call a label -> the label, or None for rows to leave out.
        votes: columns of votes, instead of a label.
        split: column or template of the split; None: the column ``split`` where there is one.
        split_values: what the files call a split -> the card's split, or None for rows to leave out.
        subject: column or template of the person; None: the column ``subject`` where there is one.
        id: column or template of the id; None: the path of the image, without its ending where that tells it apart.
        duplicates: what to do with several rows of one image; None: nothing, if their ids differ.
        attributes: name -> column or template.
        where: column -> the values of the rows to keep.
        notes: what the user must know with every run.
    """

    card: Card
    files: Sources = field(default_factory=lambda: {None: PathPattern(FOLDERS)})
    table: Sources | None = None
    join: Join | None = None
    pattern: Annotated[re.Pattern[str], Read(_expression, Text)] | None = None
    image: Annotated[Mapping[str | None, Template], Read(_per_split, Column | Mapping[str, Column])] = field(
        default_factory=lambda: {None: Template("image")}
    )
    pixels: Text | None = None
    label: Column = field(default_factory=lambda: Template("label"))
    own_values: Mapping[Cell, str | None] = field(default_factory=dict, metadata={"key": "values"})
    votes: Votes | None = None
    split: Column | None = None
    split_values: Annotated[Mapping[str, str | None], Read(_text_keys, Mapping[Cell, str | None])] = field(
        default_factory=dict
    )
    subject: Column | None = None
    id: Column | None = None
    duplicates: Duplicates | None = None
    attributes: Annotated[Mapping[str, Template], Read(_attributes, Texts | Mapping[str, Column])] = field(
        default_factory=dict
    )
    where: Mapping[str, Annotated[frozenset[str], Read(_selected, Cell | tuple[Cell, ...])]] = field(
        default_factory=dict
    )
    notes: Texts = ()

    @property
    def tables(self) -> bool:
        """Whether the rows are those of tables; otherwise they are the images themselves."""
        return self.table is not None

    @cached_property
    def sources(self) -> Mapping[str | None, PathPattern]:
        """Split -> where its rows are; the key None is for rows of any split."""
        sources = self.files if self.table is None else self.table
        every = sources.get(None)
        if every and "{split}" in every.text:
            sources = dict.fromkeys(self.card.splits, every)
        return {
            split: PathPattern(source.text.replace("{split}", split)) if split else source
            for split, source in sources.items()
        }

    @cached_property
    def values(self) -> Values:
        """Which label a value stands for."""
        return Values(self.card.space, own_values(self.own_values))

    @property
    def image_by_split(self) -> bool:
        """Whether the path of an image depends on its split."""
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
    at = At(card.path or card.name, "correct the card", "options")
    layout = read_fields(Layout, card.options, at, card=card)
    present = [name for name, value in card.options.items() if value is not None]
    for option, others in EXCLUSIVE.items():
        for other in others:
            if option in present and other in present:
                raise at.wrong(f"{option!r} and {other!r} exclude each other", "one of the two")
    for option in FOR_TABLES:
        if option in present and not layout.tables:
            raise at.wrong(f"{option!r} is for tables", "the option 'table'", remedy="add 'table', or leave it out")
    for option, per_split in (("files", layout.files), ("table", layout.table or {}), ("image", layout.image)):
        for split in per_split:
            if split is not None and split not in card.splits:
                raise at.field(option).unknown(split, card.splits, "split")
    for value, split in layout.split_values.items():
        _check_known(split, card.splits, "split", at.field("split_values").field(value))
    layout = replace(layout, own_values=_labels(layout, at.field("values")))
    return replace(layout, votes=_votes(layout, at.field("votes")))


def _labels(layout: Layout, at: At) -> Mapping[Cell, str | None]:
    """Return the card's own values with the labels as the label space spells them."""
    space = layout.card.space
    spellings = space.spellings(space.names)
    labels = {value: name and spellings.get(fold(name), name) for value, name in layout.own_values.items()}
    for value, name in labels.items():
        _check_known(name, space.names, "label", at.field(value))
    return labels


def _check_known(name: str | None, known: tuple[str, ...], what: str, at: At) -> None:
    if name is not None and name not in known:
        raise at.wrong(
            f"{name!r} is no {what} of the card",
            f"{', '.join(known)}; or null to leave such rows out",
            remedy=f"{did_you_mean(name, known)}{at.remedy}",
        )


def _votes(layout: Layout, at: At) -> Votes | None:
    """Return the votes with the label of each column."""
    if layout.votes is None:
        return None
    try:
        return replace(layout.votes, columns=known_columns(layout.values, tuple(layout.votes.columns)))
    except Unknown as unknown:
        raise at.wrong(
            f"the column {unknown.value!r} stands for no label",
            unknown.expected,
            remedy=f"name it under values: {{{unknown.value}: LABEL}}, or null if it is no label",
        ) from None
