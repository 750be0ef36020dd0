"""A folder of class folders, or an archive of one, as a data set: its card, made by looking at the names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from coabench.base.reading import what_is_at, why
from coabench.base.schema import At, read_fields
from coabench.base.vocabulary import TRAIN
from coabench.dataset import Card
from coabench.errors import UserError, did_you_mean
from coabench.labels import LabelSpace, fold
from coabench.support.images import SUFFIXES
from coabench.support.tree import Tree
from coabench.support.verification import contents

LOADER = "faces"
SPLITS = {
    "test": "test", "testing": "test", "val": "val", "valid": "val", "validation": "val", "dev": "dev",
    TRAIN: TRAIN, "training": TRAIN,
}  # fmt: skip
"""What folders of splits are called -> the split. Of those that are there, the first is the default of evaluate."""
REMEDY = (
    "rename the folders, or describe them in a card: docs/guides/datasets.md has one in ten lines, "
    "and `values` under its options says what a folder stands for"
)


def describe_folder(tree: Tree, spaces: Sequence[LabelSpace], taken: Sequence[str]) -> dict[str, Any]:
    """Return the card of class folders, or of folders of splits with class folders, as on disk.

    The labels are those of the first of the *spaces* that knows every class, by name or alias.

    Args:
        tree: the folder, or an archive of one, packed with its name or without.
        taken: names that other data sets have.

    Raises:
        UserError: there are no class folders, one of them stands for no label, or it cannot be read.
    """
    inner = tree.inner()
    try:
        return _describe(tree, spaces, taken)
    except UserError:
        if inner is None:
            raise
    return _describe(inner, spaces, taken)


def _describe(tree: Tree, spaces: Sequence[LabelSpace], taken: Sequence[str]) -> dict[str, Any]:
    folder = tree.where("")
    try:
        below = _folders(tree)
        splits = {name: SPLITS[fold(name)] for name in below if fold(name) in SPLITS and _folders(tree, name)}
        parents = list(splits) or [""]
        classes = sorted({n for parent in parents for n in _folders(tree, parent) if _has_image(tree, parent, n)})
        stray = sorted({name for name in below if splits and name not in splits and _has_image(tree, name)})
        loose = sum(_is_image(e.name) for parent in {"", *parents} for e in tree.entries(parent) if not e.is_folder)
    except OSError as error:
        raise UserError(f"{error.filename or folder} cannot be read", found=why(error), remedy="check it") from None
    if stray:
        raise UserError(
            f"{folder} holds folders of splits ({', '.join(splits)}) beside others with images",
            expected="class folders, or folders of splits that hold all of them",
            found=", ".join(stray),
            remedy="move or rename them, or describe them in a card",
        )
    if not classes:
        raise UserError(
            f"{folder} is no data set: it holds no class folders with images",
            expected="a folder for each class, happy/1.jpg, or for each split and class, test/happy/1.jpg",
            found=contents(tree),
            remedy="name the folder that holds the class folders; one picture or more: `coabench predict`",
        )
    space = matching_space(folder, "class folders", classes, spaces, REMEDY)
    name = tree.name or "root"
    name = f"{name}-folder" if name in taken else name
    order = [split for split in dict.fromkeys(SPLITS.values()) if split in splits.values()]
    files: Any = {split: _pattern(splits, split) for split in order}
    values = {each: label_of(each, space) for each in classes if fold(each) not in space.spellings(space.names)}
    left = [f"images in no class folder, left out: {loose:,}"] if loose else []
    return {
        "schema": 1,
        "name": name,
        "loader": LOADER,
        "labels": labels_as_data(space, name),
        "splits": order or ["test"],
        "options": {
            "files": files or "{label}/**/*",
            **({"values": values} if values else {}),
            "notes": [f"the labels are those of {space.name}: every class folder is one of them", *left],
        },
    }


def read_described(data: Mapping[str, Any], folder: Path) -> Card:
    """Return the card that `describe_folder` returned as data; its path is that of the folder or archive."""
    fields = {key: value for key, value in data.items() if key != "schema"}
    return read_fields(Card, fields, At(folder, "rename the folder"), title=data["name"], path=folder)


def card_text(data: Mapping[str, Any], folder: Path) -> str:
    """Return the file of a card, for editing."""
    import yaml

    text: str = yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True, width=110)
    return f"# Made from {str(folder.absolute())!a}: pass that as --data-root.\n{text}"


def _folders(tree: Tree, folder: str = "") -> list[str]:
    return [entry.name for entry in tree.entries(folder) if entry.is_folder and not entry.name.startswith(".")]


def _is_image(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _has_image(tree: Tree, *folder: str) -> bool:
    return any(map(_is_image, tree.names(PurePosixPath(*folder))))


def _pattern(splits: Mapping[str, str], split: str) -> str:
    """Return where the images of a split are; `UserError` where two folders claim to be it."""
    names = [name for name, meant in splits.items() if meant == split]
    if len(names) > 1:
        raise UserError(f"{' and '.join(names)} are both the split {split!r}", remedy="rename or merge one of them")
    return f"{names[0]}/{{label}}/**/*"


def matching_space(
    what: object, kind: str, classes: Sequence[str], spaces: Sequence[LabelSpace], remedy: str
) -> LabelSpace:
    """Return the first space that knows every class; `UserError` that compares with the closest where none does.

    Args:
        what: the data set, and what *kind* of things its classes are, for the message.
    """
    unknown = [[name for name in classes if label_of(name, space) is None] for space in spaces]
    least = min(range(len(spaces)), key=lambda index: len(unknown[index]))
    if not unknown[least]:
        return spaces[least]
    names = spaces[least].names
    known = list(spaces[least].spellings(names))
    hints = "; ".join(
        f"{name!r}: {did_you_mean(_plain(name), known).strip() or 'nothing like it'}" for name in unknown[least]
    )
    raise UserError(
        f"{what}: {kind} that stand for no label: {', '.join(map(repr, unknown[least]))}",
        expected=f"{', '.join(names)} (of {spaces[least].name}, the closest), or their usual synonyms",
        found=hints,
        remedy=remedy,
    )


def _plain(name: str) -> str:
    return fold(re.sub(r"[_-]+", " ", name))


def label_of(name: str, space: LabelSpace) -> str | None:
    """Return the label that a name stands for, None for none; ``happily_surprised`` is spelt as folders often are."""
    spellings = space.spellings(space.names)
    return spellings.get(fold(name)) or spellings.get(_plain(name))


def labels_as_data(space: LabelSpace, name: str) -> dict[str, Any]:
    """Return a label space as a card has it, under another name."""
    classes = [
        {
            "name": label.name,
            **({"pair": list(label.pair)} if label.pair else {}),
            **({"aliases": list(label.aliases)} if label.aliases else {}),
        }
        for label in space.labels
    ]
    aliases = {emotion: list(spelt) for emotion, spelt in space.basic_aliases}
    return {
        "space": name,
        "classes": classes,
        "basic": list(space.basic),
        **({"neutral": space.neutral} if space.neutral else {}),
        **({"basic_aliases": aliases} if aliases else {}),
    }


def looks_like_path(spec: str) -> bool:
    """Whether *spec* can only be a path, so that a wrong one is not taken for a misspelt name."""
    return spec.startswith((".", "~", "/")) or "/" in spec or "\\" in spec


def no_folder(spec: str, path: Path) -> UserError:
    """Return the error for a path that is neither a folder nor a file."""
    return UserError(
        f"--dataset {spec}: there is {what_is_at(path)}",
        expected="a data set's name, a card (.yaml), class folders, a .zip or .tar of them, or a .parquet table",
        remedy="correct --dataset",
    )
