"""A film on its way from a page: written to a temporary file piece by piece, and looked at before it is opened."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from coabench.base.text import safe
from coabench.errors import JobError, UserError
from coabench.live.sources import Note, Source, Video
from coabench.support.films import opened
from coabench.support.opencv import opencv

MAX_BYTES = 2 * 1024**3
"""Of a film."""
PIECE = 512 * 1024
"""Bytes of a piece at most."""
SPARE = 1024**3
"""Bytes of the disk that a film leaves free."""
MAX_PIXELS = 4096 * 4096
"""Of a film's picture: 4K, and round about."""
LONGEST = 100
"""Characters of a name that are kept."""
HEAD = 12
"""Bytes that say what a file is."""
EXPECTED = "an MP4, MOV, MKV, WebM or AVI film"


class Upload:
    """A film of which some has come.

    Attributes:
        name: as the viewer has it, for people.
        size, received: bytes.
    """

    def __init__(self, folder: Path, number: int, name: str, size: str) -> None:
        """Make the file, empty, in a private *folder*; `UserError` where the film is too large."""
        self.name = safe(name, LONGEST) or "film"
        self.size, self.received = int(size) if size.isdecimal() and len(size) < 16 else 0, 0
        if not 0 < self.size <= MAX_BYTES:
            raise UserError(
                "the film is too large" if self.size else "the film is empty",
                expected=f"1 to {MAX_BYTES:,} bytes",
                found=f"{self.size:,} bytes",
                remedy="cut it, or look at it with coabench webcam --source",
            )
        self._path = folder / f"film{number}"
        try:
            if self.size > shutil.disk_usage(folder).free - SPARE:
                raise UserError("the server's disk has no room for the film", remedy="send a smaller one")
            self._file = self._path.open("xb", buffering=0)
        except OSError as error:
            raise _failed(error) from None

    @property
    def complete(self) -> bool:
        """Whether all of it has come."""
        return self.received == self.size

    def write(self, piece: bytes) -> None:
        """Take the next piece.

        Raises:
            UserError: it is more than was announced, or the file is no film.
            JobError: it cannot be written.
        """
        if not 0 < len(piece) <= min(PIECE, self.size - self.received):
            raise UserError("a piece of the film is too large", expected=f"{PIECE} bytes, and no more than announced")
        if self.received == 0 and not _is_film(piece[:HEAD]):
            raise UserError("this is no film", expected=EXPECTED, remedy="choose another file, or convert it")
        try:
            left = memoryview(piece)
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise _failed(error) from None
        self.received += len(piece)
        if self.complete:
            self._file.close()

    def open(self, note: Note) -> Source:
        """Return the film as a source; `UserError` where it cannot be read as one."""
        capture = None if _too_large(self._path) else opened(str(self._path))
        if capture is None:
            raise UserError(
                "the film cannot be read",
                expected=f"{EXPECTED}, of at most {MAX_PIXELS:,} pixels, with a codec that OpenCV's FFmpeg knows",
                remedy="convert it, for example: ffmpeg -i IN -c:v libx264 -pix_fmt yuv420p OUT.mp4",
            )
        return Video(self.name, capture, note, str(self._path))

    def delete(self) -> None:
        """Delete the file."""
        self._file.close()
        try:
            self._path.unlink(missing_ok=True)
        except OSError:  # on Windows while it is still open; its folder is deleted in the end
            return


def _is_film(head: bytes) -> bool:
    """Whether a file is of a container that holds its pictures itself.

    FFmpeg takes playlists for films, too: texts that make it open other files and addresses of this machine.
    """
    iso = head[:3] == b"\0\0\0" and head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
    return iso or head[:4] == b"\x1aE\xdf\xa3" or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")


def _too_large(path: Path) -> bool:
    """Whether the pictures are, as far as the file says before one is decoded."""
    cv2 = opencv()
    capture: Any = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    capture.release()
    return bool(width * height > MAX_PIXELS)


def _failed(error: OSError) -> JobError:
    return JobError("the film cannot be kept on the server", found=error.strerror or str(error))
