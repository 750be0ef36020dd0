"""Samples, the Dataset interface, and the data set cards that describe them."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from coabench.errors import UserError, did_you_mean
from coabench.labels import LabelSpace

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
        return (self.root / self.name).read_bytes()

    def size(self) -> int:
        try:
            return (self.root / self.name).stat().st_size
        except OSError:
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
    """

    id: str
    image: ImageSource
    target: str
    split: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Card:
    """What a data set is, as its card (a YAML file) says.

    Attributes:
        name: the name used on the command line.
        title, description, homepage, access, terms, citation: for people.
        space: the label space.
        splits: the splits, the one that ``evaluate`` uses by default first.
        counts: split -> label -> number of images, as far as known.
        counts_verified: splits whose counts are exact; a mismatch elsewhere is a warning only.
        loader: the registered data set whose loader reads it.
        options: further fields, for the loader.
        path: the file.
    """

    name: str
    title: str
    space: LabelSpace
    splits: tuple[str, ...]
    loader: str
    description: str = ""
    homepage: str = ""
    access: str = ""
    terms: str = ""
    citation: str = ""
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    counts_verified: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @classmethod
    def read(cls, path: Path) -> Card:
        """Read a card.

        Raises:
            UserError: the file is absent, is no YAML, or a field is missing, unknown or of the wrong type.
        """
        from coabench.base.yaml import read_yaml

        data = read_yaml(path, what="data set card")
        known = {f for f in cls.__dataclass_fields__ if f not in ("space", "path")} | {"labels", "schema"}
        for key in data:
            if key not in known:
                raise UserError(
                    f"{path}: unknown field {key!r}",
                    expected=", ".join(sorted(known)),
                    remedy=f"{did_you_mean(str(key), sorted(known))}remove or correct the field",
                )
        for key in ("name", "labels", "loader"):
            if not data.get(key):
                raise UserError(f"{path}: the field {key!r} is missing", remedy=f"add {key!r} to the card")
        _check_types(data, path)
        space = LabelSpace.from_mapping(data["labels"], where=str(path))
        splits = tuple(data.get("splits") or ("test",))
        counts = data.get("counts") or {}
        verified = tuple(data.get("counts_verified") or ())
        for split in (*counts, *verified):
            if split not in splits:
                raise UserError(
                    f"{path}: counts are given for the unknown split {split!r}",
                    expected=", ".join(splits),
                    remedy=f"{did_you_mean(split, splits)}correct the card",
                )
        for split, per_label in counts.items():
            for label in per_label:
                if label not in space.names:
                    raise UserError(
                        f"{path}: counts name the unknown label {label!r} in split {split!r}",
                        expected=", ".join(space.names),
                        remedy=f"{did_you_mean(label, space.names)}correct the card",
                    )
        texts = ("title", "description", "homepage", "access", "terms", "citation")
        return cls(
            name=str(data["name"]),
            space=space,
            splits=splits,
            loader=str(data["loader"]),
            counts=counts,
            counts_verified=verified,
            options=data.get("options") or {},
            path=path,
            **{key: str(data.get(key) or (data["name"] if key == "title" else "")).strip() for key in texts},
        )

    def check_split(self, split: str) -> None:
        """Refuse (`UserError`) a split that is not on the card."""
        if split not in self.splits:
            raise UserError(
                f"{self.name} has no split {split!r}",
                expected=", ".join(self.splits),
                found=split,
                remedy=f"{did_you_mean(split, self.splits)}choose one of these with --split",
            )


TEXT, NUMBER, MAPPING = "a text", "a whole number", "a mapping"


