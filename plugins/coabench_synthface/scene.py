"""Scenes: how the head is held, where it looks, how it is lit, what is behind it, and how the camera sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from coabench_synthface.assets import Floats
from coabench_synthface.difficulty import Difficulty


@dataclass(frozen=True)
class Scene:
    """Everything about a picture that is neither the person nor the expression.

    Attributes:
        yaw, pitch, roll: rotation of the head, degrees; positive yaw turns it to the person's left, positive pitch
            up, positive roll clockwise in the picture.
        gaze: yaw and pitch of the eyes relative to the head, degrees.
        shift: misplacement of the crop right and down, as a fraction of its width.
        zoom: factor on the size of the face.
        distance: of the camera from the eyes, decimetres.
        light: (3,) direction towards the key light, camera coordinates, unit length.
        key, ambient: (3,) colours of the key light and of the light from everywhere, linear RGB.
        background: seed of the background.
        blur: standard deviation of the blur, pixels.
        noise: standard deviation of the sensor noise, of 255.
        quality: of the JPEG.
    """

    yaw: float
    pitch: float
    roll: float
    gaze: tuple[float, float]
    shift: tuple[float, float]
    zoom: float
    distance: float
    light: Floats
    key: Floats
    ambient: Floats
    background: int
    blur: float
    noise: float
    quality: int

    @property
    def light_from(self) -> str:
        """Where the key light stands, in words."""
        return "left" if self.light[0] < -0.35 else "right" if self.light[0] > 0.35 else "front"


def draw_scene(difficulty: Difficulty, rng: np.random.Generator) -> Scene:
    """Draw a scene. Rotations are normal, cut off at 2.5 standard deviations."""

    def turn(spread: float) -> float:
        return float(np.clip(rng.normal(), -2.5, 2.5) * spread)

    yaw, pitch, roll = turn(difficulty.yaw), turn(difficulty.pitch), turn(difficulty.roll)
    light = lit_from(rng.uniform(-60, 60), rng.uniform(5, 55))
    warm = rng.normal(0, 0.08)
    tint = np.array([1 + warm, 1.0, 1 - warm])
    contrast, exposure = rng.uniform(0.35, 0.85), rng.uniform(0.85, 1.25)
    return Scene(
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        gaze=(float(-0.6 * yaw + turn(difficulty.gaze)), float(-0.6 * pitch + turn(difficulty.gaze) * 0.6)),
        shift=(turn(difficulty.shift), turn(difficulty.shift)),
        zoom=float(np.exp(turn(difficulty.zoom))),
        distance=float(rng.uniform(7, 20)),
        light=light,
        key=(tint * exposure * 1.5 * contrast).astype(np.float32),
        ambient=(tint[::-1] * exposure * (0.95 - 0.75 * contrast)).astype(np.float32),
        background=int(rng.integers(2**31)),
        blur=float(rng.uniform(0.25, 1) * difficulty.blur),
        noise=float(rng.uniform(0.15, 1) * difficulty.noise),
        quality=int(rng.integers(difficulty.quality_low, difficulty.quality_high + 1)),
    )


def lit_from(across: float, up: float) -> Floats:
    """Return the direction towards a light so many degrees right of the camera and above it, (3,), unit length."""
    a, u = np.radians(across), np.radians(up)
    return np.array([np.sin(a) * np.cos(u), np.sin(u), np.cos(a) * np.cos(u)]).astype(np.float32)
