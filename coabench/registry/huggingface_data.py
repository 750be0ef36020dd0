"""A `datasets.Dataset` of Hugging Face: a row a sample, its image as it is encoded, read when it is needed."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coabench.base.reading import DATA, read_bytes
from coabench.base.vocabulary import SUBJECT
from coabench.errors import UserError

LABEL = "label"
"""The column of labels, where several could be it."""


@dataclass(frozen=True)
class RowImage:
    """The image of a row.

    Attributes:
        rows: a `datasets.Dataset` of the column alone, not decoded.
    """

    name: str
    rows: Any
    column: str
    position: int

    def read(self) -> bytes:
        cell = self.rows[self.position][self.column] or {}
        if cell.get("bytes") is not None:
            return bytes(cell["bytes"])
        if not cell.get("path"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return read_bytes(Path(cell["path"]), DATA)

    def size(self) -> int:
        try:
            return len(self.read())
        except OSError:
            return -1

    def digest(self) -> str | None:
        """Return the SHA-256 of its bytes; None where it cannot be read."""
        try:
            return hashlib.sha256(self.read()).hexdigest()
        except OSError:
            return None


def is_huggingface(data: Any) -> bool:
    """Whether it is a data set of Hugging Face: one, a mapping of splits, or a stream."""
    module = sys.modules.get("datasets")
    kinds = ("Dataset", "DatasetDict", "IterableDataset", "IterableDatasetDict")
    classes = tuple(kind for name in kinds if isinstance(kind := getattr(module, name, None), type))
    return hasattr(module, "ClassLabel") and isinstance(data, classes)


def row_images(data: Any, what: str = "dataset") -> list[RowImage]:
    """Return the images of all rows.

    Args:
        what: what the caller calls the data set.

    Raises:
        UserError: it is several splits or a stream, or has no column of images, or several.
    """
    _check_one(data, what)
    from datasets import Image

    found = [name for name, feature in data.features.items() if isinstance(feature, Image)]
    if len(found) != 1:
        raise UserError(
            f"{what} has {len(found) or 'no'} column{'s' * (len(found) > 1)} of images",
            expected="one column whose feature is datasets.Image",
            found=_described(data, found or list(data.features)),
            remedy=f"keep one of them: {what}.remove_columns({found[1]!r})" if found
            else f"make the column of paths or encoded images one: {what}.cast_column('image', datasets.Image())",
        )  # fmt: skip
    rows = data.with_format(None).select_columns(found).cast_column(found[0], Image(decode=False))
    return [RowImage(f"{what}[{position}]", rows, found[0], position) for position in range(len(rows))]


def row_labels(data: Any) -> list[str]:
    """Return the names of the labels of all rows.

    Raises:
        UserError: no column says them, several do, or one lacks.
    """
    from datasets import ClassLabel

    named = {name: feature.names for name, feature in data.features.items() if isinstance(feature, ClassLabel)}
    texts = [name for name, feature in data.features.items() if getattr(feature, "dtype", "") in STRINGS]
    chosen = [LABEL] if LABEL in (*named, *texts) else list(named)
    if len(chosen) != 1:
        raise UserError(
            f"dataset has {'several columns' if chosen else 'no column'} of labels",
            expected=f"one column whose feature is datasets.ClassLabel, or {LABEL!r}, a ClassLabel or text",
            found=_described(data, chosen or list(data.features)),
            remedy=f"name it: dataset.rename_column({chosen[0]!r}, {LABEL!r})" if chosen
            else f"name the numbers: dataset.cast_column({LABEL!r}, datasets.ClassLabel(names=[…]))",
        )  # fmt: skip
    column, names = chosen[0], named.get(chosen[0])
    return [_label(value, names, f"dataset[{i}][{column!r}]") for i, value in enumerate(_column(data, column))]


def row_subjects(data: Any) -> Sequence[str | None]:
    """Return who is on the image of each row, None for nobody known."""
    if SUBJECT not in data.features:
        return [None] * len(data)
    return [None if value is None else str(value) for value in _column(data, SUBJECT)]


STRINGS = ("string", "large_string")


def _check_one(data: Any, what: str) -> None:
    if isinstance(data, dict):
        splits = list(map(str, data))
        raise UserError(
            f"{what} holds several splits", expected="one of them", found=", ".join(splits) or "none",
            remedy=f"name the split: {what}[{splits[0] if splits else 'test'!r}]",
        )  # fmt: skip
    if getattr(data, "format", {}).get("type") == "custom":
        raise UserError(
            f"{what} changes its rows by a transform as they are read", expected="rows that are as they are kept",
            found="with_transform, or set_transform",
            remedy=f"have it change them now: {what}.map(…); or take it off: {what}.with_format(None)",
        )  # fmt: skip
    if not hasattr(data, "__len__"):
        raise UserError(
            f"{what} is a stream ({type(data).__name__})", expected="a datasets.Dataset, whose rows can be counted",
            remedy=f"load it without streaming=True, or a part: datasets.Dataset.from_list(list({what}.take(100)))",
        )  # fmt: skip


def _column(data: Any, name: str) -> Iterable[Any]:
    return data.with_format(None).select_columns([name])[name]  # type: ignore[no-any-return]


def _label(value: Any, names: Sequence[str] | None, where: str) -> str:
    if names is None and isinstance(value, str):
        return value
    if names is not None and isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    remedy = "leave such rows out: dataset.filter(…)"
    raise UserError(f"{where} is no label", expected="a label for each row", found=repr(value), remedy=remedy)


def _described(data: Any, columns: Iterable[str]) -> str:
    """Return columns with their features, in words: ``image: Image, label: Value(int64)``."""
    described = []
    for name in columns:
        feature = data.features[name]
        kind = type(feature).__name__
        described.append(f"{name}: {kind}" + (f"({feature.dtype})" if kind == "Value" else ""))
    return ", ".join(described) or "no columns"
