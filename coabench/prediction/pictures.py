"""From the words on the command line to pictures: images, folders, patterns, films, names on stdin. Never a URL."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from glob import glob, has_magic
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from coabench.base.files import sha256_of
from coabench.base.reading import is_file, is_folder, user_path, what_is_at
from coabench.dataset import ImageFile, ImageSource
from coabench.errors import CoabenchError, SampleError, UserError, first_line
from coabench.inference.loading import read_image
from coabench.live.sources import Note, natural, to_rgb
from coabench.support.films import Film, opened
from coabench.support.images import SUFFIXES
from coabench.support.opencv import opencv
from coabench.support.verification import unread

if TYPE_CHECKING:
    from PIL.Image import Image

Key = tuple[str | None, int | None]
"""A picture: its file, and its frame in a film."""
NONE: Mapping[Key, str | None] = {}
STDIN = "-"
FILMS = frozenset(f".{ending}" for ending in "mp4 m4v mov avi mkv webm mpg mpeg wmv flv 3gp ogv mts m2ts".split())  # noqa: SIM905
"""How the names of films end. Any other file is read as an image; of an animated one the first picture, as in
`coabench evaluate`."""


@dataclass(frozen=True)
class Picture:
    """A picture to look at, or the reason why there is none.

    Attributes:
        file: its name, as the user's words lead to it; None for one that was handed over in Python.
        frame: which picture of a film, from 0; None for an image.
        time: seconds from the film's beginning.
        image: 8-bit RGB, upright.
        sha256: of an image's bytes.
        notes: what was done beyond decoding; see `coabench.support.images`.
        error: why there is no image; the file is named by `file` alone.
    """

    file: str | None
    frame: int | None = None
    time: float | None = None
    image: Image | None = None
    sha256: str | None = None
    notes: tuple[str, ...] = ()
    error: str | None = None


def listed(words: Iterable[str], note: Note) -> list[Path]:
    """Return the files that the words stand for, each once: files as they are, those in folders and of patterns sorted.

    Raises:
        UserError: a word stands for nothing, is a URL, or is a folder without pictures.
    """
    return list(dict.fromkeys(file for word in words for file in _files(word, note)))


def _files(word: str, note: Note) -> list[Path]:
    if re.match(r"[a-z][a-z0-9+.-]+://", word, re.IGNORECASE):
        raise UserError(
            f"{word} is an address: nothing is fetched from the network",
            expected="images, films or folders on this machine",
            remedy="download it first, and name the file",
        )
    path = user_path(word)
    if is_folder(path):
        return _in_folder(path, note)
    if is_file(path):
        return [path]
    matching = map(Path, glob(str(path), recursive=True)) if has_magic(word) else ()  # noqa: PTH207
    files = sorted((file for file in matching if not is_folder(file)), key=natural)
    if not files:
        raise UserError(
            f"{word}: there is {what_is_at(path)}" if not has_magic(word) else f"no file fits {word}",
            expected="an image, a film, a folder of them, a pattern such as 'photos/**/*.jpg', or - for names on stdin",
            remedy="correct the path",
        )
    return files


def _in_folder(folder: Path, note: Note) -> list[Path]:
    """Return the pictures and films below a folder; hidden ones are left out, links to folders not followed."""
    files: list[Path] = []
    others: list[str] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [path.name for path in _visible(folders)]
        for name in _visible(names):
            if name.suffix.lower() in SUFFIXES | FILMS:
                files.append(parent / name)
            else:
                others.append(str(name))
    if not files:
        raise UserError(
            f"{folder} holds no picture",
            expected=f"files whose names end in {', '.join(sorted(SUFFIXES | FILMS))}",
            found=f"{len(others):,} other files" if others else "no files",
            remedy="name another folder, or the file itself",
        )
    if others:
        note(f"{folder}: {unread(others)}")
    return files


def _visible(names: Iterable[str]) -> list[Path]:
    return sorted((Path(name) for name in names if not name.startswith(".")), key=natural)


def named(lines: Iterable[str], note: Note) -> Iterator[Path | Picture]:
    """Yield the files that lines of stdin name, as they come; a line that names nothing is a picture with an error."""
    for line in lines:
        word = line.removesuffix("\n").removesuffix("\r")
        if not word.strip():
            continue
        try:
            yield from _files(word, note)
        except UserError as error:
            yield Picture(word, error=_without_name(error, word))


def gathered(
    files: Iterable[Path], lines: Iterable[str], every: float, note: Note, known: Mapping[Key, str | None] = NONE
) -> Iterator[Picture]:
    """Yield the pictures of files, then of those that lines of stdin name, each file once; see `pictures`."""
    seen: set[str] = set()
    for file in chain(files, named(lines, note)):
        name = str(file.file if isinstance(file, Picture) else file)
        if name in seen:
            continue
        seen.add(name)
        if not isinstance(file, Picture):
            yield from pictures(file, every, note, known)
        elif (name, None) not in known:
            yield file


def pictures(file: Path, every: float, note: Note, known: Mapping[Key, str | None] = NONE) -> Iterator[Picture]:
    """Yield the picture of an image file, or those of a film, but for those that are *known* by file and frame.

    Args:
        known: what was answered about earlier, with the SHA-256 of the file.
        every: seconds between two pictures of a film; 0 for every frame.
    """
    name = str(file)
    if file.suffix.lower() in FILMS:
        yield from (each for each in _frames(file, every, note) if (name, each.frame) not in known)
    elif (name, None) in known:
        _check_same(file, known[name, None], note)
    else:
        yield picture_of(ImageFile(Path(), name))


def picture_of(source: ImageSource) -> Picture:
    """Return an image, decoded, or why it cannot be."""
    try:
        read = read_image(source)
    except SampleError as error:
        return Picture(source.name, error=_without_name(error, source.name))
    return Picture(source.name, image=read.image, sha256=read.sha256, notes=read.notes)


def _without_name(error: CoabenchError, name: str) -> str:
    """Return what is wrong without the name that a `Picture` has beside it."""
    return error.problem.removeprefix("image ").removeprefix(name).lstrip(": ")


def _check_same(file: Path, sha256: str | None, note: Note) -> None:
    """Say so where the file of an answer that is kept is another by now."""
    with suppress(OSError):
        if sha256 is not None and sha256_of(file) != sha256:
            note(f"{file} has changed since its answer was recorded, which is kept; --overwrite asks again about all")


def _frames(file: Path, every: float, note: Note) -> Iterator[Picture]:
    from PIL import Image

    name = str(file)
    try:
        name.encode()  # OpenCV opens no other names
        capture = opened(name) if what_is_at(file) == "a file" else None
    except UserError as error:  # no OpenCV
        yield Picture(name, error=f"{error.problem}; {error.remedy}")
        return
    except UnicodeEncodeError:
        yield Picture(name, error="cannot be read: its name is no UTF-8")
        return
    if capture is None:
        found = what_is_at(file)
        reason = "no picture of it can be decoded" if found == "a file" else f"there is {found}"
        yield Picture(name, error=f"cannot be read: {reason}")
        return
    film, due = Film(capture), 0.0
    try:
        for index, (picture, time) in enumerate(film.pictures()):
            if time + 1e-6 >= due:
                due = (math.floor((time + 1e-6) / every) + 1) * every if every else 0.0
                yield Picture(name, index, time, Image.fromarray(to_rgb(picture)))
    except opencv().error as error:
        yield Picture(name, error=f"cannot be read any further: {first_line(error)}")
    finally:
        capture.release()
    if film.shortfall:
        note(f"{name}: {film.shortfall}")
