"""Label spaces: which labels exist, how they are coded, and which pair of basic emotions each stands for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from coabench.errors import UserError, did_you_mean

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "Surprise": ("surprised", "astonishment", "astonished"),
    "Fear": ("fearful", "afraid", "scared", "frightened"),
    "Disgust": ("disgusted",),
    "Happiness": ("happy", "joy", "joyful"),
    "Sadness": ("sad", "sorrow", "sorrowful"),
    "Anger": ("angry",),
    "Neutral": ("neutrality", "no emotion", "neutral expression"),
    "Contempt": ("contemptuous",),
}
"""The closed synonym table of the basic emotions. A card may add aliases of its own."""

SPELLINGS_KEPT = 1000
"""For how many choices of labels a space remembers the spellings."""


def fold(text: str) -> str:
    """Return *text* as labels are compared: case and runs of white space do not count."""
    return re.sub(r"\s+", " ", text).strip().casefold()


class Options(tuple[str, ...]):
    """Labels in the order in which a question lists them; ``options - label`` leaves one out."""

    def __sub__(self, other: str | Iterable[str]) -> Options:
        gone = {other} if isinstance(other, str) else set(other)
        return Options(o for o in self if o not in gone)


@dataclass(frozen=True)
class Label:
    """One class of a label space.

    Attributes:
        name: the label as it is written in questions, records and tables.
        code: the code the data set uses for it, if any.
        pair: the two basic emotions that a compound label mixes (unordered), else None.
        aliases: other spellings that mean this label.
    """

    name: str
    code: int | None = None
    pair: tuple[str, str] | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelSpace:
    """The labels of a data set, in their fixed order, and the basic emotions behind them.

    Attributes:
        name: what leaderboards group by.
        labels: the classes, in the order in which ``direct`` questions list them.
        basic: the basic emotions, in the order in which questions list them.
        neutral: the basic emotion that is none, if the space has one.
        basic_aliases: a card's own spellings of basic emotions, beside `SYNONYMS`.
    """

    name: str
    labels: tuple[Label, ...]
    basic: Options
    neutral: str | None = None
    basic_aliases: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def compound(self) -> bool:
        """Whether labels of this space mix two basic emotions."""
        return any(label.pair for label in self.labels)

    @cached_property
    def names(self) -> Options:
        """The names of the labels, in order."""
        return Options(label.name for label in self.labels)

    @cached_property
    def _by_code(self) -> dict[int, str]:
        return {label.code: label.name for label in self.labels if label.code is not None}

    @cached_property
    def _by_pair(self) -> dict[frozenset[str], str]:
        return {frozenset(label.pair): label.name for label in self.labels if label.pair}

    def __getitem__(self, name: str) -> Label:
        return self.labels[self.names.index(name)]

    def from_code(self, code: int) -> str:
        """Return the label with this code; `KeyError` where the space has none."""
        return self._by_code[code]

    def pair_of(self, name: str) -> tuple[str, str] | None:
        """Return the two basic emotions that label *name* mixes, or None for a basic label."""
        return self[name].pair

    def name_of(self, first: str, second: str) -> str | None:
        """Return the label that mixes these two basic emotions (in either order), or None."""
        return self._by_pair.get(frozenset((first, second)))

    def right_answers(self, options: Sequence[str], target: str) -> tuple[str, ...]:
        """Return which of the options are true of a sample labelled *target*: the label itself, or what it mixes."""
        if target in options:
            return (target,)
        return tuple(emotion for emotion in self.pair_of(target) or () if emotion in options)

    def spellings(self, recognised: Sequence[str]) -> dict[str, str]:
        """Return every spelling, folded, of the *recognised* labels or basic emotions -> its canonical name.

        Made once for each choice of labels: an answer is read against it.
        """
        key = tuple(recognised)
        if key not in self._spellings:
            if len(self._spellings) >= SPELLINGS_KEPT:  # a strategy that permutes its options knows no end of them
                self._spellings.clear()
            self._spellings[key] = self._spelt(key)
        return self._spellings[key]

    @cached_property
    def _spellings(self) -> dict[tuple[str, ...], dict[str, str]]:
        return {}

    def _spelt(self, recognised: Sequence[str]) -> dict[str, str]:
        own = {label.name: label for label in self.labels}
        added = dict(self.basic_aliases)
        table: dict[str, str] = {}
        for name in recognised:
            label = own.get(name)
            spellings = [name, *SYNONYMS.get(name, ()), *added.get(name, ()), *(label.aliases if label else ())]
            if label and label.pair:
                a, b = label.pair
                spellings += [f"{x}{joint}{y}" for x, y in ((a, b), (b, a)) for joint in ("+", " + ", " and ", ", ")]
            for spelling in spellings:
                table.setdefault(fold(spelling), name)
        return table

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of everything in the space, codes and aliases included."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Return what a manifest says of the space under ``labels``."""
        return {
            "space": self.name,
            "names": list(self.names),
            "pairs": {label.name: list(label.pair) for label in self.labels if label.pair},
            "basic": list(self.basic),
            "neutral": self.neutral,
        }

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], where: str) -> LabelSpace:
        """Build a space from the ``labels`` part of a card.

        Args:
            data: ``{"space": name, "classes": [{"name", "code", "pair", "aliases"}…], "basic": [...],
                "neutral": name, "basic_aliases": {name: [...]}}``; ``basic`` may be left out where no class
                is a pair: the classes then are the basic emotions.
            where: the file, for error messages.

        Raises:
            UserError: naming the entry that does not fit.
        """

        def bad(problem: str, expected: str) -> UserError:
            return UserError(f"{where}: {problem}", expected=expected, remedy="correct the labels in that file")

        extra = set(data) - {"space", "classes", "basic", "neutral", "basic_aliases"}
        if extra:
            raise bad(f"unknown field {sorted(extra)[0]!r} under labels", "space, classes, basic, neutral")
        labels = []
        for entry in data.get("classes") or ():
            if (
                not isinstance(entry, Mapping)
                or "name" not in entry
                or set(entry) - {"name", "code", "pair", "aliases"}
            ):
                raise bad(f"class {entry!r} cannot be read", "name, and optionally code, pair, aliases")
            pair = entry.get("pair")
            if pair is not None and (not isinstance(pair, list) or len(set(pair)) != 2):
                raise bad(f"pair {pair!r} of {entry['name']!r} is no pair", "two different basic emotions")
            labels.append(
                Label(str(entry["name"]), entry.get("code"), (pair[0], pair[1]) if pair else None,
                      tuple(map(str, entry.get("aliases") or ())))
            )  # fmt: skip
        if len(labels) < 2:
            raise bad("fewer than two classes", "a list of classes under labels.classes")
        space = cls(
            name=str(data.get("space") or where),
            labels=tuple(labels),
            basic=Options(data.get("basic") or [x.name for x in labels]),
            neutral=data.get("neutral"),
            basic_aliases=tuple((k, tuple(v)) for k, v in (data.get("basic_aliases") or {}).items()),
        )
        for what, values in (("name", space.names), ("code", [x.code for x in labels if x.code is not None])):
            twice = [v for v in values if list(values).count(v) > 1]
            if twice:
                raise bad(f"the {what} {twice[0]!r} stands twice", f"every {what} once")
        emotions = [e for x in labels for e in x.pair or ()] + ([space.neutral] if space.neutral else [])
        for emotion in emotions:
            if emotion not in space.basic:
                raise bad(f"{did_you_mean(emotion, space.basic)}{emotion!r} is not basic", ", ".join(space.basic))
        return space
