"""Fonts for text in any script: the usual one, and for what it lacks whatever the machine has.

Others are found by fontconfig's ``fc-match``, which knows what the user prefers, and where there is none by name. What
no font has is drawn escaped (``\\u5e78``), as `coabench.base.text.safe` escapes what must not be shown: an empty box
would be the same for every label.
"""

from __future__ import annotations

import subprocess
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

FONTS = ("DejaVuSans.ttf", "Arial.ttf", "arial.ttf", "LiberationSans-Regular.ttf")
"""Tried in this order for their alphabets; the font that comes with Pillow knows little more than ASCII."""
FURTHER = (
    *("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "wqy-zenhei.ttc", "DroidSansFallbackFull.ttf"),  # Linux
    *("NotoSansArabic-Regular.ttf", "NotoSansDevanagari-Regular.ttf", "Lohit-Devanagari.ttf"),
    *("Arial Unicode.ttf", "PingFang.ttc", "Hiragino Sans GB.ttc", "AppleSDGothicNeo.ttc", "Kohinoor.ttc"),  # macOS
    *("msyh.ttc", "meiryo.ttc", "malgun.ttf", "Nirmala.ttc", "Nirmala.ttf", "segoeui.ttf"),  # Windows
)
"""Looked for by name where there is no fontconfig."""
PATIENCE = 10.0
"""Seconds that fontconfig may take: it may have to build its cache."""
MISSING = "\U0010ffff"
"""No character at all: every font draws its sign for what it lacks."""
PACKAGES = {
    **dict.fromkeys(("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "IDEOGRAPHIC"), "fonts-noto-cjk"),
    "DEVANAGARI": "fonts-lohit-deva",
}
"""First word of a character's Unicode name -> a package of Debian and Ubuntu that has it."""
COMMON = "fonts-noto-core"
"""The same for every other script."""


@dataclass(frozen=True)
class Typeface:
    """A font.

    Attributes:
        file: its file or a name that Pillow finds; nothing for the font that comes with Pillow.
        index: its place in a collection.
        covers: the code points it has; None where only trying shows.
    """

    file: str
    index: int = 0
    covers: tuple[range, ...] | None = None

    def font(self, size: int) -> Any:
        """Return the Pillow font; `OSError` where the file is none, or has no such size."""
        return _opened(self.file, self.index, size)

    def has(self, character: str) -> bool:
        """Whether it can draw a character."""
        if self.covers is not None and not any(ord(character) in part for part in self.covers):
            return False
        try:
            font = self.font(20)
        except OSError:
            return False
        return self.covers is not None or _mask(font, character) != _mask(font, MISSING)


def runs(text: str, size: int) -> list[tuple[str, Any]]:
    """Return the parts of a text, each with the Pillow font that has its characters, *size* pixels high.

    What no font has is escaped. Spaces and marks go with what stands before them, so that a script that is written from
    right to left, or joins its letters, stays in one piece.
    """
    chosen: list[tuple[str, Typeface]] = []
    for character in text:
        before = chosen[-1][1] if chosen else None
        stays = before is not None and unicodedata.category(character) in ("Zs", "Mn", "Mc") and before.has(character)
        face = before if stays else _typeface(character)
        chosen.append((character, face) if face is not None else (_escaped(character), _usual()))
    parts = groupby(chosen, key=lambda pair: pair[1])
    return [("".join(text for text, _ in part), face.font(size)) for face, part in parts]


def font_warnings(labels: Sequence[str]) -> list[str]:
    """Return what the user should know before labels are drawn, in sentences: those that no font here can draw."""
    lacking = {label: missing for label in labels if (missing := [c for c in label if _undrawable(c)])}
    warnings = []
    if lacking:
        label = next(iter(lacking))
        others = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        packages = sorted({PACKAGES.get(_script(c), COMMON) for missing in lacking.values() for c in missing})
        warnings.append(
            f"no font here can draw the label {label!r}{others}: it is shown as {''.join(map(_drawn, label))}; "
            f"install one that has its characters (Debian, Ubuntu: apt install {' '.join(packages)})"
        )
    joined = [label for label in labels if label not in lacking and any(map(_needs_shaping, label))]
    if joined and not _shapes():
        warnings.append(
            f"the letters of the label {joined[0]!r} are drawn one by one, neither joined nor reordered: "
            "this Pillow has no Raqm; install FriBiDi, or a Pillow that comes with it"
        )
    return warnings


@lru_cache(maxsize=4096)
def _typeface(character: str) -> Typeface | None:
    if _usual().has(character):
        return _usual()
    return next((face for face in _further() if face.has(character)), None)


def _undrawable(character: str) -> bool:
    return not character.isspace() and _typeface(character) is None


def _drawn(character: str) -> str:
    return _escaped(character) if _undrawable(character) else character


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _script(character: str) -> str:
    return unicodedata.name(character, "OTHER").replace("-", " ").split()[0]


def _needs_shaping(character: str) -> bool:
    return unicodedata.bidirectional(character) in ("R", "AL") or unicodedata.category(character) in ("Mn", "Mc")


def _shapes() -> bool:
    from PIL import features

    return bool(features.check("raqm"))


@cache
def _usual() -> Typeface:
    return next((face for face in map(Typeface, FONTS) if _opens(face)), Typeface(""))


@cache
def _further() -> Sequence[Typeface]:
    """Return the other fonts of the machine, the preferred ones first."""
    wanted = ["fc-match", "--sort", "sans-serif:scalable=true", "--format", "%{file}\\t%{index}\\t%{charset}\\n"]
    try:
        listed = subprocess.run(wanted, capture_output=True, timeout=PATIENCE, check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return [face for face in map(Typeface, FURTHER) if _opens(face)]
    faces = []
    for line in listed.stdout.decode("utf-8", "surrogateescape").splitlines():
        file, index, charset = [*line.split("\t"), "", ""][:3]
        if Path(file).is_absolute() and index.isdecimal():
            ends = [part.split("-") for part in charset.split()]
            covers = tuple(range(int(end[0], 16), int(end[-1], 16) + 1) for end in ends)
            faces.append(Typeface(file, int(index) & 0xFFFF, covers))  # above: which of a variable font's instances
    return faces


def _opens(face: Typeface) -> bool:
    try:
        face.font(20)
    except OSError:
        return False
    return True


@lru_cache(maxsize=64)
def _opened(file: str, index: int, size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(file, size, index) if file else ImageFont.load_default(size)


def _mask(font: Any, character: str) -> tuple[Any, bytes]:
    mask = font.getmask(character)
    return mask.size, bytes(mask)
