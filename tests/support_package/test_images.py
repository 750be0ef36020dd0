"""One picture in many files: whatever the format, the mode and the orientation, the pixels are the same."""

from __future__ import annotations

import io
import os
import random
import struct
import warnings
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.orientations import STORED, exif

from coabench.dataset import ImageFile
from coabench.errors import SampleError
from coabench.inference.loading import read_image
from coabench.support.images import SUFFIXES, UnreadableImage, decode

COLOUR = Image.fromarray((np.arange(40 * 30 * 3) % 251).reshape(30, 40, 3).astype("uint8"))
GREY = COLOUR.convert("L")
DEEP = np.asarray(GREY).astype(np.uint16)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def pixels(data: bytes) -> Any:
    image, _ = decode(data)
    assert image.mode == "RGB"
    return np.asarray(image)


LOSSLESS: Mapping[str, Callable[[Image.Image], bytes]] = {
    "PNG": lambda image: encoded(image, "PNG"),
    "BMP": lambda image: encoded(image, "BMP"),
    "PPM": lambda image: encoded(image, "PPM"),
    "TIFF": lambda image: encoded(image, "TIFF", compression="tiff_lzw"),
    "WebP": lambda image: encoded(image, "WEBP", lossless=True),
    "first of two pages": lambda image: encoded(image, "TIFF", save_all=True, append_images=[GREY]),
    "opaque": lambda image: encoded(image.convert("RGBA"), "PNG"),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_formats_give_the_same_pixels(kind: str) -> None:
    assert (pixels(LOSSLESS[kind](COLOUR)) == np.asarray(COLOUR)).all()


@pytest.mark.parametrize(
    "data",
    [
        encoded(COLOUR, "JPEG", quality=100, subsampling=0),
        encoded(COLOUR, "MPO", save_all=True, append_images=[COLOUR], quality=100, subsampling=0),
        encoded(COLOUR, "AVIF", quality=100, subsampling="4:4:4"),
    ],
    ids=["JPEG", "MPO", "AVIF"],
)
def test_formats_with_losses_are_close(data: bytes) -> None:
    assert np.abs(pixels(data).astype(int) - np.asarray(COLOUR)).max() <= 4


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_the_orientation_is_obeyed(format: str, orientation: int) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    stored = encoded(COLOUR.transpose(STORED[orientation]), format, exif=exif(orientation), **options)
    image, notes = decode(stored)
    assert (np.asarray(image) == np.asarray(COLOUR)).all()
    assert notes == (f"turned upright (orientation {orientation})",)


@pytest.mark.parametrize("format", ["JPEG", "AVIF"])
def test_the_orientation_is_obeyed_where_pixels_are_lossy(format: str) -> None:
    stored = encoded(COLOUR.transpose(STORED[6]), format, exif=exif(6), quality=100)
    assert pixels(stored).shape == np.asarray(COLOUR).shape


@pytest.mark.parametrize("orientation", [0, 1, 9, 200])
def test_an_orientation_that_means_nothing_changes_nothing(orientation: int) -> None:
    image, notes = decode(encoded(COLOUR, "PNG", exif=exif(orientation)))
    assert (np.asarray(image) == np.asarray(COLOUR)).all()
    assert notes == ()


@pytest.mark.parametrize(
    ("data", "white"),
    [
        (encoded(Image.fromarray(DEEP * 257), "PNG"), 65535),
        (encoded(Image.fromarray(DEEP * 257), "TIFF"), 65535),
        (encoded(Image.fromarray(np.rint(DEEP * (4095 / 255)).astype(np.uint16)), "PNG"), 4095),
        (encoded(Image.fromarray(np.rint(DEEP * (1023 / 255)).astype(np.uint16)), "TIFF"), 1023),
        (encoded(Image.fromarray(DEEP.astype(np.int32) * 257), "TIFF"), 65535),
        (encoded(Image.fromarray(DEEP.astype(np.float32) / 255), "TIFF"), 1),
        (encoded(Image.fromarray(DEEP.astype(np.float32)), "TIFF"), 255),
        (encoded(Image.fromarray(DEEP.astype(np.float32) * 257), "TIFF"), 65535),
    ],
    ids=["16", "16 tiff", "12 in 16", "10 in 16", "32", "float 1", "float 255", "float 65535"],
)
def test_deep_greys_are_scaled(data: bytes, white: int) -> None:
    image, notes = decode(data)
    assert (np.asarray(image) == np.asarray(GREY.convert("RGB"))).all()
    assert notes == (f"greys scaled (white is {white})",)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_show_white(mode: str) -> None:
    if mode == "P":
        palette = Image.new("P", (4, 4), 1)
        palette.putpalette([0, 0, 0, 200, 10, 10])
        palette.putpixel((0, 0), 0)
        data = encoded(palette, "PNG", transparency=0)
    else:
        image = Image.new(mode, (4, 4), (0, 0, 0, 255)[-len(mode) :] if mode == "RGBA" else (0, 255))
        image.putpixel((0, 0), (0,) * len(mode))
        data = encoded(image, "PNG")
    image, notes = decode(data)
    assert image.getpixel((0, 0)) == (255, 255, 255)
    assert image.getpixel((1, 1)) != (255, 255, 255)
    assert notes == ("white behind transparent parts",)


def test_print_colours_palettes_and_bits_become_rgb() -> None:
    assert np.abs(pixels(encoded(COLOUR.convert("CMYK"), "TIFF")).astype(int) - np.asarray(COLOUR)).max() <= 1
    assert (pixels(encoded(GREY.convert("1"), "PNG")) == np.asarray(GREY.convert("1").convert("RGB"))).all()
    assert (pixels(encoded(GREY, "GIF")) == np.asarray(GREY.convert("RGB"))).all()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no image of a format that is read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image of a format that is read"),
        (encoded(COLOUR, "ICO"), "no image of a format that is read"),
        (encoded(COLOUR, "PNG")[:200], "truncated"),
        (encoded(COLOUR, "PNG")[:60] + bytes(20) + encoded(COLOUR, "PNG")[80:], "data stream"),
        (encoded(COLOUR, "JPEG")[:400], "(?i)truncated"),
        (encoded(Image.fromarray(-DEEP.astype(np.float32)), "TIFF"), "negative or no numbers"),
        (encoded(Image.fromarray(DEEP.astype(np.float32) * np.nan), "TIFF"), "negative or no numbers"),
        (encoded(Image.fromarray(DEEP.astype(np.float32) * 1e6), "TIFF"), "expected 65535 at most"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 64, "HEIC: pip install 'coabench"),
    ],
)
def test_what_cannot_be_read_says_why(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableImage, match=words) as error:
        decode(data)
    assert "0x" not in str(error.value)


