"""What is behind the face: a blurred scene, and long hair."""

from __future__ import annotations

import numpy as np

from coabench_synthface.assets import Floats
from coabench_synthface.person import Person
from coabench_synthface.scene import Scene


def background(person: Person, scene: Scene, size: int, head: tuple[float, float, float]) -> Floats:
    """Return (size, size, 3) linear RGB.

    Args:
        head: left and right edge and top of the head in the picture, parts of its width and height.
    """
    rng = np.random.default_rng(scene.background)
    y, x = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size
    base = rng.uniform(0.05, 0.6) * (1 + rng.normal(0, 0.15, 3))
    slope = rng.normal(0, 0.3, 2)
    out = base * (1 + slope[0] * (x - 0.5) + slope[1] * (y - 0.5))[..., None]
    for _ in range(rng.integers(0, 6)):
        at, reach = rng.uniform(-0.1, 1.1, 2), rng.uniform(0.08, 0.4, 2)
        blob = np.exp(-((((x - at[0]) / reach[0]) ** 2 + ((y - at[1]) / reach[1]) ** 2) ** 2))
        colour = rng.uniform(0.02, 0.7) * (1 + rng.normal(0, 0.3, 3))
        out += (blob * rng.uniform(0.2, 0.9))[..., None] * (colour - out)
    if person.hair == "long":
        out = long_hair(out, person, head, rng, x, y)
    return np.asarray(np.clip(out, 0.003, 1), np.float32)


def long_hair(
    out: Floats, person: Person, head: tuple[float, float, float], rng: np.random.Generator, x: Floats, y: Floats
) -> Floats:
    """Return *out*, (height, width, 3), with hair that falls on both sides of the head, down to the lower edge.

    Args:
        x, y: (height, width) where a pixel is, in parts of the picture of the face, as the *head*.
    """
    left, right, top = head
    middle, half = (left + right) / 2, (right - left) / 2 * rng.uniform(0.98, 1.2)
    shoulder = top + half
    across = np.abs(x - middle + 0.015 * np.sin(9 * y + rng.uniform(0, 6)))
    dome = np.sqrt(across**2 + np.minimum(y - shoulder, 0) ** 2)
    cover = np.clip((half - dome) / 0.02, 0, 1)[..., None]
    strands = 1 + 0.3 * np.sin(110 * x + 4 * np.sin(5 * y)) * np.sin(47 * x + rng.uniform(0, 6))
    return np.asarray(out + cover * (0.55 * strands[..., None] * person.hair_colour - out))
