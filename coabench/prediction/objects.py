"""Pictures as Python has them: paths, PIL images, NumPy arrays, or several of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from coabench.errors import UserError
from coabench.live.sources import Note
from coabench.prediction.pictures import Picture, listed, picture_of, pictures
from coabench.registry.huggingface_data import RowImage, is_huggingface, row_images
from coabench.support.images import UnreadableImage, plain
from coabench.support.memory_images import as_image, in_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    PictureLike = str | PathLike[str] | Image | NDArray[Any]

TAKEN = "paths, PIL images, NumPy arrays (height, width, 3) of uint8 in RGB, a list of them, or a datasets.Dataset"


def checked(value: Any, note: Note) -> list[Any]:
    """Return paths and in-memory pictures in order, of one of them or of several.

    Paths are words as on the command line: folders and patterns stand for their files.

    Raises:
        UserError: something else, or a path that stands for nothing.
    """
    if is_huggingface(value):
        return list(row_images(value, "pictures"))
    several = isinstance(value, Iterable) and not isinstance(value, str | PathLike) and not in_memory(value)
    found: list[Any] = []
    for position, each in enumerate(value if several else [value]):
        if isinstance(each, str | PathLike):
            found += listed([fspath(each)], note)
            continue
        name = f"pictures[{position}]"
        if not in_memory(each):
            kind = type(each).__name__
            raise UserError(f"{name} is no picture", expected=TAKEN, found=f"a {kind}", remedy=f"correct {name}")
        found.append((name, as_image(each, name)))
    return found


def read(found: Iterable[Any], every: float, note: Note) -> Iterator[Picture]:
    """Yield the pictures that `checked` returned, decoded."""
    for each in found:
        if isinstance(each, RowImage):
            yield picture_of(each)
            continue
        if not isinstance(each, tuple):
            yield from pictures(each, every, note)
            continue
        name, image = each
        try:
            picture, notes = plain(image)
        except UnreadableImage as error:
            yield Picture(name, error=f"cannot be decoded: {error}")
        else:
            yield Picture(name, image=picture, notes=notes)