def test_avif_that_begins_as_heic_does_is_read() -> None:
    data = bytearray(encoded(COLOUR, "AVIF", quality=100, subsampling="4:4:4"))
    data[8:12] = b"mif1"
    assert np.abs(pixels(bytes(data)).astype(int) - np.asarray(COLOUR)).max() <= 4


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "GIF", "BMP"])
def test_damaged_files_are_read_or_refused(format: str) -> None:
    rng = random.Random(0)
    sound = encoded(COLOUR, format, exif=exif(6))
    for _ in range(150):
        data = bytearray(sound)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        with suppress(UnreadableImage):
            assert decode(bytes(data))[0].mode == "RGB"


def test_damaged_exif_does_not_hide_the_picture() -> None:
    sound, rng = encoded(COLOUR, "JPEG", exif=exif(6)), random.Random(0)
    first = sound.index(b"Exif") + 6
    for _ in range(600):
        data = bytearray(sound)
        for _ in range(rng.randint(1, 8)):
            data[first + rng.randrange(len(exif(6).tobytes()) - 6)] = rng.randrange(256)
        assert decode(bytes(data))[0].mode == "RGB"


def test_no_program_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/called\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "face.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with pytest.raises(SampleError, match=r"face\.jpg cannot be decoded: it is no image of a format"):
        read_image(ImageFile(tmp_path, "face.jpg"))
    assert not (tmp_path / "called").exists()


def test_a_file_is_read_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(COLOUR, "BMP"))
    picture = read_image(ImageFile(tmp_path, "a.png"))
    assert (np.asarray(picture.image) == np.asarray(COLOUR)).all()
    assert ".jfif" in SUFFIXES


