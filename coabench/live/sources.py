"""Where frames come from: a camera, a video, a folder of images, a stream. OpenCV and Pillow stay in here."""

from __future__ import annotations

import math
import os
import re
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from coabench.base.names import require_utf8
from coabench.base.reading import DATA, exists, is_file, is_folder, read_bytes, user_path, what_is_at
from coabench.base.text import plural
from coabench.errors import UserError
from coabench.live.snapshot import Frame
from coabench.support.films import Film, even_rate, opened
from coabench.support.images import SUFFIXES, UnreadableImage, decode
from coabench.support.opencv import opencv
from coabench.support.redaction import without_credentials

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Note = Callable[[str], None]
"""Called with what the user should know, in a line."""
SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp")
RETRIES = 5
"""How often a camera or stream that gives nothing is opened again before the source ends."""
PAUSE = 0.5
"""Seconds before the first of them; each further one waits twice as long."""
STALL = 5.0
"""Seconds without data after which a stream counts as stalled."""
SLIDES = 5.0
"""Images of a folder a second."""


class Source(ABC):
    """Gives frames, once.

    Attributes:
        name: what the user typed.
        live: whether frames come by the clock and are lost where they are not taken. All others wait.
        fps: frames a second, as far as known.
        stays: whether a window should stay open at its end.
        length: seconds from its first frame to the end of its last, as far as known.
    """

    live = False
    stays = False
    fps: float | None = None
    length: float | None = None

    def __init__(self, name: str, note: Note) -> None:
        self.name, self.note = name, note

    @abstractmethod
    def frames(self) -> Iterator[Frame]:
        """Yield the frames, each with an array of its own; end where the source ends."""

    def recording_rate(self) -> float | None:
        """Return the frames a second at which a recording loses none, as far as known."""
        return self.fps

    def close(self) -> None:
        """Let go of the device or file."""
        return


FILMS = frozenset((".gif",))
"""Endings of images that are films where one of them is the source."""


def open_source(spec: str, note: Note) -> Source:
    """Open what the user typed: a camera's number or device, a video, an image, a folder of images, a URL.

    Args:
        note: called with what the user should know while frames come (a stalled stream, a skipped image).

    Raises:
        UserError: there is no such thing, or it gives no picture.
    """
    if re.fullmatch(r"\d+", spec) or spec.startswith("/dev/"):
        return Camera(spec, note)
    if urlsplit(spec).scheme.lower() in SCHEMES and "://" in spec:
        return _open_url(spec, note)
    path = user_path(spec)
    if is_folder(path) or path.suffix.lower() in SUFFIXES - FILMS:
        return Folder(path, note)
    if not is_file(path):
        raise UserError(
            f"--source {spec}: there is {what_is_at(path)}",
            expected="a camera's number, a video, an image, a folder of images, or a URL (rtsp://…, http://…)",
            remedy="correct --source",
        )
    require_utf8(path, "--source")
    return Video(spec, _video(str(path), spec), note, str(path))


class Folder(Source):
    """Images of a folder and of those in it, in the order of their names (numbers count as numbers); or one image."""

    fps = SLIDES
    stays = True

    def __init__(self, path: Path, note: Note) -> None:
        super().__init__(str(path), note)
        if is_folder(path):
            self.files = sorted((p for p in _files(path) if p.suffix.lower() in SUFFIXES), key=natural)
            self._root = path
        else:
            self.files, self._root = [path], path.parent
        if not any(_picture(file) is not None for file in self.files):
            raise UserError(
                f"--source {path} holds no image that can be read",
                expected="images: " + ", ".join(sorted(SUFFIXES)),
                found=f"{plural(len(self.files), 'file')} with such a name" if is_folder(path) else what_is_at(path),
                remedy="correct --source",
            )

    def frames(self) -> Iterator[Frame]:
        index = 0
        for file in self.files:
            name = file.relative_to(self._root).as_posix()
            picture = _picture(file)
            if picture is None:
                self.note(f"{name} cannot be read as an image and is skipped")
                continue
            yield Frame(picture, index / SLIDES, index, name, scene=index)
            index += 1


class Video(Source):
    """A video of known length, frame by frame; times are the file's."""

    def __init__(self, name: str, capture: Any, note: Note, path: str | None = None) -> None:
        """Take an opened capture; *path* where it is of a file on this machine."""
        super().__init__(name, note)
        self._capture, self._film, self._path = capture, Film(capture, remote=path is None), path
        self.fps, self.length = self._film.fps, self._film.length

    def frames(self) -> Iterator[Frame]:
        for index, (picture, at) in enumerate(self._film.pictures()):
            yield Frame(to_rgb(picture), at, index)
        if self._film.shortfall:
            self.note(f"{self.name}: {self._film.shortfall}")

    def recording_rate(self) -> float | None:
        return even_rate(self._path, self._film.fps) if self._path else self.fps

    def close(self) -> None:
        self._capture.release()


