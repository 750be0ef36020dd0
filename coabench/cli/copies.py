"""The file in which ``coabench datasets verify`` lists pairs of images that show the same."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coabench.base.files import write_text
from coabench.base.reading import exists, open_file, why
from coabench.base.text import safe
from coabench.dataset import Card
from coabench.errors import UserError

if TYPE_CHECKING:
    from coabench.support.image_checks import Pair

COLUMNS = ("copies", "image", "label", "split", "other image", "other label", "other split")


def default_file(card: Card) -> Path:
    """Return the file for a data set's pairs where the user names none."""
    return Path("".join(c if c.isalnum() or c in "-_.+" else "-" for c in card.name) + ".pairs.csv")


def check_replaceable(file: Path) -> None:
    """Refuse (`UserError`) to replace a file that is something else than such a list."""
    try:
        if not exists(file) or _begins_as_pairs(file):
            return
        found = "another file"
    except OSError as error:
        found = why(error)
    raise UserError(
        f"{file} cannot be replaced by a list of pairs",
        expected="no file, or a list that this command wrote",
        found=found,
        remedy="choose another --pairs FILE",
    )


def _begins_as_pairs(file: Path) -> bool:
    with open_file(file) as stream:
        return stream.readline(200).decode(errors="replace").strip() == ",".join(COLUMNS)


def write_pairs(file: Path, pairs: Sequence[Pair]) -> None:
    """Write every pair as a row of a CSV file, identical images first; `UserError` where it cannot be written."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for pair in pairs:
        places = ((safe(s.image.name), s.target, s.split) for s in (pair.one, pair.other))
        writer.writerow(["identical" if pair.identical else "near", *(cell for place in places for cell in place)])
    try:
        write_text(file, text.getvalue())
    except OSError as error:
        raise UserError(f"{file} cannot be written", found=why(error), remedy="choose another --pairs FILE") from None
