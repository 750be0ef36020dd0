"""What a whole scene shows beside the head: a room with things in it, and the shoulders of the person."""

from __future__ import annotations

import numpy as np

from coabench_synthface.assets import Floats
from coabench_synthface.canvas import blur

EDGE = 0.012
"""Width of the soft edge of the shoulders, in parts of the face's square."""


def room(width: int, height: int, rng: np.random.Generator) -> Floats:
    """Return (height, width, 3) linear RGB: a wall, a floor, boards, frames and round things, a little out of focus."""
    y, x = np.mgrid[:height, :width].astype(np.float32) + np.float32(0.5)
    x, y = x / width, y / height
    out = _colour(rng, 0.1, 0.6) * (1 + rng.normal(0, 0.25) * (x - 0.5) + rng.normal(0, 0.25) * (y - 0.5))[..., None]
    floor = rng.uniform(0.7, 1.1)
    out = np.where((y > floor)[..., None], _colour(rng, 0.03, 0.4), out)
    for _ in range(rng.integers(4, 12)):
        (left, top), (across, down) = rng.uniform(-0.1, 1, 2), rng.uniform(0.03, 0.35, 2)
        inside = (x > left) & (x < left + across) & (y > top) & (y < top + down)
        out = np.where(inside[..., None], _colour(rng, 0.02, 0.7), out)
        if rng.random() < 0.5:  # a frame: what it holds has another colour
            rim = rng.uniform(0.05, 0.2) * min(across, down)
            within = (x > left + rim) & (x < left + across - rim) & (y > top + rim) & (y < top + down - rim)
            out = np.where(within[..., None], _colour(rng, 0.02, 0.7), out)
    for _ in range(rng.integers(3, 10)):
        at, reach = rng.uniform(0, 1, 2), rng.uniform(0.02, 0.12, 2)
        ball = ((x - at[0]) / reach[0]) ** 2 + ((y - at[1]) / reach[1]) ** 2
        out = np.where((ball < 1)[..., None], _colour(rng, 0.02, 0.7) * (1.15 - 0.5 * ball[..., None]), out)
    grain = blur(rng.standard_normal((height, width)).astype(np.float32), rng.uniform(1, 3))
    return blur(np.clip(out * (1 + 0.3 * grain[..., None]), 0.003, 1).astype(np.float32), rng.uniform(0.3, 2.5))


def _colour(rng: np.random.Generator, dark: float, bright: float) -> Floats:
    return np.asarray(rng.uniform(dark, bright) * (1 + np.clip(rng.normal(0, 0.25, 3), -0.6, 0.6)), np.float32)


def shoulders(x: Floats, y: Floats, neck: tuple[float, float], light: Floats, rng: np.random.Generator) -> Floats:
    """Return a shirt that hides where the neck ends: (height, width, 4) linear RGB, times coverage, and coverage.

    Args:
        x, y: (height, width) where a pixel is, in parts of the square of the face.
        neck: where the neck ends, in the same.
        light: direction towards the key light.
    """
    across, down = np.abs(x - neck[0]), y - neck[1] + 0.14
    half = rng.uniform(0.8, 1.05)  # of the shoulders' width
    slope = 0.28 * (across / half) ** 1.3 + 0.9 * np.clip((across - 0.75 * half) / (0.25 * half), 0, None) ** 2
    collar = 0.10 * np.clip(1 - across / 0.22, 0, 1)
    cover = np.clip((down - slope - collar) / EDGE, 0, 1) * np.clip((half * 1.1 - across) / EDGE, 0, 1)
    shade = 0.75 + 0.35 * light[0] * (x - neck[0]) / half - 0.15 * (across / half) ** 2
    folds = 1 + 0.06 * np.sin(9 * x + 5 * y + rng.uniform(0, 6)) * np.sin(4 * y)
    stripes = 1 + (0.4 * np.sign(np.sin(2 * np.pi * y / rng.uniform(0.08, 0.3))) if rng.random() < 0.4 else 0)
    cloth = _colour(rng, 0.02, 0.6) * (np.clip(shade, 0.2, 1.2) * folds * stripes)[..., None]
    return np.concatenate([np.clip(cloth, 0.003, 1) * cover[..., None], cover[..., None]], axis=2).astype(np.float32)
