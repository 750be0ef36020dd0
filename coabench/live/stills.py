"""Pictures that the user asks for while a session runs: a still, and the clean crops that its answers are about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from coabench.errors import JobError
from coabench.live.snapshot import FaceAnswer, Snapshot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def save_still(folder: Path, image: NDArray[np.uint8], index: int, snapshot: Snapshot) -> list[Path]:
    """Save what is shown (RGB, with its overlay) and beside it the clean crop of each answer; return the files.

    The still is named after its frame, each crop as the answer's line in the log says. PNG, so that evaluating a crop
    gives the answer again.
    """
    from PIL import Image

    still = folder / f"still{index:06}.png"
    with _disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(still)
    return [still, *save_crops(folder, [face.answer for face in snapshot.faces if face.answer is not None])]


def save_crops(folder: Path, answers: Iterable[FaceAnswer]) -> list[Path]:
    """Save the clean crops of answers; return the files."""
    files = []
    for answer in answers:
        files.append(folder / f"{answer.name}.png")
        with _disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            answer.crop.save(files[-1])
    return files


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    """Turn a full or read-only disk into a `JobError`."""
    try:
        yield
    except OSError as error:
        found = error.strerror or str(error)
        remedy = "make room, or choose another folder"
        raise JobError(f"no picture can be saved in {folder}", found=found, remedy=remedy) from error
