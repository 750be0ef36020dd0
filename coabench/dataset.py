"""Samples, the Dataset interface, and the data set cards that describe them."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from coabench.errors import UserError, did_you_mean
from coabench.labels import LabelSpace


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
        from coabench.yamlfile import read_yaml

        data = read_yaml(path, what="data set card")
        known = {f for f in cls.__dataclass_fields__ if f not in ("space", "path")} | {"labels", "schema"}
        for key in data:
            if key not in known:
                raise UserError(
                    f"{path}: unknown field {key!r}",
                    expected=", ".join(sorted(known)),
                    remedy=f"{did_you_mean(key, sorted(known))}remove or correct the field",
                )
        for key in ("name", "labels", "loader"):
            if not data.get(key):
                raise UserError(f"{path}: the field {key!r} is missing", remedy=f"add {key!r} to the card")
        if not isinstance(data["labels"], Mapping):
            raise UserError(f"{path}: 'labels' cannot be read", expected="a mapping with 'classes'")
        space = LabelSpace.from_mapping(data["labels"], where=str(path))
        splits = tuple(map(str, data.get("splits") or ("test",)))
        counts = data.get("counts") or {}
        verified = tuple(map(str, data.get("counts_verified") or ()))
        for split in (*counts, *verified):
            if split not in splits:
                raise UserError(
                    f"{path}: counts are given for the unknown split {split!r}",
                    expected=", ".join(splits),
                    remedy=f"{did_you_mean(str(split), splits)}correct the card",
                )
        for split, per_label in counts.items():
            for label, number in per_label.items():
                if not isinstance(number, int):
                    raise UserError(f"{path}: the count of {label!r} in {split!r} is {number!r}", expected="a number")
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
