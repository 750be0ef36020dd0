"""The table of colours, measured: told apart by all kinds of colour vision, on light and on dark.

Dichromats see what the matrices of Machado, Oliveira and Fernandes (2009), *A Physiologically-based Model for
Simulation of Color Vision Deficiency*, IEEE TVCG 15 (6), make of linear sRGB (severity 1.0). Distances are CIE 1976 ΔE
in CIELAB with the white of D65; about 2.3 can just be noticed.
"""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from coabench.live.overlay.colours import BACK, FACES, NOTICE, QUIET, TEXT, TRACK, Colour, for_page, ink_on, luminance

VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
LEAST = {"normal": 39.0, "protanopia": 30.0, "deuteranopia": 30.0, "tritanopia": 24.0}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
PAGE = Path(__file__).parents[3] / "coabench" / "render" / "page.css"


def lab(colour: Colour, vision: str) -> NDArray[np.float64]:
    c = np.array(colour) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ np.clip(VISION[vision] @ linear, 0, 1) / XYZ.sum(axis=1)
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one: Colour, other: Colour) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def papers() -> list[Colour]:
    """The page's background, light and dark."""
    found = re.search(r"--paper: light-dark\(#(\w{6}), #(\w{6})\)", PAGE.read_text())
    assert found
    return [(int(code[:2], 16), int(code[2:4], 16), int(code[4:], 16)) for code in found.groups()]


@pytest.mark.parametrize("vision", VISION)
def test_faces_are_told_apart_by_colour(vision: str) -> None:
    distances = [np.linalg.norm(lab(a, vision) - lab(b, vision)) for a, b in combinations(FACES, 2)]
    assert min(distances) >= LEAST[vision]


def test_colours_stand_out_from_light_and_dark_paper() -> None:
    for paper in papers():
        assert min(contrast(colour, paper) for colour in FACES) >= 3
    assert min(contrast(colour, ink_on(colour)) for colour in FACES) >= 4.5


def test_text_can_be_read_on_its_backing_on_any_picture() -> None:
    """On the lightest that the backing of a plate can be: white behind it."""
    from coabench.live.overlay.plates import OPACITY

    lightest = tuple(round(OPACITY * value + (1 - OPACITY) * 255) for value in BACK)
    assert min(contrast(colour, lightest) for colour in (TEXT, QUIET, NOTICE)) >= 4.5  # type: ignore[arg-type]
    assert contrast(QUIET, TRACK) >= 3  # a bar


def test_no_label_has_a_colour_that_no_face_has() -> None:
    for vision in ("normal", "protanopia", "deuteranopia"):
        assert min(np.linalg.norm(lab(NOTICE, vision) - lab(colour, vision)) for colour in [*FACES, TEXT]) >= 20


def test_the_page_gets_the_same_table() -> None:
    assert [face["colour"] for face in for_page()["faces"]] == ["#{:02x}{:02x}{:02x}".format(*c) for c in FACES]
