"""Text in any script: a font that has it, or an escape and a warning; never an empty box."""

import subprocess
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.views import face, plain, snapshot

from coabench.live.overlay import Marks, draw, fonts
from coabench.live.overlay.colours import TEXT
from coabench.live.overlay.fonts import font_warnings, runs
from coabench.live.overlay.plates import length, plate

NOBODY_HAS = "\u0378"
"""A code point that is not assigned."""
SCRIPTS = {"CJK": ("幸福", "悲伤"), "Devanagari": ("क्रोध", "आनंद"), "Arabic": ("غضب", "حزن")}
INSTALL = "apt install fonts-wqy-microhei fonts-lohit-deva fonts-dejavu-core"


def forget() -> None:
    for known in (fonts._usual, fonts._further, fonts._typeface, fonts._opened, plate):
        known.cache_clear()  # type: ignore[attr-defined]


@pytest.fixture
def no_fontconfig(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def absent(*_: Any, **__: Any) -> Any:
        raise FileNotFoundError

    forget()
    monkeypatch.setattr(subprocess, "run", absent)
    yield
    forget()


@pytest.fixture
def no_fonts(no_fontconfig: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "FONTS", ())
    monkeypatch.setattr(fonts, "FURTHER", ())


def drawn(text: str) -> NDArray[np.uint8]:
    return plate((((text, TEXT),),), 24, 2000)


def need(*texts: str) -> None:
    if lacking := font_warnings(texts):
        pytest.skip(f"{lacking[0]} ({INSTALL})")


@pytest.mark.parametrize("script", SCRIPTS)
def test_labels_of_any_script_are_drawn_with_their_own_characters(script: str) -> None:
    one, other = SCRIPTS[script]
    need(one, other)
    (text, font), *_ = runs(one, 24)
    assert text == one
    empty = font.getmask(fonts.MISSING)
    for character in one:
        mask = font.getmask(character)
        assert (mask.size, bytes(mask)) != (empty.size, bytes(empty))
    assert drawn(one).shape != drawn(other).shape or (drawn(one) != drawn(other)).any()
    said = draw(plain(320, 240), snapshot(face((120, 90, 200, 170), label=one)), Marks(details=False))
    also = draw(plain(320, 240), snapshot(face((120, 90, 200, 170), label=other)), Marks(details=False))
    assert (said != also).any()


def test_a_line_of_several_scripts_has_a_font_for_each_and_stays_in_order() -> None:
    need("幸福")
    parts = runs("Happy 幸福 82%", 24)
    assert [text for text, _ in parts] == ["Happy ", "幸福 ", "82%"]
    assert len({font.path for _, font in parts}) == 2
    assert length("Happy 幸福 82%", 24) == pytest.approx(sum(font.getlength(text) for text, font in parts))


def test_without_fontconfig_fonts_are_found_by_name(no_fontconfig: None) -> None:
    need("幸福")
    assert [text for text, _ in runs("幸福", 24)] == ["幸福"]


def test_fontconfig_that_hangs_or_talks_nonsense_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    said = subprocess.CompletedProcess([], 0, b"/no/font.ttf\t0\t4e00-9fff\nrelative.ttf\t0\t20\n\n\xff\tx\n", b"")
    for answer in (lambda *_, **__: said, lambda *_, **more: (_ for _ in ()).throw(subprocess.TimeoutExpired("", 1))):
        forget()
        monkeypatch.setattr(subprocess, "run", answer)
        assert "".join(text for text, _ in runs(f"a{NOBODY_HAS}", 24)) == "a\\u0378"
    forget()


def test_what_no_font_has_is_escaped_and_warned_of() -> None:
    label = f"Sad {NOBODY_HAS}"
    assert "".join(text for text, _ in runs(label, 24)) == "Sad \\u0378"
    assert (drawn(NOBODY_HAS)[..., :3] != drawn("\u0379")[..., :3]).any()
    [warning] = font_warnings(["Happy", label])
    assert "Sad \\u0378" in warning
    assert "apt install" in warning
    assert font_warnings(["Happily Surprised", "Sadly Angry"]) == []


def test_the_font_that_comes_with_pillow_is_the_last(no_fonts: None) -> None:
    assert [text for text, _ in runs("Happily Surprised 82%", 24)] == ["Happily Surprised 82%"]
    assert font_warnings(["Happily Surprised"]) == []
    [warning] = font_warnings(["Happily Surprised", "幸福", "悲伤"])
    assert "'幸福' and 1 more" in warning
    assert "\\u5e78\\u798f" in warning
    assert "fonts-noto-cjk" in warning


def test_letters_that_join_need_raqm(monkeypatch: pytest.MonkeyPatch) -> None:
    need("غضب")
    monkeypatch.setattr(fonts, "_shapes", lambda: False)
    [warning] = font_warnings(["Happy", "غضب"])
    assert "Raqm" in warning
