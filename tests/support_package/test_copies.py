"""Near-copies are found; different faces, alike as they are, are none."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from coabench_synthface.folder import SetFolder
from coabench_synthface.shipped import open_shipped
from PIL import Image, ImageEnhance

from coabench.support import copies
from coabench.support.copies import identical, near, sign

Picture = Image.Image


def shipped(number: int) -> list[Picture]:
    files = SetFolder(open_shipped())
    lines = [line for line in files.samples if line["split"] == "test"][:number]
    return [Image.open(io.BytesIO(files.files.read(line["file"]))).convert("RGB") for line in lines]


FACES = shipped(300)


def stored(picture: Picture, kind: str, quality: int) -> Picture:
    file = io.BytesIO()
    picture.save(file, kind, quality=quality)
    return Image.open(file).convert("RGB")


CHANGES: dict[str, Callable[[Picture], Picture]] = {
    "JPEG of quality 90": lambda p: stored(p, "JPEG", 90),
    "JPEG of quality 30": lambda p: stored(p, "JPEG", 30),
    "WebP": lambda p: stored(p, "WEBP", 60),
    "half the size, as JPEG": lambda p: stored(p.resize((50, 50)), "JPEG", 50),
    "twice the size": lambda p: p.resize((200, 200), Image.Resampling.BICUBIC),
    "grey": lambda p: p.convert("L").convert("RGB"),
    "brighter": lambda p: ImageEnhance.Brightness(p).enhance(1.2),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_face_stored_anew_is_a_near_copy_and_no_other_face_is(change: Callable[[Picture], Picture]) -> None:
    signatures = [sign(face, flat=False) for face in [*FACES, *map(change, FACES[:20])]]
    assert sorted(near(signatures)) == [(i, len(FACES) + i) for i in range(20)]
    assert identical(signatures) == []


def test_identical_pictures_are_grouped_and_the_first_stands_for_them() -> None:
    again = stored(FACES[0], "PNG", 0)
    signatures = [sign(face, flat=False) for face in (FACES[0], FACES[1], again, stored(FACES[0], "JPEG", 50))]
    assert identical(signatures) == [[0, 2]]
    assert list(near(signatures)) == [(0, 3)]


def test_pictures_of_one_value_resemble_nothing() -> None:
    flat = [sign(Image.new("RGB", (100, 100), (value,) * 3), flat=True) for value in (0, 1, 255)]
    assert list(near([*flat, sign(FACES[0], flat=False)])) == []


def test_pairs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MOST", 4)
    monkeypatch.setattr(copies, "AT_ONCE", 16)
    signatures = [sign(stored(FACES[0], "JPEG", quality), flat=False) for quality in range(60, 90)]
    assert len(list(near(signatures))) == 4
