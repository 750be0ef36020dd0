"""Videos at a constant rate out of frames that come at any: time is kept, and only what the user paused is cut."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.base.files import Closing
from coabench.base.names import require_utf8
from coabench.base.reading import exists, is_folder, what_is_at
from coabench.base.text import plural
from coabench.errors import JobError, UserError
from coabench.support.films import slot
from coabench.support.opencv import opencv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mkv": "mp4v", ".avi": "MJPG", ".webm": "VP80"}
"""Suffix -> a codec that the FFmpeg inside OpenCV's wheels can write (it has no H.264 encoder)."""
LONGEST = 600.0
"""Seconds without frames that a recording bridges with the last one. A longer gap is a clock that jumped, and would
fill the disk: it is cut, and `Recording.notes` says so."""
FASTEST = 240.0
"""Frames a second."""
RESERVE = 16 * 2**20
"""Bytes that a recording leaves free on its disk: OpenCV does not say that it could not write, and the index of a
video, without which it cannot be read, comes last."""
WHOLE = 0.9
"""What a finished file must say it has of the frames that were written; of some formats the number is estimated."""
EXACT = 60.0
"""Frames a second from which rates become whole numbers: MPEG-4 cannot write 66.667."""


class Recording(Closing):
    """A video file being written. Use as a context manager; it is a valid file once closed.

    The file appears with the first frame, which fixes its size (rounded down to even numbers, as codecs want it); later
    frames of another size are fitted into it on black. Each frame is shown until the next one comes.

    Args:
        fps: frames a second; 30 where they are not known.
        since: the time at which the recording begins; that of its first frame by default.
    """

    def __init__(self, path: Path, fps: float | None, since: float | None = None) -> None:
        self.path, self.frames = path, 0
        rate = min(fps or 30.0, FASTEST)
        self.fps = rate if rate <= EXACT else float(math.ceil(rate))
        self.left_out, self.cut_out = 0, 0.0
        self._writer: Any = None
        self._file: os.stat_result | None = None
        self._picture: Any = None
        self._size = (0, 0)
        self._began = self._last = since

    def write(self, image: NDArray[np.uint8], time: float) -> None:
        """Add an RGB frame that was taken at *time* (seconds, growing).

        Raises:
            JobError: the file cannot be written, or is gone.
        """
        if self._writer is None:
            self._open(image)
        self._check_room()
        if self._began is None or self._last is None:
            self._began = self._last = time
        if time - self._last > LONGEST:
            cut = time - self._last - 1 / self.fps
            self._began += cut
            self.cut_out += cut
        self._last = time
        number = slot(time - self._began, self.fps)
        held = self._picture
        self._picture = self._fitted(image)
        if number < self.frames:
            self.left_out += 1
            return
        for _ in range(number - self.frames):
            self._writer.write(self._picture if held is None else held)
        self._writer.write(self._picture)
        self.frames = number + 1

    def hold(self, until: float) -> None:
        """Show the last frame up to a time at which the source ended, unless that is too long to be true."""
        if self._writer is None or self._began is None or self._last is None or until - self._last > LONGEST:
            return
        number = slot(until - self._began, self.fps)
        for _ in range(number - self.frames):
            self._writer.write(self._picture)
        self.frames = max(self.frames, number)

    def skip(self, seconds: float) -> None:
        """Leave out a time that has passed: the user paused."""
        if self._began is not None and self._last is not None:
            self._began += seconds
            self._last += seconds

    @property
    def notes(self) -> list[str]:
        """What is not as it was, in sentences."""
        notes = []
        if self.left_out:
            notes.append(
                f"{self.path.name} lacks {plural(self.left_out, 'frame')}, which came faster than {self.fps:g} a second"
            )
        if self.cut_out:
            notes.append(f"{self.path.name} lacks {self.cut_out:.0f} s without frames, too long to bridge")
        return notes

    def close(self) -> None:
        """Finish the file; `JobError` where it is not whole."""
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        there = opencv().VideoCapture(str(self.path), opencv().CAP_FFMPEG)
        number = there.get(opencv().CAP_PROP_FRAME_COUNT) if there.isOpened() else 0
        there.release()
        if number < WHOLE * self.frames:
            raise self._lost(f"{max(0, int(number))} of {plural(self.frames, 'frame')} in it")

    def _check_room(self) -> None:
        try:
            same = self._file is not None and os.path.samestat(self._file, self.path.stat())
            free = shutil.disk_usage(self.path.parent).free
        except OSError:
            same = False
        if not same:
            raise self._lost("it was deleted or moved meanwhile")
        if free < RESERVE:
            raise self._lost(f"{free / 2**20:.0f} MiB are free on its disk")

    def _lost(self, found: str) -> JobError:
        return JobError(f"the recording {self.path} cannot be written", found=found,
                        remedy="make room, or choose another file")  # fmt: skip

    def _open(self, image: NDArray[np.uint8]) -> None:
        height, width = image.shape[:2]
        self._size = max(2, width - width % 2), max(2, height - height % 2)
        self._writer = _writer(self.path, self.fps, self._size)
        if not self._writer.isOpened():
            raise self._lost("the file cannot be made")
        self._file = self.path.stat()

    def _fitted(self, image: NDArray[np.uint8]) -> Any:
        cv2 = opencv()
        width, height = self._size
        if image.shape[0] - height not in (0, 1) or image.shape[1] - width not in (0, 1):
            scale = min(width / image.shape[1], height / image.shape[0])
            size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            right, below = width - size[0], height - size[1]
            image = cv2.copyMakeBorder(image, below // 2, below - below // 2, right // 2, right - right // 2,
                                       cv2.BORDER_CONSTANT, value=(0, 0, 0))  # fmt: skip
        return cv2.cvtColor(image[:height, :width], cv2.COLOR_RGB2BGR)