class Live(Source):
    """A camera or an endless stream. What fails is opened again, some times, with a notice."""

    live = True

    def __init__(self, name: str, note: Note, reopen: Callable[[], Any], opened: Any = None) -> None:
        """Take what was *opened*, or open it; `UserError` where it gives no picture."""
        super().__init__(name, note)
        self._reopen = reopen
        self._capture = reopen() if opened is None else opened
        read, first = self._capture.read()
        if not read:
            self.close()
            raise UserError(
                f"--source {name} was opened, but gives no picture",
                expected="a picture within some seconds",
                remedy="close other programs that use it, or choose another --source",
            )
        rate = self._capture.get(opencv().CAP_PROP_FPS)
        self.fps = rate if math.isfinite(rate) and 0 < rate <= 240 else None
        self._first: Any = first
        self._closed = False

    def frames(self) -> Iterator[Frame]:
        began, index = time.monotonic(), 0
        picture, self._first = self._first, None
        while not self._closed:
            if picture is None:
                picture = self._read()
                if picture is None:
                    return
            yield Frame(to_rgb(picture), time.monotonic() - began, index)
            picture = None
            index += 1

    def _read(self) -> Any:
        """Return the next picture; open the source again where there is none; None in the end."""
        pause = PAUSE
        for attempt in range(RETRIES + 1):
            read, picture = self._capture.read() if self._capture.isOpened() else (False, None)
            if read or self._closed:
                return picture if read else None
            if attempt == RETRIES:
                break
            self.note(f"{self.name} gives no picture; trying again ({attempt + 1} of {RETRIES})")
            time.sleep(pause)
            pause *= 2
            self._capture.release()
            try:
                self._capture = self._reopen()
            except UserError:
                continue
        self.note(f"{self.name} is gone")
        return None

    def close(self) -> None:
        self._closed = True
        self._capture.release()


class Camera(Live):
    """A camera by its number or device path."""

    def __init__(self, spec: str, note: Note) -> None:
        self.spec = spec
        super().__init__(spec, note, self._open)

    def _open(self) -> Any:
        cv2 = opencv()
        device = Path(self.spec if self.spec.startswith("/dev/") else f"/dev/video{self.spec}")
        on_linux = sys.platform.startswith("linux")
        if on_linux and not exists(device):
            raise _no_camera(self.spec, "there is no such camera")
        if on_linux and not os.access(device, os.R_OK | os.W_OK):
            raise _no_camera(self.spec, f"you may not use {device}", "ask to become a member of the group 'video', or ")
        capture = cv2.VideoCapture(int(self.spec) if self.spec.isdigit() else self.spec)
        if not capture.isOpened():
            raise _no_camera(self.spec, "it cannot be opened")
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the newest picture, not the one after the last
        return capture


def cameras() -> list[str]:
    """Return the cameras of this machine, as ``--source`` takes them; except on Linux by trying the first."""
    if sys.platform.startswith("linux"):
        return [str(path) for path in sorted(Path("/dev").glob("video*"), key=natural)]
    usable = []
    for number in range(4):
        capture = opencv().VideoCapture(number)
        if capture.isOpened():
            usable.append(str(number))
        capture.release()
    return usable


def _no_camera(spec: str, problem: str, first: str = "") -> UserError:
    there = cameras()
    return UserError(
        f"--source {spec}: {problem}",
        expected="one of these cameras: " + ", ".join(there) if there else "a camera",
        found=None if there else "no camera on this machine",
        remedy=f"{first}choose another --source: a camera, a video, a folder of images, a URL"
        + ("" if there else "; or --serve, for the camera of your browser"),
    )


def _open_url(url: str, note: Note) -> Source:
    """Open a stream; one of known length is a video."""
    cv2 = opencv()

    def reopen() -> Any:
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, int(STALL * 1000), cv2.CAP_PROP_READ_TIMEOUT_MSEC, int(STALL * 1000)]
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, limits)
        if not capture.isOpened():
            raise UserError(
                f"--source {shown(url)} cannot be opened",
                expected=f"a stream that answers within {STALL:.0f} s",
                remedy="check the address, the password and the network",
            )
        return capture

    capture = reopen()
    if capture.get(cv2.CAP_PROP_FRAME_COUNT) > 1:
        return Video(shown(url), capture, note)
    return Live(shown(url), note, reopen, capture)


def shown(spec: str) -> str:
    """Return a source, or a word of a command line, as it may be shown and logged: an address without its password."""
    return without_credentials(spec)


def _video(path: str, spec: str) -> Any:
    """Return the opened video, of which a frame was read for a test."""
    capture = opened(path)
    if capture is None:
        raise UserError(
            f"--source {spec} cannot be read as a video",
            expected="a video with a codec that OpenCV's FFmpeg knows; an MP4 file that was cut off lacks its index",
            found=f"{Path(path).stat().st_size} bytes",
            remedy="try it in a player; convert it, for example: ffmpeg -i IN -c:v libx264 -pix_fmt yuv420p OUT.mp4",
        )
    return capture


def _picture(path: Path) -> NDArray[np.uint8] | None:
    """Return an image file as an RGB array, upright; None where it cannot be read."""
    import numpy as np

    try:
        return np.asarray(decode(read_bytes(path, DATA))[0])
    except (OSError, UnreadableImage):
        return None


def to_rgb(picture: Any) -> NDArray[np.uint8]:
    """Return OpenCV's picture (BGR, or grey) as a new RGB array."""
    cv2 = opencv()
    code = cv2.COLOR_GRAY2RGB if picture.ndim == 2 else cv2.COLOR_BGR2RGB
    converted: NDArray[np.uint8] = cv2.cvtColor(picture, code)
    return converted


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of the folders in it; links to folders are not followed."""
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)


def natural(path: Path) -> list[Any]:
    """Return what files are sorted by: the names of their folders and theirs, in which numbers count as numbers."""
    parts = (part for name in path.parts for part in ("/", *re.split(r"(\d+)", name)))
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
