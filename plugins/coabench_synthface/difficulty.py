"""The knobs that decide how hard a set is."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from coabench.errors import UserError


@dataclass(frozen=True)
class Difficulty:
    """How far faces vary in ways that have nothing to do with the label, and how plainly they show it.

    Attributes:
        weakest, strongest: bounds of the overall intensity of an expression, 0–1.
        unit_spread: how far a single action unit strays from it, as a fraction.
        sometimes: the probability of each action unit that a label shows only sometimes.
        spurious: the highest intensity of a movement that belongs to no label.
        spurious_count: how many such movements a face shows, on average.
        asymmetry: standard deviation of the difference between the halves of a face, as a fraction.
        blink: how far the eyelids may be closed, 0–1.
        yaw, pitch, roll: standard deviations of the rotation of the head, degrees.
        shift: standard deviation of the misplacement of the crop, as a fraction of its width.
        zoom: standard deviation of the logarithm of its size.
        gaze: standard deviation of the direction of the eyes, degrees.
        blur: the widest blur, pixels of the finished image (standard deviation of the kernel).
        noise: the strongest sensor noise, standard deviation, of 255.
        quality_low, quality_high: bounds of the JPEG quality, 1–95.
    """

    weakest: float = 0.35
    strongest: float = 0.9
    unit_spread: float = 0.3
    sometimes: float = 0.5
    spurious: float = 0.25
    spurious_count: float = 1.5
    asymmetry: float = 0.12
    blink: float = 0.2
    yaw: float = 13.0
    pitch: float = 7.0
    roll: float = 5.0
    shift: float = 0.02
    zoom: float = 0.05
    gaze: float = 7.0
    blur: float = 0.7
    noise: float = 4.0
    quality_low: int = 82
    quality_high: int = 92

    def __post_init__(self) -> None:
        for low, high, least, most in (
            ("weakest", "strongest", 0, 1),
            ("quality_low", "quality_high", 1, 95),
        ):
            bounds = getattr(self, low), getattr(self, high)
            if not least <= bounds[0] <= bounds[1] <= most:
                raise UserError(
                    f"the knobs {low} and {high} do not fit together",
                    expected=f"{least} ≤ {low} ≤ {high} ≤ {most}",
                    found=f"{low}={bounds[0]}, {high}={bounds[1]}",
                    remedy="correct them",
                )
        for knob in fields(self):
            if not 0 <= getattr(self, knob.name) < math.inf:
                raise UserError(
                    f"the knob {knob.name} cannot be {getattr(self, knob.name)}",
                    expected="a finite number that is not negative",
                    remedy="correct it",
                )