def check_recording(path: Path, option: str) -> None:
    """Check that a recording can be written: the suffix, the folder, and for real a short video beside it.

    Raises:
        UserError: naming *option*; nothing is left behind.
    """
    import numpy as np

    if path.suffix.lower() not in CODECS:
        raise UserError(
            f"{option} {path}: there is no codec for {path.suffix or 'a name without a suffix'}",
            expected=", ".join(CODECS),
            remedy=f"write {option} {path.with_suffix('.mp4')}",
        )
    check_new_file(path, option)
    require_utf8(path.absolute(), option)
    with tempfile.TemporaryDirectory(prefix=".coabench-", dir=path.absolute().parent) as folder:
        trial = Path(folder) / f"trial{path.suffix.lower()}"
        with suppress(JobError), Recording(trial, 10.0) as recording:
            for number in range(3):
                recording.write(np.zeros((64, 64, 3), np.uint8), number / 10)
        if count_frames(trial) != 3:
            raise UserError(
                f"{option} {path}: this OpenCV cannot write {CODECS[path.suffix.lower()]} video",
                expected="OpenCV with FFmpeg, as in the wheels on PyPI",
                remedy="pip install opencv-python, or choose another suffix: " + ", ".join(CODECS),
            )


def check_new_file(path: Path, option: str) -> None:
    """Check that a file can be made: it is not there, and its folder can be written.

    Raises:
        UserError: naming *option*.
    """
    folder = path.absolute().parent
    if exists(path):
        problem, remedy = "is already there", "choose another name, or move that file away"
    elif not is_folder(folder):
        problem, remedy = f"cannot be written: there is no folder {folder}", "make the folder, or choose another"
    elif not os.access(folder, os.W_OK | os.X_OK):
        problem, remedy = f"cannot be written: {folder} is read-only", "choose another folder"
    elif (there := what_is_at(path)) != "nothing there":  # a name that is too long, say
        problem, remedy = f"cannot be written: {there}", "choose another name"
    else:
        return
    raise UserError(f"{option} {path} {problem}", expected="a new file in a folder that can be written", remedy=remedy)


def count_frames(path: Path) -> int:
    """Return how many frames of a video can be decoded; 0 where it is none."""
    cv2 = opencv()
    capture, number = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG), 0
    while capture.grab():
        number += 1
    capture.release()
    return number


def _writer(path: Path, fps: float, size: tuple[int, int]) -> Any:
    cv2 = opencv()
    codec = cv2.VideoWriter_fourcc(*CODECS[path.suffix.lower()])
    return cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, fps, size)
