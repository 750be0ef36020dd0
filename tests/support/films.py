"""Films that OpenCV cannot write: of variable rate, cut off, damaged in the middle."""

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from coabench.live.recording import Recording


def grey(value: int, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """Return a picture of one grey, RGB."""
    return np.full((height, width, 3), value, np.uint8)


def written(path: Path, pictures: Sequence[NDArray[np.uint8]], fps: float) -> Path:
    """Write a film of constant rate."""
    with Recording(path, fps) as recording:
        for number, picture in enumerate(pictures):
            recording.write(picture, number / fps)
    return path


def cut_off(path: Path, share: float) -> Path:
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    return path


def damaged(path: Path, begin: float, end: float) -> Path:
    """Overwrite a part of a file, from one share of its length to another."""
    data = bytearray(path.read_bytes())
    first, last = int(begin * len(data)), int(end * len(data))
    data[first:last] = b"\xff" * (last - first)
    path.write_bytes(data)
    return path


def timed(path: Path, pictures: Sequence[NDArray[np.uint8]], times: Sequence[float]) -> Path:
    """Write a Matroska film of JPEG pictures, each with its own time in seconds (kept to milliseconds)."""
    height, width = pictures[0].shape[:2]
    size = _element("E0", _number("B0", width) + _number("BA", height))
    track = _number("D7", 1) + _number("73C5", 1) + _number("83", 1) + _element("86", b"V_MJPEG") + size
    duration = _element("4489", struct.pack(">d", 1000 * (times[-1] + 0.1)))
    clusters = b""
    for picture, time in zip(pictures, times, strict=True):
        jpeg = io.BytesIO()
        Image.fromarray(picture).save(jpeg, "JPEG", quality=95)
        block = _element("A3", b"\x81\x00\x00\x80" + jpeg.getvalue())
        clusters += _element("1F43B675", _number("E7", round(1000 * time)) + block)
    head = _element("1A45DFA3", _element("4282", b"matroska") + _number("4287", 4) + _number("4285", 2))
    info = _element("1549A966", _number("2AD7B1", 1_000_000) + duration)
    path.write_bytes(head + _element("18538067", info + _element("1654AE6B", _element("AE", track)) + clusters))
    return path


def _element(name: str, data: bytes) -> bytes:
    """Return an element of EBML: its name, its length in eight bytes, its data."""
    return bytes.fromhex(name) + struct.pack(">Q", len(data) | 1 << 56) + data


def _number(name: str, value: int) -> bytes:
    return _element(name, value.to_bytes(8, "big"))