def _check_types(data: Mapping[str, Any], path: Path) -> None:
    """Refuse a field of another type: YAML reads ``no`` as false and a single split as a row of letters."""

    def need(value: Any, kind: str, where: str) -> None:
        if value is None:  # a field left empty is a field left out
            return
        fits = {
            TEXT: isinstance(value, str),
            NUMBER: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
            MAPPING: isinstance(value, Mapping),
        }[kind]
        if not fits:
            hint = "put it in quotes" if kind == TEXT and not isinstance(value, list | Mapping) else "correct the card"
            raise UserError(
                f"{path}: {where} cannot be read", expected=kind, found=f"{_kind(value)}: {value!r}", remedy=hint
            )

    def need_texts(value: Any, where: str) -> None:
        if value is None:
            return
        if not isinstance(value, list):
            found = f"{_kind(value)}: {value!r}"
            remedy = f"write [{value}]" if isinstance(value, str) else "correct the card"
            raise UserError(f"{path}: {where} cannot be read", expected="a list of texts", found=found, remedy=remedy)
        for item in value:
            need(item if item is not None else "", TEXT, f"an entry of {where}")
        twice = next((item for item in value if value.count(item) > 1), None)
        if twice is not None:
            raise UserError(f"{path}: {twice!r} stands twice in {where}", expected="every entry once")

    for key in ("name", "loader", "title", "description", "homepage", "access", "terms", "citation"):
        need(data.get(key), TEXT, f"the field {key!r}")
    for key in ("splits", "counts_verified"):
        need_texts(data.get(key), f"the field {key!r}")
    for key in ("labels", "counts", "options"):
        need(data.get(key), MAPPING, f"the field {key!r}")
    if data.get("schema") not in (None, SCHEMA):
        raise UserError(
            f"{path}: the card is of schema {data['schema']!r}", expected=str(SCHEMA), remedy="use a newer coabench"
        )
    _check_labels(data["labels"], path, need, need_texts)
    for split, per_label in (data.get("counts") or {}).items():
        need(split, TEXT, "a split under 'counts'")
        need(per_label if per_label is not None else "", MAPPING, f"the counts of {split!r}")
        for label, number in per_label.items():
            need(label, TEXT, f"a label in the counts of {split!r}")
            need(number if number is not None else "", NUMBER, f"the count of {label!r} in {split!r}")


def _check_labels(
    labels: Mapping[str, Any],
    path: Path,
    need: Callable[[Any, str, str], None],
    need_texts: Callable[[Any, str], None],
) -> None:
    for key in ("space", "neutral"):
        need(labels.get(key), TEXT, f"labels.{key}")
    need_texts(labels.get("basic"), "labels.basic")
    need(labels.get("basic_aliases"), MAPPING, "labels.basic_aliases")
    for emotion, aliases in (labels.get("basic_aliases") or {}).items():
        need(emotion, TEXT, "a name in labels.basic_aliases")
        need_texts(aliases, f"labels.basic_aliases of {emotion!r}")
    classes = labels.get("classes")
    if classes is not None and not isinstance(classes, list):
        raise UserError(
            f"{path}: labels.classes cannot be read",
            expected="a list such as [{name: Happiness, code: 3}, {name: Sadness, code: 4}]",
            found=_kind(classes),
        )
    for entry in classes or ():
        if isinstance(entry, Mapping):  # anything else is told by LabelSpace
            name = entry.get("name")
            need(name, TEXT, "the name of a class")
            need(entry.get("code"), NUMBER, f"the code of {name!r}")
            for key in ("pair", "aliases"):
                need_texts(entry.get(key), f"the {key} of {name!r}")


def _kind(value: Any) -> str:
    names = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list"}
    return "a mapping" if isinstance(value, Mapping) else names.get(type(value), type(value).__name__)


@dataclass(frozen=True)
class Check:
    """One line of a verification: what was checked, how it went, and the evidence."""

    level: str
    """``ok``, ``warning`` or ``error``."""
    text: str
    examples: tuple[str, ...] = ()


class Dataset(ABC):
    """A data set on this machine.

    The constructor takes ``(card, root, options)``: the card, the data root (None where the user gave none) and an
    instance of `Options`. It finds the files and raises `UserError` where they are not what the card describes.
    """

    @dataclass(frozen=True)
    class Options:
        """The options that ``--set key=value`` may change, with their defaults; override in a subclass."""

    needs_root: ClassVar[bool] = True
    """Whether ``--data-root`` is needed."""

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

    @abstractmethod
    def verify(self) -> list[Check]:
        """Check the files against the card: counts, missing and unreadable images, codes, collisions."""

    def fingerprint(self, split: str) -> str:
        """Return the SHA-256 over id, target and image size in bytes of every sample of a split, in order."""
        digest = hashlib.sha256()
        for s in self.samples(split):
            digest.update(json.dumps([s.id, s.target, s.image.size()]).encode() + b"\n")
        return digest.hexdigest()
