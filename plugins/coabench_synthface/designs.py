"""Designs: sets of pictures in which one thing varies and everything else is the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from coabench.base.vocabulary import SUBJECT
from coabench_synthface.difficulty import Difficulty
from coabench_synthface.expression import COMPOUND, RECIPES, Expression
from coabench_synthface.person import Person, draw_person, with_age, with_sex
from coabench_synthface.samples import SUBSETS, Draft, generator
from coabench_synthface.scene import Scene, draw_scene, lit_from

NEUTRAL = "Neutral"
FULL = 0.75
"""The intensity of expressions where a design does not vary it."""

STILL = Difficulty(
    spurious=0, asymmetry=0, blink=0, yaw=0, pitch=0, roll=0, shift=0, zoom=0, gaze=0, noise=2,
    quality_low=82, quality_high=82,
)  # fmt: skip
"""What still varies from person to person: light, background, blur and noise."""

LEVELS: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "intensity": {"intensity": tuple(i / 8 for i in range(9))},
    "pose": {"yaw": (-60, -40, -20, 0, 20, 40, 60)},
    "light": {"light_direction": (-90, -60, -30, 0, 30, 60, 90), "light_strength": (0.1, 0.25, 0.5, 1.0, 1.5)},
    "resolution": {"resolution": (12, 16, 24, 32, 48, 64, 100)},
    "identity": {
        "skin": ("light", "medium", "dark"),
        "age": (20, 45, 70),
        "sex": ("female", "male"),
        "hair": ("bald", "short", "long"),
    },
    "blends": {"share": tuple(i / 8 for i in range(9))},
}
"""Design -> what it varies, one at a time -> the values. An age is of head and skin, a sex is the head's shape."""

PERSONS: Mapping[str, int] = {"intensity": 6, "pose": 3, "light": 2, "resolution": 3, "identity": 6, "blends": 2}
"""Design -> how many persons there are by default: the same for every expression, for ``identity`` as many others."""

MELANIN: Mapping[str, float] = {"light": 0.12, "medium": 0.42, "dark": 0.8}

_EMOTIONS: Mapping[str, str] = {
    "Happily": "Happiness", "Sadly": "Sadness", "Fearfully": "Fear", "Angrily": "Anger", "Disgustedly": "Disgust",
    "Surprised": "Surprise", "Disgusted": "Disgust", "Fearful": "Fear", "Angry": "Anger",
}  # fmt: skip


@dataclass(frozen=True)
class Stimulus:
    """Which picture of a design is meant. Together with the seed of the set it decides everything that is drawn.

    Attributes:
        design: a key of `LEVELS`.
        subset: ``basic`` or ``compound``.
        label: the expression.
        person: from 0.
        varied: what is varied here; None for a neutral face, which has no level.
        level: its value; None as well.
    """

    design: str
    subset: str
    label: str
    person: int
    varied: str | None
    level: Any

    @property
    def subject(self) -> str:
        """The person. Those of ``identity`` show one expression each, so that no two of its stimuli share one."""
        own = f"-{self.label}" if self.design == "identity" else ""
        return f"{self.design}-{self.person:04d}{own}".replace(" ", "_").lower()

    @property
    def matched(self) -> str:
        """What pictures share that differ in `level` alone."""
        return f"{self.subject}/{self.label}/{self.varied}".replace(" ", "_").lower()

    @property
    def id(self) -> str:
        level = "" if self.varied is None else f"_{self.varied}_{self.level}"
        return f"{self.subset}_{self.label}_{self.person:04d}{level}".replace(" ", "-").replace("_-", "_m").lower()


def stimuli(design: str, subset: str, persons: int) -> Iterator[Stimulus]:
    """Yield the pictures of a design, person by person."""
    for person in range(persons):
        for label in SUBSETS[subset]:
            if label == NEUTRAL:
                yield Stimulus(design, subset, label, person, None, None)
                continue
            for varied, levels in LEVELS[design].items():
                for level in levels:
                    yield Stimulus(design, subset, label, person, varied, level)


def draft(seed: int, stimulus: Stimulus) -> Draft:
    """Draw what a stimulus shows. Those that are matched differ in what is varied and in nothing else."""
    person = replace(draw_person(generator(seed, "person", stimulus.subject)), stubble=0.0)
    scene = draw_scene(STILL, generator(seed, "scene", stimulus.subject))
    person = _with(person, stimulus)
    expression = Expression(stimulus.label, _units(stimulus), {}, 0.0, 0.0)
    return Draft(person, expression, _lit(scene, stimulus), generator(seed, "noise", stimulus.subject))


def pair(label: str) -> tuple[str, str]:
    """Return the two basic emotions of a compound label, in its own order: ("Happiness", "Surprise")."""
    first, second = label.split()
    return _EMOTIONS[first], _EMOTIONS[second]


def attributes(stimulus: Stimulus, drawn: Draft) -> dict[str, Any]:
    """Return what is known about a picture beside its label, JSON-serialisable."""
    person = drawn.person
    found: dict[str, Any] = {
        SUBJECT: stimulus.subject,
        "design": stimulus.design,
        "action_units": {str(au): amount for au, amount in drawn.expression.action_units.items()},
        "skin": min(MELANIN, key=lambda name: abs(MELANIN[name] - person.melanin)),
        "age": person.age,
        "sex": person.gender,
        "hair": person.hair,
    }
    if stimulus.varied is not None:
        found |= {"stimulus": stimulus.matched, "varied": stimulus.varied, stimulus.varied: stimulus.level}
    if stimulus.design == "blends" and stimulus.label in COMPOUND:
        found["blend"] = " + ".join(pair(stimulus.label))
    return found


def _units(stimulus: Stimulus) -> dict[int, float]:
    """Return the action units: those that a label always shows, and at an intensity of 0 none."""
    if stimulus.varied == "share":
        amounts: dict[int, float] = {}
        for emotion, share in zip(pair(stimulus.label), (stimulus.level, 1 - stimulus.level), strict=True):
            for au, strength in RECIPES[emotion].always.items():
                amounts[au] = amounts.get(au, 0.0) + FULL * share * strength
    else:
        intensity = stimulus.level if stimulus.varied == "intensity" else FULL
        amounts = {au: intensity * strength for au, strength in RECIPES[stimulus.label].always.items()}
    return {au: round(amount, 3) for au, amount in sorted(amounts.items()) if amount > 0}


def _with(person: Person, stimulus: Stimulus) -> Person:
    varied, level = stimulus.varied, stimulus.level
    if varied == "skin":
        return replace(person, melanin=MELANIN[level])
    if varied == "hair":
        return replace(person, hair=level)
    if varied == "age":
        return with_age(person, level)
    return with_sex(person, level) if varied == "sex" else person


def _lit(scene: Scene, stimulus: Stimulus) -> Scene:
    varied, level = stimulus.varied, stimulus.level
    if stimulus.design == "light":
        strength = level if varied == "light_strength" else 1.0
        white = np.ones(3, np.float32)
        scene = replace(scene, key=white * 1.2 * strength, ambient=white * 0.25 * strength)
        return replace(scene, light=lit_from(level if varied == "light_direction" else 0, 20))
    return replace(scene, yaw=float(level), gaze=(-0.6 * level, 0.0)) if varied == "yaw" else scene
