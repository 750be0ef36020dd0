"""The perceived attributes of a face, from ``Annotation/manual/<stem>_manu_attri.txt``.

Lines 1-5 hold landmarks; lines 6, 7 and 8 hold codes, as RAF-DB's own README lists them. The values are what
annotators perceived, not what the people in the pictures say about themselves; the names say so.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from coabench.base.reading import TEXT, why
from coabench.errors import UserError
from coabench.support.tree import Tree

FIELDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("perceived_gender", ("male", "female", "unsure")),
    ("perceived_race", ("Caucasian", "African-American", "Asian")),
    ("perceived_age_group", ("0-3", "4-19", "20-39", "40-69", "70+")),
)
"""Name and words of the fields on lines 6, 7 and 8; the code is the position of the word."""


def read_attributes(tree: Tree, path: PurePosixPath) -> dict[str, str]:
    """Return the attributes in a file, in words; none where there is no file.

    Raises:
        UserError: the file is there but lines 6 to 8 are not three known codes.
    """
    try:
        lines = tree.read(path, TEXT).decode(errors="replace").split("\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UserError(f"{path.name} cannot be read", found=why(error)) from None
    attributes = {}
    for number, (name, words) in enumerate(FIELDS, start=6):
        code = lines[number - 1].strip() if len(lines) >= number else "no such line"
        if code not in map(str, range(len(words))):
            raise UserError(
                f"{path.name}, line {number}: no {name.replace('_', ' ')}",
                expected=", ".join(f"{i} ({word})" for i, word in enumerate(words)),
                found=repr(code),
            )
        attributes[name] = words[int(code)]
    return attributes
