"""A parquet table of images and labels as a data set: its card, made by looking at its columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.base.reading import why
from coabench.errors import UserError
from coabench.labels import LabelSpace, fold
from coabench.registry.class_folders import LOADER, SPLITS, label_of, labels_as_data, matching_space
from coabench.support.parquet import class_names, image_columns, open_parquet, values_of
from coabench.support.tree import FolderTree

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

LABELS = ("label", "labels", "emotion", "expression")
"""What columns of labels are called, where no other column's numbers have names."""
REMEDY = "describe it in a card: docs/guides/datasets.md has one in ten lines"


def describe_table(path: Path, spaces: Sequence[LabelSpace], taken: Sequence[str]) -> dict[str, Any]:
    """Return the card of a table with a column of images and one of labels, as on disk.

    The labels are those of the first of the *spaces* that knows every one of them, by name or alias. The splits are
    those of the column ``split``, or the one that the file's name begins with, ``train-00000-of-00001.parquet``; else
    all is test.

    Args:
        taken: names that other data sets have.

    Raises:
        UserError: it cannot be read, has no such columns, or a label that stands for nothing.
    """
    try:
        file = open_parquet(FolderTree(path.parent), path.name)
        image, label = _image_column(file, path), _label_column(file, path)
        texts = _texts(file, label, path)
        splits, split_values = _splits(file, path)
    except OSError as error:
        found = why(error)
        raise UserError(f"{path} cannot be read", expected="a parquet table", found=found, remedy="check it") from None
    space = matching_space(path, "labels", texts, spaces, REMEDY)
    values = {text: label_of(text, space) for text in texts if fold(text) not in space.spellings(space.names)}
    name = f"{path.stem}-table" if path.stem in taken else path.stem
    return {
        "schema": 1,
        "name": name,
        "loader": LOADER,
        "labels": labels_as_data(space, name),
        "splits": splits,
        "options": {
            "image": image,
            "label": label,
            **({"values": values} if values else {}),
            **({"split_values": split_values} if split_values else {}),
            "notes": [f"the labels are those of {space.name}: every label of the table is one of them"],
        },
    }


def _image_column(file: ParquetFile, path: Path) -> str:
    names = image_columns(file)
    if len(names) != 1:
        raise _unsuited(file, path, "one column of images", ", ".join(names))
    return names[0]


def _label_column(file: ParquetFile, path: Path) -> str:
    named = list(class_names(file))
    known = [name for name in LABELS if name in (named or file.schema_arrow.names)]
    if not known and len(named) != 1:
        raise _unsuited(file, path, f"one column of labels: {', '.join(LABELS)}", ", ".join(named))
    return known[0] if known else named[0]


def _unsuited(file: ParquetFile, path: Path, expected: str, several: str) -> UserError:
    return UserError(
        f"{path} is no table of labelled images",
        expected=expected,
        found=several or f"columns {', '.join(file.schema_arrow.names)}",
        remedy=REMEDY,
    )


def _texts(file: ParquetFile, label: str, path: Path) -> list[str]:
    """Return all labels, as texts; `UserError` for numbers without names."""
    names = class_names(file).get(label)
    if names is not None:
        return sorted(set(names))
    found = values_of(file, label)
    others = sorted(repr(value) for value in found if not isinstance(value, str))
    if others:
        raise UserError(
            f"the column {label!r} of {path} holds what has no name",
            expected="names of labels: the same number is another emotion in every data set",
            found=", ".join(others[:8]),
            remedy=REMEDY,
        )
    return sorted(map(str, found))


def _splits(file: ParquetFile, path: Path) -> tuple[list[str], dict[str, str]]:
    """Return the splits, evaluate's default first, and which of them other values of the column ``split`` mean."""
    if "split" not in file.schema_arrow.names:
        return [SPLITS.get(fold(path.stem.partition("-")[0]), "test")], {}
    texts = sorted(map(str, values_of(file, "split")))
    meant = {text: SPLITS.get(fold(text)) for text in texts}
    if unknown := [text for text, split in meant.items() if split is None]:
        raise _unsuited(file, path, f"a column 'split' of {', '.join(SPLITS)}", ", ".join(unknown))
    splits = [split for split in dict.fromkeys(SPLITS.values()) if split in meant.values()]
    return splits, {text: split for text, split in meant.items() if split not in (None, text)}
