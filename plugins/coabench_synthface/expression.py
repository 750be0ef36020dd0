"""Expressions: which action units each label shows, and which face units of the mesh they move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from coabench_synthface.difficulty import Difficulty

BASIC = ("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral")
COMPOUND = (
    "Happily Surprised",
    "Happily Disgusted",
    "Sadly Fearful",
    "Sadly Angry",
    "Sadly Surprised",
    "Sadly Disgusted",
    "Fearfully Angry",
    "Fearfully Surprised",
    "Angrily Surprised",
    "Angrily Disgusted",
    "Disgustedly Surprised",
)
"""The labels, in the order of the cards."""


@dataclass(frozen=True)
class Recipe:
    """The action units of a label.

    Attributes:
        always: action unit -> its strength relative to the intensity of the face; shown by every face.
        sometimes: action unit -> the same, each shown by a random part of the faces.
    """

    always: Mapping[int, float]
    sometimes: Mapping[int, float]


def _recipe(*always: int, sometimes: tuple[int, ...] = (), **strengths: float) -> Recipe:
    """``_recipe(4, 15, sometimes=(17,), au4=0.6)``: a strength is 1 unless it is given."""
    return Recipe(
        {au: strengths.get(f"au{au}", 1.0) for au in always}, {au: strengths.get(f"au{au}", 1.0) for au in sometimes}
    )


RECIPES: Mapping[str, Recipe] = {
    "Neutral": _recipe(),
    "Happiness": _recipe(6, 12, 25, sometimes=(26,), au26=0.35),
    "Sadness": _recipe(1, 4, 15, 17, au4=0.6),
    "Surprise": _recipe(1, 2, 5, 25, 26),
    "Anger": _recipe(4, 7, 17, 24, au17=0.6),
    "Disgust": _recipe(9, 10, 17, sometimes=(4,), au4=0.5),
    "Fear": _recipe(1, 2, 4, 5, 20, 25, sometimes=(26,), au2=0.6, au4=0.7, au26=0.3),
    "Happily Surprised": _recipe(1, 2, 5, 12, 25, 26, au26=0.8),
    "Happily Disgusted": _recipe(6, 9, 10, 12, 25, au6=0.7, au10=0.8),
    "Sadly Fearful": _recipe(1, 4, 15, 20, 25, sometimes=(5,), au4=0.8, au15=0.8),
    "Sadly Angry": _recipe(4, 7, 15, sometimes=(17,)),
    "Sadly Surprised": _recipe(1, 4, 25, 26, sometimes=(15,), au4=0.7, au15=0.6, au26=0.8),
    "Sadly Disgusted": _recipe(1, 4, 9, 10, 15, sometimes=(17,), au1=0.9, au4=0.8),
    "Fearfully Angry": _recipe(4, 5, 20, 25, sometimes=(7,), au7=0.4),
    "Fearfully Surprised": _recipe(1, 2, 5, 20, 25, 26, au20=0.9, au26=0.6),
    "Angrily Surprised": _recipe(4, 5, 25, 26, sometimes=(7,), au7=0.3),
    "Angrily Disgusted": _recipe(4, 7, 9, 10, 17, sometimes=(24,), au24=0.4),
    "Disgustedly Surprised": _recipe(1, 2, 5, 9, 10, sometimes=(17,), au9=0.8),
}
"""The action units of the 18 labels, after the prototypes of Du, Tao and Martinez, "Compound facial expressions of
emotion", PNAS 111(15), E1454–E1462, 2014. Which of the units that only part of their subjects showed are always here,
which sometimes, and every strength were chosen for these faces, by eye."""

FACE_UNITS: Mapping[int, Mapping[str, float]] = {
    1: {"browInnerUp": 1.4},
    2: {"browOuterUp": 1.4},
    4: {"browDown": 1.3, "eyebrows-angle-down": 0.4},
    5: {"eyeWide": 1.2},
    6: {"cheekSquint": 0.7, "eyeSquint": 0.25},
    7: {"eyeSquint": 0.6},
    9: {"noseSneer": 1.1, "browDown": 0.15},
    10: {"mouthUpperUp": 0.8, "noseSneer": 0.2},
    12: {"mouthSmile": 0.95},
    15: {"mouthFrown": 1.0},
    17: {"mouthShrugLower": 0.8, "mouthShrugUpper": 0.3},
    20: {"mouthStretch": 1.0},
    24: {"mouthPress": 0.7, "mouthFrown": 0.5, "mouthRollLower": 0.5, "mouthRollUpper": 0.5},
    25: {"mouthLowerDown": 0.4, "mouthUpperUp": 0.25, "jawOpen": 0.08},
    26: {"jawOpen": 0.6},
}
"""Action unit -> the face units (ARKit's names, without the side) that show it, and how far at intensity 1."""

SPURIOUS = (1, 2, 4, 5, 7, 12, 15, 17, 20, 25)
"""The action units that may show weakly in any face."""

_WHOLE = (
    "eyebrows-angle-up", "eyebrows-angle-down", "browInnerUp", "mouthShrugLower", "mouthShrugUpper",
    "mouthRollLower", "mouthRollUpper", "jawOpen",
)  # fmt: skip
"""Face units that have no left and right half."""


@dataclass(frozen=True)
class Expression:
    """What a face shows.

    Attributes:
        label: the label it was drawn for.
        action_units: action unit -> intensity, 0–1: those of the recipe only.
        spurious: action unit -> intensity of the small movements that belong to no recipe.
        tilt: how much stronger the left half of the face moves than the right, as a fraction.
        blink: 0–1, how far the eyelids are closed.
    """

    label: str
    action_units: Mapping[int, float]
    spurious: Mapping[int, float]
    tilt: float
    blink: float

    def intensity(self, au: int) -> float:
        """Return the intensity of an action unit, wanted or not."""
        return self.action_units.get(au, 0.0) + self.spurious.get(au, 0.0)

    def face_units(self) -> dict[str, float]:
        """Return the name of each target -> its weight."""
        weights: dict[str, float] = {}
        for au, units in FACE_UNITS.items():
            amount = self.intensity(au)
            if amount <= 0:
                continue
            for unit, scale in units.items():
                sides = {"": 1.0} if unit in _WHOLE else {"Left": 1 + self.tilt, "Right": 1 - self.tilt}
                for side, share in sides.items():
                    name = unit + side
                    weights[name] = min(weights.get(name, 0.0) + amount * scale * share, 1.25)
        oblique = min(self.intensity(1), self.intensity(4))
        if oblique > 0:  # together they slant the brows instead of cancelling each other
            weights["eyebrows-angle-up"] = oblique
            weights["eyebrows-angle-down"] -= 0.4 * oblique
            for side in ("Left", "Right"):
                weights[f"browDown{side}"] -= 0.55 * oblique
        if self.blink > 0:
            weights |= {"eyeBlinkLeft": self.blink, "eyeBlinkRight": self.blink}
        return weights


def draw_expression(label: str, difficulty: Difficulty, rng: np.random.Generator) -> Expression:
    """Draw an expression of *label*: one overall intensity, and variation of each action unit around it."""
    recipe = RECIPES[label]
    overall = rng.uniform(difficulty.weakest, difficulty.strongest)
    shown = dict(recipe.always)
    for au, strength in recipe.sometimes.items():
        if rng.random() < difficulty.sometimes:
            shown[au] = strength
    spread = difficulty.unit_spread
    units = {
        au: round(float(np.clip(overall * strength * rng.uniform(1 - spread, 1 + spread), 0.08, 1.0)), 3)
        for au, strength in sorted(shown.items())
    }
    count = rng.poisson(difficulty.spurious_count)
    others = [au for au in SPURIOUS if au not in units]
    chosen = rng.choice(others, size=min(count, len(others)), replace=False)
    spurious = {int(au): round(float(rng.uniform(0, difficulty.spurious)), 3) for au in sorted(chosen)}
    tilt = float(np.clip(rng.normal(0, difficulty.asymmetry), -0.5, 0.5))
    return Expression(label, units, spurious, tilt, float(rng.uniform(0, difficulty.blink)))
