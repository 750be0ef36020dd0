"""Samples, the Dataset interface, and the data set cards that describe them."""

from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol

from coabench.base.reading import DATA, read_bytes
from coabench.base.schema import At, Prose, Read, Text, at_least, read_file
from coabench.base.vocabulary import SUBJECT
from coabench.detector import Landmarks
from coabench.errors import UserError, did_you_mean
from coabench.labels import LabelSpace, Names, complete

SCHEMA = 1
"""The version of the card format."""


class ImageSource(Protocol):
    """Where the bytes of an image come from. *name* says which, relative to the data root."""

    @property
    def name(self) -> str: ...

    def read(self) -> bytes:
        """Return the encoded image (JPEG, PNG…); OSError where it cannot be read."""
        ...

    def size(self) -> int:
        """Return the number of bytes, or -1 where there is no image."""
        ...


@dataclass(frozen=True)
class ImageFile:
    """An image in a file below the data root."""

    root: Path
    name: str

    def read(self) -> bytes:
        return read_bytes(self.root / self.name, DATA)

    def size(self) -> int:
        try:
            return (self.root / self.name).stat().st_size
        except (OSError, ValueError):  # of a name that no file can have
            return -1


@dataclass(frozen=True)
class Sample:
    """One image and its true label.

    Attributes:
        id: unique and namespaced by the data set: ``raf-db-compound/test_001``.
        image: where the image is.
        target: the true label, a name of the data set's label space.
        split: the split it belongs to.
        attributes: what else is known (perceived gender, age…), JSON-serialisable.
        votes: how many annotators chose each label, label -> number, where the data set has them: labels of its label
            space, numbers from 0 to `MOST_VOTES`. Votes for what is no label ("unknown") are left out, and so
            may be labels without any. The *target* need not be the label with the most.
        landmarks: where the face's lie in the picture as decoded, where the data set knows them exactly.
    """

    id: str
    image: ImageSource
    target: str
    split: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    votes: Mapping[str, float] = field(default_factory=dict)
    landmarks: Landmarks | None = None


MOST_VOTES = 1e9
"""More votes for a label of one image than this are none."""


def invalid_votes(votes: Mapping[str, float], names: Sequence[str]) -> str | None:
    """Say what is wrong with the votes of a sample; None where nothing is.

    Args:
        names: the labels of the data set.
    """
    if not isinstance(votes, Mapping):
        return f"{votes!r} is no mapping from labels to numbers"
    for label, number in votes.items():
        if label not in names:
            return f"{label!r} is no label"
        if not isinstance(number, int | float) or isinstance(number, bool) or not 0 <= number <= MOST_VOTES:
            return f"{number!r} votes for {label!r}"
    return None


def votes_digest(samples: Iterable[Sample]) -> str | None:
    """Return the SHA-256 over id and votes of every sample that has some, in order; None where none has any."""
    digest, empty = hashlib.sha256(), True
    for sample in samples:
        if sample.votes:
            digest.update(json.dumps([sample.id, dict(sample.votes)], sort_keys=True).encode() + b"\n")
            empty = False
    return None if empty else digest.hexdigest()