TORN_EXIF = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0\x01\0\0\0"


def test_what_pillow_warns_of_is_a_note_of_every_image_and_not_printed(recwarn: pytest.WarningsRecorder) -> None:
    torn = encoded(Image.new("RGB", (16, 16), "red"), "JPEG", exif=TORN_EXIF)
    whole = encoded(Image.new("RGB", (16, 16), "red"), "JPEG")
    with ThreadPoolExecutor(4) as pool:  # each thread has its own
        notes = [outcome[1] for outcome in pool.map(decode, [torn, whole] * 20)]
    warned = "Pillow warns: Corrupt EXIF data. Expecting to read 12 bytes but only got 8."
    assert notes == [(warned,), ()] * 20
    assert not recwarn.list
    warnings.warn("of somebody else", stacklevel=1)
    assert [str(each.message) for each in recwarn.list] == ["of somebody else"]


def test_a_huge_picture_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 200)
    (note,) = decode(encoded(Image.new("RGB", (16, 16)), "PNG"))[1]
    assert "256 pixels" in note


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """Return a PNG with chunks before its pixels, of which it has 8 by 8."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", head), *chunks, (b"IDAT", zlib.compress(bytes(8 * 25))), (b"IEND", b"")]
    framed = (struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def tiff(*entries: tuple[int, int, int, int]) -> bytes:
    """Return a TIFF of 8 by 8 greys with further entries, whose next directory is this one again."""
    usual = [(256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 400)]
    usual += [(277, 3, 1, 1), (278, 3, 1, 8), (279, 4, 1, 64)]
    every = sorted({entry[0]: entry for entry in (*usual, *entries)}.values())
    directory = b"".join(struct.pack("<HHII", *entry) for entry in every)
    data = b"II*\0" + struct.pack("<IH", 8, len(every)) + directory + struct.pack("<I", 8)
    return data.ljust(400, b"\0") + bytes(64)


BOMB = zlib.compress(bytes(50_000_000))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (png(60_000, 60_000), "exceeds limit"),
        (png(8, 8, (b"zTXt", b"k\0\0" + BOMB)), "too large"),
        (png(8, 8, (b"iCCP", b"k\0\0" + BOMB)), "too large"),
        (png(8, 8, *[(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000)))] * 100), "Too much memory"),
        (b"P6 2000000000 2000000000 255\n", "exceeds limit"),
        (b"P6 " + b"9" * 5000 + b" 1 255\n", "too long"),
        (b"RIFF\x64\0\0\0WEBPVP8X\n\0\0\0\2\0\0\0" + b"\xff" * 6 + bytes(70), "."),
        (tiff((256, 4, 1, 2**31 - 1), (257, 4, 1, 2**31 - 1)), "exceeds limit"),
    ],
    ids=["png", "text", "profile", "texts", "ppm", "digits", "webp", "tiff"],
)
def test_what_would_grow_without_end_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableImage, match=words):
        decode(data)


def test_scans_of_a_jpeg_are_counted() -> None:
    jpeg = encoded(COLOUR, "JPEG", progressive=True)
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    with pytest.raises(UnreadableImage, match="it has more than 100 scans"):
        decode(jpeg[:-2] + 200 * scan + jpeg[-2:])
    comment = b"\xff\xfe" + (20_002).to_bytes(2) + 10_000 * b"\xff\xda"
    assert np.array_equal(pixels(jpeg[:2] + comment + jpeg[2:] + 10_000 * b"\xff\xda"), pixels(jpeg))


def test_of_circles_and_films_one_picture_is_read() -> None:
    assert pixels(tiff()).shape == pixels(tiff((34665, 4, 1, 8))).shape == (8, 8, 3)
    gif = encoded(GREY, "GIF")
    frame = b"\x21\xf9\4\0\0\0\0\0\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2\2\x44\1\0"
    assert np.array_equal(pixels(gif[:-1] + frame * 100_000 + b";"), pixels(gif))


def test_a_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(3 * 2**30)  # takes no room
    with pytest.raises(SampleError, match="a file of 3,221,225,472 bytes; at most"):
        read_image(ImageFile(tmp_path, "a.jpg"))
