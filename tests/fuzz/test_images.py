"""Image files: damaged, of every format, under any name."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import strategies as st
from PIL import Image

from .attempt import Attempts
from .fuzzing import fuzz
from .values import damaged

CARD = """
name: mine
loader: faces
labels: {classes: [{name: Anger}, {name: Happiness}, {name: Sadness}]}
"""
KINDS = {
    "JPEG": {"quality": 80}, "PNG": {}, "WEBP": {"lossless": True}, "BMP": {}, "GIF": {}, "TIFF": {}, "AVIF": {},
    "PPM": {}, "ICO": {}, "TGA": {}, "EPS": {}, "PDF": {}, "PCX": {}, "SGI": {}, "DDS": {},
}  # fmt: skip
"""What files are damaged, in formats that are read and others."""
MODES = ("RGB", "L", "1", "P", "RGBA", "CMYK", "I;16", "LA", "F")


@cache
def picture(kind: str, mode: str) -> bytes:
    """Return a small picture; in RGB where the format knows no such mode."""
    image = Image.effect_noise((24, 24), 60)
    exif = Image.Exif()
    exif[0x0112] = 6
    for found in (mode, "RGB"):
        file = io.BytesIO()
        try:
            more: Any = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "TIFF") else {}
            image.convert(found).save(file, kind, **KINDS[kind], **more)
        except (OSError, KeyError, ValueError):
            continue
        return file.getvalue()
    return b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"


@st.composite
def pictures(draw: Callable[..., Any]) -> bytes:
    data = picture(draw(st.sampled_from(tuple(KINDS))), draw(st.sampled_from(MODES)))
    return draw(damaged(data) | st.just(data))  # type: ignore[no-any-return]


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda name: not set(name) & {"\0", "/"} and name not in (".", "..")
)
BYTES = st.binary(min_size=1, max_size=12).filter(lambda name: not set(name) & {0, 0x2F} and name not in (b".", b".."))


@fuzz(0.1, data=pictures(), name=NAMES.map(os.fsencode) | BYTES, ending=st.sampled_from((b".png", b".jpg", b".TIFF")))
def test_images(attempts: Attempts, data: bytes, name: bytes, ending: bytes) -> None:
    with attempts.folder() as folder:
        (folder / "card.yaml").write_text(CARD)
        for label in ("Anger", "Happiness", "Sadness"):
            (folder / "data" / "test" / label).mkdir(parents=True)
            (folder / "data" / "test" / label / "good.png").write_bytes(picture("PNG", "RGB"))
        (folder / "data" / "test" / "Anger" / os.fsdecode(name + ending)).write_bytes(data)
        attempts.run(folder, "datasets", "verify", "card.yaml", "--data-root", "data", "--pairs", "pairs.csv")
        code, said = attempts.run(folder, "evaluate", "--backbone", "scripted", "--dataset", "card.yaml", "--data-root",
                                  "data", "--strategy", "direct", "--output", "run")  # fmt: skip
        assert code == 0, f"one bad image ends a run: {said}"
        attempts.run(folder, "report", "run", "--images", "--data-root", "data", "--dataset", "card.yaml", "--output",
                     "page.html")  # fmt: skip
