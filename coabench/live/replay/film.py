"""What a browser makes of a recording: it plays it, or it gets pictures of it."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coabench.base.reading import is_file, open_file, read_bytes, what_is_at
from coabench.base.text import plural
from coabench.errors import UserError
from coabench.live.sources import Note
from coabench.support.films import Film, opened
from coabench.support.opencv import opencv
from coabench.support.thumbnails import encoded

EMBEDDED = 48 * 2**20
"""Bytes of a recording that stands in the page itself, at most; a larger one stays where it is."""
PLAYED = {
    "webm": ("VP80", "VP90", "AV01"),
    "mp4": ("avc1", "h264", "H264", "AV01", "av01", "vp09", "VP90"),
}
"""Container -> the codecs in it that current Chromium, Firefox and Safari play. Not MPEG-4 Part 2 (mp4v), not MJPEG."""
PICTURES = 1500
"""Pictures of a recording that is not played, at most: 15 to 40 MB of page."""
FASTEST = 0.1
"""Seconds between two of them at least."""
SIDE = 480
"""Pixels of their longer side at most."""


def read_film(path: Path, page: Path, note: Note) -> Mapping[str, Any]:
    """Return what the page is told of a recording.

    Args:
        page: the page to be, which a large recording is looked for from.
        note: called with what the user should know.

    Returns:
        ``name``, ``size`` (width, height), ``length`` in seconds, and one of ``data`` (base64) with its ``type``,
        ``address`` relative to the page with its ``type``, and ``pictures`` with their ``times`` and a ``reason``.

    Raises:
        UserError: it is no film that OpenCV can read.
    """
    if not is_file(path):
        raise UserError(
            f"{path} is no recording", expected="a video", found=what_is_at(path), remedy="name the recording"
        )
    capture = opened(str(path))
    if capture is None:
        raise UserError(f"{path} cannot be read as a video", expected="what `coabench webcam --record` writes",
                        remedy="name the recording, or leave it out")  # fmt: skip
    cv2 = opencv()
    try:
        film = Film(capture)
        size = [int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))]
        code = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode("latin-1")
        length = (film.announced or 0) / film.fps
        known = {"name": path.name, "size": size, "length": round(length, 3)}
        container = _container(path)
        if code in PLAYED.get(container, ()):
            return {**known, "type": f"video/{container}", **_where(path, page, note)}
        return {**known, **_pictures(path.name, code.strip("\0 "), film, length, note)}
    finally:
        capture.release()


def _container(path: Path) -> str:
    with open_file(path) as file:
        head = file.read(64)
    return "webm" if b"webm" in head else "mp4" if head[4:8] == b"ftyp" else ""


def _where(path: Path, page: Path, note: Note) -> Mapping[str, str]:
    size = path.stat().st_size
    if size <= EMBEDDED:
        return {"data": base64.b64encode(read_bytes(path, EMBEDDED)).decode()}
    try:
        address = Path(os.path.relpath(path.absolute(), page.absolute().parent)).as_posix()
    except ValueError:  # another drive
        raise UserError(f"{path} is too large for the page, and on another drive", expected="both on one drive",
                        remedy="write --output to that drive") from None  # fmt: skip
    note(f"{path.name} ({size / 1e6:,.0f} MB) is too large to stand in the page: it plays where {address} is beside it")
    return {"address": address}


def _pictures(name: str, code: str, film: Film, length: float, note: Note) -> Mapping[str, Any]:
    """Return pictures at even distances: so a recording is scrubbed through where no browser plays it."""
    from PIL import Image

    cv2, step = opencv(), max(FASTEST, length / PICTURES)
    pictures: list[str] = []
    times: list[float] = []
    for frame, time in film.pictures():
        if times and time < times[-1] + step - 1e-3:
            continue
        if len(times) >= PICTURES:
            break
        image = Image.fromarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        image.thumbnail((SIDE, SIDE))
        pictures.append(encoded(image))
        times.append(round(time, 3))
    reason, rate = f"No browser plays {name} ({code or 'an unknown codec'})", f"{1 / step:.2g} a second"
    note(f"{reason}: the page shows {plural(len(times), 'picture')} of it, {rate}; `--record out.webm` makes a film")
    return {"pictures": pictures, "times": times, "reason": f"{reason}: pictures of it are shown, {rate}."}
