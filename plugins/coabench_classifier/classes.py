"""The classes of a classifier: a list of labels, understood as emotions."""

from __future__ import annotations

from pathlib import Path

from coabench.base.reading import exists, read_text, user_path, why
from coabench.errors import UserError
from coabench.labels import SYNONYMS, fold

_SPELLINGS = {fold(spelling): name for name, others in SYNONYMS.items() for spelling in (name, *others)}


def canonical(label: str) -> str | None:
    """Return the emotion that a label means, by the closed synonym table, or None."""
    return _SPELLINGS.get(fold(label))


def label_list(model: Path, labels: str | None) -> Path:
    """Return the label list of *model*: *labels*, as the user names it, or the one beside the model.

    Raises:
        UserError: there is none beside it.
    """
    return user_path(labels) if labels is not None else _beside(model)


def find_classes(path: Path) -> tuple[str, ...]:
    """Return the emotions that the outputs stand for, in order, as the list in *path* says.

    Raises:
        UserError: there is no list, or it holds something that is no emotion, or one twice.
    """
    try:
        lines = read_text(path).rstrip().splitlines()
    except (OSError, ValueError) as error:
        raise UserError(
            f"the label list {path} cannot be read",
            expected="a text file in UTF-8 with one label a line, in the order of the outputs",
            found=why(error),
            remedy="correct --set labels=FILE",
        ) from None
    classes: list[str] = []
    for number, line in enumerate(lines, start=1):
        name = canonical(line)
        if name is None or name in classes:
            raise UserError(
                f"{path}, line {number}: {'there twice' if name else 'no emotion'}: {line.strip()!r}",
                expected=f"each once: {', '.join(SYNONYMS)}, or another spelling such as "
                + ", ".join(others[0] for others in SYNONYMS.values()),
                remedy="correct the list",
            )
        classes.append(name)
    if len(classes) < 2:
        raise UserError(f"the label list {path} names {len(classes)} classes", expected="two or more, one a line")
    return tuple(classes)


def _beside(model: Path) -> Path:
    paths = (model.with_suffix(".labels.txt"), model.with_name("labels.txt"))
    for path in paths:
        if exists(path):
            return path
    raise UserError(
        f"there is no label list for {model}",
        expected=f"{paths[0].name} or {paths[1].name} beside it: one label a line, in the order of the outputs",
        remedy="write it, or add --set labels=FILE",
    )
