"""Two small notations of a card: a text made of columns, and a path that yields columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

from coabench.base.schema import Unfit
from coabench.support.tree import Tree

_FIELD = re.compile(r"\{([^{}]+?)(\.stem)?(?::0?(\d{1,2}))?\}")
_CAPTURE = re.compile(r"\{([A-Za-z_]\w*)\}")


class _Field(NamedTuple):
    column: str
    stem: bool = False
    width: int = 0

    def fill(self, row: Mapping[str, Any]) -> str:
        text = "" if row[self.column] is None else str(row[self.column]).strip()
        if self.stem:
            text = re.sub(r"\.[A-Za-z0-9]+$", "", text)
        return text.zfill(self.width)


@dataclass(frozen=True)
class Template:
    """A column, or a text with columns in braces: ``person``, ``"{folder}/{name.stem}_aligned.jpg"``.

    ``{name.stem}`` leaves off a file's ending, ``{row:05}`` fills up with zeros to five characters.
    """

    text: str

    @cached_property
    def _parts(self) -> tuple[str | _Field, ...]:
        parts: list[str | _Field] = []
        end = 0
        for match in _FIELD.finditer(self.text):
            parts += [self.text[end : match.start()], _Field(match[1], bool(match[2]), int(match[3] or 0))]
            end = match.end()
        return (*parts, self.text[end:])

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that it needs."""
        if "{" not in self.text:
            return (self.text,)
        return tuple(part.column for part in self._parts if isinstance(part, _Field))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the template that a card spells so; `Unfit` for braces that do not close, or that hold no column."""
        template = cls(text)
        if any(brace in part for part in template._parts if isinstance(part, str) for brace in "{}"):
            raise Unfit("the name of a column, or a text with columns in braces, such as '{folder}/{name}.jpg'")
        return template

    def fill(self, row: Mapping[str, Any]) -> Any:
        """Return the value of the column as it is, or the text filled with the values of a row."""
        if "{" not in self.text:
            return row[self.text]
        return "".join(part if isinstance(part, str) else part.fill(row) for part in self._parts)


class MatchedFile(NamedTuple):
    """A file: its path relative to the data root, and what the pattern's braces stand for in it."""

    path: str
    captured: Mapping[str, str]


@dataclass(frozen=True)
class PathPattern:
    """Files below a folder: ``test/{label}/*.jpg``, ``**/{subject}_{label}.png``.

    ``*`` stands for any characters of one name, ``?`` for one, ``**`` for any number of folders, and ``{name}`` for
    one or more characters of one name, which become the column of that name. Case does not count. Hidden files are
    passed over.
    """

    text: str

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that it yields."""
        return tuple(dict.fromkeys(_CAPTURE.findall(self.text)))

    @property
    def is_plain(self) -> bool:
        """Whether it names one file."""
        return not re.search(r"[*?{]", self.text)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the pattern that a card spells so.

        Raises:
            Unfit: it leads out of the data root, or braces hold no name.
        """
        parts = text.split("/")
        if text.startswith(("/", "~")) or ".." in parts or "\\" in text or re.match("[A-Za-z]:", text):
            raise Unfit(
                "a path relative to --data-root, with /",
                f"{text!r} leads out of the data root",
                remedy="correct the card, or choose a data root that holds all of it",
            )
        if "{" in _CAPTURE.sub("", text) or "}" in _CAPTURE.sub("", text) or "" in parts:
            raise Unfit("a path with *, ** and names in braces, such as '{split}/{label}/*.jpg'")
        return cls(text)

    def find(self, tree: Tree) -> Iterator[MatchedFile]:
        """Yield the files, each once, in no particular order."""
        seen = set()
        for path in self._walk(tree, 0):
            match = self._whole.fullmatch(path)
            if match and path not in seen:
                seen.add(path)
                yield MatchedFile(path, match.groupdict())

    @cached_property
    def _parts(self) -> tuple[str, ...]:
        parts = self.text.split("/")
        return (*parts, "*") if parts[-1] == "**" else tuple(parts)

    @cached_property
    def _names(self) -> tuple[re.Pattern[str], ...]:
        """What the name at each level must look like, for not looking where nothing can be."""
        return tuple(re.compile(_expression(_CAPTURE.sub("*", part), set()), re.IGNORECASE) for part in self._parts)

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        seen: set[str] = set()
        parts = [r"(?:[^/]+/)*" if part == "**" else _expression(part, seen) + "/" for part in self._parts]
        return re.compile("".join(parts).removesuffix("/"), re.IGNORECASE)

    def _walk(self, tree: Tree, level: int, prefix: str = "") -> Iterator[str]:
        part, last = self._parts[level], level == len(self._parts) - 1
        if part == "**":
            yield from self._walk(tree, level + 1, prefix)
        for entry in tree.entries(prefix):
            if entry.name.startswith("."):
                continue
            below = f"{prefix}{entry.name}"
            if part == "**":
                if entry.is_folder and not entry.is_link:  # which might lead round in a circle
                    yield from self._walk(tree, level, below + "/")
            elif self._names[level].fullmatch(entry.name):
                if last and not entry.is_folder:  # what is no file either is for its reader to refuse
                    yield below
                elif not last and entry.is_folder:
                    yield from self._walk(tree, level + 1, below + "/")


def _expression(part: str, seen: set[str]) -> str:
    """Return a part of a path as a regular expression; a name that was seen must stand for the same again."""
    pieces = []
    for token in re.split(r"(\{\w+\}|\*|\?)", part):
        if token == "*":
            pieces.append("[^/]*")
        elif token == "?":
            pieces.append("[^/]")
        elif token.startswith("{"):
            name = token[1:-1]
            pieces.append(f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+?)")
            seen.add(name)
        else:
            pieces.append(re.escape(token))
    return "".join(pieces)
