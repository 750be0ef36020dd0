"""The crops that a session kept, small, for its page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coabench.base.reading import DATA, is_folder, read_bytes, what_is_at
from coabench.base.text import plural
from coabench.errors import UserError
from coabench.live.sources import Note
from coabench.support.images import UnreadableImage, decode
from coabench.support.thumbnails import thumbnail

MOST = 2000
"""Crops in a page at most, evenly over the session: some 6 MB."""


def read_thumbnails(folder: Path, answers: Sequence[Mapping[str, Any]], note: Note) -> Mapping[int, str]:
    """Return the crops of answers, by the answer's position, as data URIs.

    Raises:
        UserError: there is no such folder, or none of the crops is in it.
    """
    if not is_folder(folder):
        raise UserError(f"--crops {folder} is no folder", expected="the folder of `coabench webcam --crops`",
                        found=what_is_at(folder), remedy="correct --crops")  # fmt: skip
    step = math.ceil(len(answers) / MOST) or 1
    chosen = [i for i in range(0, len(answers), step) if answers[i].get("crop")]
    found, missing = {}, 0
    for i in chosen:
        name = str(answers[i]["crop"])
        image = _read(folder, name)
        if image is None:
            missing += 1
        else:
            found[i] = thumbnail(image)
    if chosen and not found:
        raise UserError(f"--crops {folder} holds no crop of this log", expected=str(answers[chosen[0]]["crop"]),
                        remedy="name the folder of that session")  # fmt: skip
    if missing:
        note(f"{plural(missing, 'crop')} are not in {folder}, or cannot be read")
    if step > 1:
        note(f"the page holds the crop of every {step}th answer")
    return found


def _read(folder: Path, name: str) -> Any:
    """Return a crop; None where it is not there. A log may come from anywhere: only names of files are followed."""
    if Path(name).name != name or "\\" in name:
        return None
    try:
        return decode(read_bytes(folder / name, DATA))[0]
    except (OSError, ValueError, UnreadableImage):
        return None
