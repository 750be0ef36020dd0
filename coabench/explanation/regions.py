"""Brows, eyes, nose and mouth: where they lie in a face whose landmarks are known, and what of a map they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from coabench.detector import Landmarks
from coabench.explanation.windows import SIDE, Map
from coabench.support.crops import TEMPLATE, TEMPLATE_SIDE, similarity

REGIONS: Mapping[str, tuple[float, float, float, float]] = {
    "brows": (20.0, 30.0, 92.0, 45.0),
    "eyes": (20.0, 45.0, 92.0, 60.0),
    "nose": (42.0, 60.0, 70.0, 82.0),
    "mouth": (32.0, 82.0, 80.0, 108.0),
}
"""Left, top, right, bottom of each in the coordinates of `coabench.support.crops.TEMPLATE`, in which the eyes lie at
y = 52, the tip of the nose at 72 and the corners of the mouth at 92. They do not overlap; cheeks, jaw, hair and
background belong to none. Chosen by eye."""

ELSEWHERE = "elsewhere"

UNITS: Mapping[int, str] = {
    **dict.fromkeys((1, 2, 4), "brows"),
    **dict.fromkeys((5, 6, 7), "eyes"),
    9: "nose",
    **dict.fromkeys((10, 12, 15, 17, 20, 23, 24, 25, 26, 27), "mouth"),
}
"""Action unit -> the region in which it is seen first. Source: P. Ekman, W. V. Friesen and J. C. Hager, *Facial Action
Coding System*, 2002."""

Mask = npt.NDArray[np.bool_]


def masks(landmarks: Landmarks, size: tuple[int, int]) -> dict[str, Mask]:
    """Return where each region lies in a map of an image, shape (`SIDE`, `SIDE`) each.

    Args:
        landmarks: in pixels of the image.
        size: its width and height.
    """
    centres = (np.arange(SIDE) + 0.5) / SIDE
    x, y = np.meshgrid(centres * size[0], centres * size[1])
    u, v = np.einsum("ij,jab->iab", similarity(landmarks, TEMPLATE), np.stack([x, y, np.ones_like(x)]))
    return {
        name: (u >= left) & (u < right) & (v >= top) & (v < bottom)
        for name, (left, top, right, bottom) in REGIONS.items()
    }


def shares(found: Map, parts: Mapping[str, Mask]) -> dict[str, float] | None:
    """Return which part of all that speaks for the answer (the positive values of a map) each region holds.

    None where nothing does.
    """
    positive = np.maximum(found, 0)
    whole = float(positive.sum())
    if not whole > 0:
        return None
    return _with_rest({name: float(positive[mask].sum()) / whole for name, mask in parts.items()})


def areas(parts: Mapping[str, Mask]) -> dict[str, float]:
    """Return which part of the image each region is: its share of a map that is the same everywhere."""
    return _with_rest({name: float(mask.mean()) for name, mask in parts.items()})


def moved(units: Iterable[int], parts: Mapping[str, Mask]) -> Mask | None:
    """Return the regions in which action units are seen; None for no unit."""
    names = {UNITS[unit] for unit in units if unit in UNITS}
    return np.any([parts[name] for name in names], axis=0) if names else None


def points_at(found: Map, mask: Mask) -> bool | None:
    """Return whether a map's maximum lies in a mask: a hit of the pointing game; None where nothing is positive.

    Of several equal places, which windows make, the one nearest their middle counts.

    Source: J. Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016, section 4.2, without its
    tolerance of 15 pixels.
    """
    if not found.max() > 0:
        return None
    places = np.argwhere(found >= found.max() - 1e-12)
    row, column = places[((places - places.mean(axis=0)) ** 2).sum(axis=1).argmin()]
    return bool(mask[row, column])


def centre_in(mask: Mask) -> bool:
    """Return whether the middle of the image lies in a mask: what who points there, whatever he sees, would hit.

    Source: J. Zhang et al., see `points_at`, whose table 1 has this baseline.
    """
    return bool(mask[SIDE // 2, SIDE // 2])


def aligned(found: Map, landmarks: Landmarks, size: tuple[int, int]) -> Map:
    """Return a map in face coordinates: turned, scaled and moved so that the landmarks lie at `TEMPLATE`.

    NaN where the image has nothing.
    """
    centres = (np.arange(SIDE) + 0.5) / SIDE * TEMPLATE_SIDE
    u, v = np.meshgrid(centres, centres)
    matrix = np.vstack([similarity(landmarks, TEMPLATE), [0, 0, 1]])
    x, y, _ = np.einsum("ij,jab->iab", np.linalg.inv(matrix), np.stack([u, v, np.ones_like(u)]))
    columns, rows = np.floor(x / size[0] * SIDE).astype(int), np.floor(y / size[1] * SIDE).astype(int)
    inside = (columns >= 0) & (columns < SIDE) & (rows >= 0) & (rows < SIDE)
    return np.where(inside, found[np.clip(rows, 0, SIDE - 1), np.clip(columns, 0, SIDE - 1)], np.nan)


def _with_rest(parts: dict[str, float]) -> dict[str, float]:
    return {**parts, ELSEWHERE: max(0.0, 1 - sum(parts.values()))}
