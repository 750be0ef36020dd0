"""Label spaces: which labels exist, how they are coded, and which pair of basic emotions each stands for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any

from coabench.base.schema import EachOnce, Read, Text, Unfit, at_least
from coabench.errors import did_you_mean

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


class Choices(tuple[str, ...]):
    """Labels in the order in which a question lists them; ``options - label`` leaves one out."""

    def __sub__(self, other: str | Iterable[str]) -> Choices:
        gone = {other} if isinstance(other, str) else set(other)
        return Choices(o for o in self if o not in gone)


@dataclass(frozen=True)
class Label:
    """One class of a label space.

    Attributes:
        name: the label as it is written in questions, records and tables.
        code: the code the data set uses for it, if any.
        pair: the two basic emotions that a compound label mixes (unordered), else None.
        aliases: other spellings that mean this label.
    """

    name: Text
    code: Annotated[int, at_least(0)] | None = None
    pair: Annotated[tuple[str, str], EachOnce] | None = None
    aliases: Annotated[tuple[str, ...], EachOnce] = ()


Names = Annotated[tuple[str, ...], EachOnce]


@dataclass(frozen=True)
class LabelSpace:
    """The labels of a data set, in their fixed order, and the basic emotions behind them.

    A card's ``labels`` are read as one; what is not in its type hints is checked by `complete`.

    Attributes:
        name: what leaderboards group by; on a card ``space``.
        labels: the classes, in the order in which ``direct`` questions list them; on a card ``classes``.
        basic: the basic emotions, in the order in which questions list them; a card may leave them out where no class
            is a pair: the classes then are the basic emotions.
        neutral: the basic emotion that is none, if the space has one.
        basic_aliases: a card's own spellings of basic emotions, beside `SYNONYMS`.
    """

    labels: tuple[Label, ...] = field(metadata={"key": "classes"})
    name: str = field(default="", metadata={"key": "space"})
    basic: Annotated[Choices, Read(Choices, Names)] = field(default_factory=Choices)
    neutral: str | None = None
    basic_aliases: Annotated[
        tuple[tuple[str, tuple[str, ...]], ...], Read(lambda names: tuple(names.items()), Mapping[str, Names])
    ] = ()

    @property
    def compound(self) -> bool:
        """Whether labels of this space mix two basic emotions."""
        return any(label.pair for label in self.labels)

    @cached_property
    def names(self) -> Choices:
        """The names of the labels, in order."""
        return Choices(label.name for label in self.labels)

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

        Made once for each choice of labels, since an answer is read against it; what is returned is a copy.
        """
        key = tuple(recognised)
        if key not in self._spellings:
            if len(self._spellings) >= SPELLINGS_KEPT:  # a strategy that permutes its options knows no end of them
                self._spellings.clear()
            self._spellings[key] = self._spelt(key)
        return dict(self._spellings[key])

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


def complete(space: LabelSpace) -> LabelSpace:
    """Return a label space as read from a card, its basic emotions filled in.

    Raises:
        Unfit: labels contradict each other, or name emotions that are not basic.
    """
    if len(space.labels) < 2:
        raise Unfit("a list of classes under labels.classes", "fewer than two classes")
    space = replace(space, basic=space.basic or space.names)
    for what, values in (("name", space.names), ("code", [x.code for x in space.labels if x.code is not None])):
        twice = [v for v in values if list(values).count(v) > 1]
        if twice:
            raise Unfit(f"every {what} once", f"the {what} {twice[0]!r} stands twice")
    emotions = [e for x in space.labels for e in x.pair or ()] + ([space.neutral] if space.neutral else [])
    for emotion in emotions:
        if emotion not in space.basic:
            raise Unfit(", ".join(space.basic), f"{did_you_mean(emotion, space.basic)}{emotion!r} is not basic")
    return space
