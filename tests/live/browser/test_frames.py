"""Frames of strangers: what is decoded, and what is refused before a decoder sees it."""

import io

import numpy as np
import pytest
from PIL import Image
from support.jpegs import COMMENT, SOS, exif, progressive, segment, with_segments

from coabench.live.browser.frames import HEAD, MAX_BYTES, MAX_SCANS, BadFrame, read_frame


def read(jpeg: bytes) -> np.ndarray:
    return read_frame(HEAD.pack(1, 1.0) + jpeg).image


def photograph(mode: str = "RGB", **options: object) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((80, 64)).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "jpeg",
    [
        photograph(),
        photograph("L"),
        photograph("CMYK"),
        photograph(progressive=True, quality=95),
        photograph(restart_marker_rows=1),
        photograph(keep_rgb=True),
        photograph(comment="a comment", icc_profile=bytes(100_000), exif=Image.Exif()),
        progressive(MAX_SCANS),
    ],
    ids=["colour", "grey", "CMYK", "progressive", "restarts", "stored as RGB", "metadata", "many scans"],
)
def test_a_frame_is_decoded_as_pillow_decodes_it(jpeg: bytes) -> None:
    with Image.open(io.BytesIO(jpeg)) as image:
        assert np.array_equal(read(jpeg), np.asarray(image.convert("RGB")))


def test_thousands_of_scans_are_refused() -> None:
    jpeg = progressive(40_000)
    assert 450_000 < len(jpeg) < MAX_BYTES
    with pytest.raises(BadFrame, match="too many scans") as caught:
        read(jpeg)
    assert caught.value.found == "40000"
    with pytest.raises(BadFrame, match="too many scans"):
        read(progressive(MAX_SCANS + 1))


def test_metadata_reaches_no_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow reads all entries of EXIF in Python, and warns of each of these."""
    decoded = []
    really_open = Image.open
    monkeypatch.setattr(
        Image, "open", lambda file, **more: decoded.append(file.getvalue()) or really_open(file, **more)
    )
    plain = photograph()
    assert read(with_segments(plain, exif(5000), exif(5000))).shape == (64, 80, 3)
    assert decoded == [plain]


def test_a_scan_in_a_preview_is_no_scan_of_the_frame() -> None:
    assert read(with_segments(photograph(), segment(COMMENT, SOS * 1000))).shape == (64, 80, 3)


def test_a_head_of_many_segments_is_refused() -> None:
    with pytest.raises(BadFrame, match="too many segments"):
        read(with_segments(photograph(), *[segment(COMMENT, b"")] * 100_000))


def head_of(width: int, height: int) -> bytes:
    return segment(b"\xff\xc0", bytes([8, *divmod(height, 256), *divmod(width, 256), 1, 1, 0x11, 0]))


@pytest.mark.parametrize(
    ("jpeg", "problem"),
    [
        (with_segments(photograph(), b"\xff" * 1000), "cannot be read"),
        (with_segments(photograph(), b"\xff\x01" * 1000), "cannot be read"),
        (with_segments(photograph(), b"\xff\xc9\0\x02"), "cannot be read"),
        (with_segments(photograph(), b"\xff\xfe\0\0"), "cannot be read"),
        (with_segments(photograph(), head_of(65_535, 65_535)), "too many pixels"),
        (with_segments(photograph(), head_of(0, 0)), "cannot be decoded"),
        (with_segments(photograph(), b"\xff\xc0\0\x02"), "a frame"),
        (photograph()[:30], "cannot be decoded"),
        (photograph()[:-400], "cannot be decoded"),
        (b"\xff\xd8" + photograph()[photograph().index(SOS) :], "cannot be decoded"),
    ],
    ids=["padding", "markers without length", "arithmetic", "no length", "pixels", "no pixels", "no size", "torn head",
         "torn", "no head"],
)  # fmt: skip
def test_a_damaged_or_hostile_head_is_refused(jpeg: bytes, problem: str) -> None:
    with pytest.raises(BadFrame, match=problem) as caught:
        read(jpeg)
    assert caught.value.number == 1
