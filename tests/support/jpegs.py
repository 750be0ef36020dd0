"""JPEG files as no camera writes them."""

from __future__ import annotations

import io
import struct

from PIL import Image

SOS = b"\xff\xda"
EOI = b"\xff\xd9"
COMMENT = b"\xff\xfe"
APP1 = b"\xff\xe1"


def progressive(scans: int, size: tuple[int, int] = (640, 640)) -> bytes:
    """Return a progressive JPEG of one grey with so many scans: its own, then the last of them again and again.

    A scan takes 12 bytes, and a decoder visits every block of the picture for it.
    """
    file = io.BytesIO()
    Image.new("L", size, 128).save(file, "JPEG", progressive=True)
    head, *own = file.getvalue().removesuffix(EOI).split(SOS)
    own += own[-1:] * (scans - len(own))
    return head + b"".join(SOS + scan for scan in own[:scans]) + EOI


def segment(marker: bytes, content: bytes) -> bytes:
    """Return a segment of a JPEG file."""
    return marker + struct.pack(">H", 2 + len(content)) + content


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """Return a JPEG file with more segments behind its first marker."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def exif(entries: int) -> bytes:
    """Return a segment of EXIF with so many entries, none of which has its value where it says."""
    table = b"".join(struct.pack(">HHII", 1 + entry, 7, 2**31, 0) for entry in range(entries))
    return segment(APP1, b"Exif\0\0MM\0*" + struct.pack(">IH", 8, entries) + table + bytes(4))