@dataclass(frozen=True)
class Card:
    """What a data set is, as its card (a YAML file) says.

    Attributes:
        name: the name used on the command line.
        title, description, homepage, access, terms, citation: for people.
        space: the label space; ``labels`` on the card.
        loader: the registered data set whose loader reads it.
        splits: the splits, the one that ``evaluate`` uses by default first.
        counts: split -> label -> number of images, as far as known.
        counts_verified: splits whose counts are exact; a mismatch elsewhere is a warning only.
        image_size: width and height of every image, pixels, where they are alike.
        options: further fields, for the loader.
        path: the file.
    """

    name: Text
    space: Annotated[LabelSpace, Read(complete)] = field(metadata={"key": "labels"})
    loader: Text
    splits: Names = ("test",)
    title: Prose = ""
    description: Prose = ""
    homepage: Prose = ""
    access: Prose = ""
    terms: Prose = ""
    citation: Prose = ""
    counts: Mapping[str, Mapping[str, Annotated[int, at_least(0)]]] = field(default_factory=dict)
    counts_verified: Names = ()
    image_size: tuple[Annotated[int, at_least(1)], Annotated[int, at_least(1)]] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @classmethod
    def read(cls, path: Path) -> Card:
        """Read a card.

        Raises:
            UserError: the file is absent, is no YAML, or a field is missing, unknown or of the wrong type.
        """
        card = read_file(cls, path, "data set card", schema=SCHEMA, path=path)
        space = card.space if card.space.name else replace(card.space, name=str(path))
        card = replace(card, space=space, title=card.title or card.name, splits=card.splits or ("test",))
        at = At(path, "correct the card")
        for split in (*card.counts, *card.counts_verified):
            if split not in card.splits:
                raise at.unknown(split, card.splits, "split in the counts:")
        for split, per_label in card.counts.items():
            for label in per_label:
                if label not in space.names:
                    raise at.field("counts").field(split).unknown(label, space.names, "label")
        return card

    @property
    def names_subjects(self) -> bool:
        """Whether its options say where the files name who is on an image.

        By convention an option, a part of a path or a group of a pattern is called ``subject`` then.
        """
        return re.search(rf"""['{{<]{SUBJECT}['}}>]""", str(dict(self.options))) is not None

    def check_split(self, split: str) -> None:
        """Refuse (`UserError`) a split that is not on the card."""
        if split not in self.splits:
            raise UserError(
                f"{self.name} has no split {split!r}",
                expected=", ".join(self.splits),
                found=split,
                remedy=f"{did_you_mean(split, self.splits)}choose one of these with --split",
            )


@dataclass(frozen=True)
class Check:
    """One line of a verification: what was checked, the outcome, and the evidence."""

    level: str
    """``ok``, ``warning`` or ``error``."""
    text: str
    examples: tuple[str, ...] = ()


class Dataset(ABC):
    """A data set on this machine.

    The constructor takes ``(card, root, options)``: the card, the data root (None where the user gave none) and an
    instance of `Options`. The data root is a folder that is there, or a file where the class names `root_files`. The
    constructor finds the files and raises `UserError` where they are not what the card describes.
    """

    @dataclass(frozen=True)
    class Options:
        """The options that ``--set key=value`` may change, with their defaults; override in a subclass."""

    needs_root: ClassVar[bool] = True
    """Whether ``--data-root`` is needed."""

    root_files: ClassVar[Sequence[str]] = ()
    """The kinds of files that may be the data root instead of a folder: ``.zip``, say. They are for people to read: a
    loader that names some is offered any file, and refuses one of another kind; `coabench.support.archives` opens
    archives as it opens folders."""

    card: Card

    @abstractmethod
    def samples(self, split: str) -> Sequence[Sample]:
        """Return the samples of a split, in a fixed order; `UserError` for a split that is not there."""

    def notes(self) -> Sequence[str]:
        """Return what the user must know before trusting a number: an unofficial copy, say."""
        return ()

    def identity(self) -> Mapping[str, Any]:
        """Return the options that change which images or labels are used, JSON-serialisable."""
        return {}

    def action_units(self, label: str) -> Sequence[int]:
        """Return the action units that every face of a label moves, where that is known: of rendered faces, say."""
        return ()

    def listed(self) -> Iterable[Sample]:
        """Return the samples of every split, whose images `coabench datasets verify` looks at.

        Override it where samples are known of a split that `samples` refuses for some of its labels.
        """
        for split in self.card.splits:
            try:
                yield from self.samples(split)
            except UserError:  # which verify() reports, or which is not in this copy
                continue

    @abstractmethod
    def verify(self) -> list[Check]:
        """Check the files against the card: labels, counts, codes, collisions. Images need no check here."""

    def fingerprint(self, split: str) -> str:
        """Return the SHA-256 over id, target and image size in bytes of every sample of a split, in order."""
        digest = hashlib.sha256()
        for s in self.samples(split):
            digest.update(json.dumps([s.id, s.target, s.image.size()]).encode() + b"\n")
        return digest.hexdigest()
