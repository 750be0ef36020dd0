"""Persons: the shape of a head, skin, lips, hair, brows and eyes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from coabench_synthface.assets import Floats

ETHNICITIES = ("african", "asian", "caucasian")
"""MakeHuman's own names of its three shape targets; a person here is a blend of them, and none of a real group."""

Hair = Literal["bald", "cropped", "short", "full", "long"]

_MIRRORED = (
    ("cheek-bones", 0.4), ("cheek-inner", 0.3), ("cheek-volume", 0.45),
    ("ear-scale", 0.5), ("ear-wing", 0.5), ("ear-lobe", 0.4),
    ("eye-height2", 0.22), ("eye-scale", 0.22), ("eye-bag", 0.35),
)  # fmt: skip
_SINGLE = (
    ("nose-scale-vert", 0.4), ("nose-scale-horiz", 0.4), ("nose-scale-depth", 0.4), ("nose-width1", 0.4),
    ("nose-width2", 0.4), ("nose-width3", 0.4), ("nose-hump", 0.4), ("nose-volume", 0.35), ("nose-flaring", 0.4),
    ("nose-point-width", 0.4), ("chin-height", 0.35), ("chin-width", 0.45), ("chin-prominent", 0.4),
    ("chin-jaw-drop", 0.35), ("chin-bones", 0.4), ("chin-cleft", 0.4), ("forehead-nubian", 0.35),
    ("forehead-scale-vert", 0.35), ("forehead-temple", 0.4), ("head-scale-vert", 0.25), ("head-scale-horiz", 0.25),
    ("head-fat", 0.35), ("mouth-scale-horiz", 0.3), ("mouth-upperlip-volume", 0.2), ("mouth-lowerlip-volume", 0.2),
    ("mouth-upperlip-height", 0.2), ("mouth-lowerlip-height", 0.2), ("mouth-cupidsbow", 0.3),
)  # fmt: skip
"""Shape targets that come as a pair ``-decr`` and ``-incr``, with the standard deviation of their weight."""

_OUTLINES = ("round", "oval", "square", "diamond", "rectangular", "triangular", "invertedtriangular")


@dataclass(frozen=True)
class Person:
    """Who is in the picture.

    Attributes:
        gender: ``female`` or ``male``: the nearer of MakeHuman's two shapes.
        age: years.
        ethnicity: name -> its part of the blend; sums to 1.
        targets: name of a shape target -> weight.
        melanin: 0 (lightest skin) – 1 (darkest).
        redness: of cheeks, nose and lips, 0–1.
        roughness: of the skin's colour, 0–1.
        gloss: how much the skin shines, 0–1.
        lips: how far the lips differ from the skin, 0–1.
        hair: the style.
        hair_colour, iris: (3,) linear RGB.
        hairline: how far the hairline has moved, decimetres; positive is up.
        brow_weight: thickness of the eyebrows, 0–1.
        brow_arch, brow_height: their shape, about -1 – 1.
        stubble: 0–1.
        pattern: seed of the small irregularities of skin and hair.
    """

    gender: str
    age: int
    ethnicity: Mapping[str, float]
    targets: Mapping[str, float]
    melanin: float
    redness: float
    roughness: float
    gloss: float
    lips: float
    hair: Hair
    hair_colour: Floats
    iris: Floats
    hairline: float
    brow_weight: float
    brow_arch: float
    brow_height: float
    stubble: float
    pattern: int


def draw_person(rng: np.random.Generator) -> Person:
    """Draw a person; every call draws another one."""
    blend = rng.dirichlet((0.45, 0.45, 0.45))
    male = float(rng.beta(0.35, 0.35))
    gender = "male" if male >= 0.5 else "female"
    age = int(rng.triangular(18, 28, 75))
    old = _oldness(age)
    melanin = float(np.clip(blend @ (0.78, 0.30, 0.16) + rng.normal(0, 0.09), 0.02, 1))
    grey = float(np.clip((age - 42) / 30 + rng.normal(0, 0.15), 0, 1)) if age > 38 else 0.0
    fair = float(blend[2] * rng.random())
    return Person(
        gender=gender,
        age=age,
        ethnicity={name: round(float(part), 3) for name, part in zip(ETHNICITIES, blend, strict=True)},
        targets={**_build(blend, male, old, rng), **_details(rng)},
        melanin=melanin,
        redness=float(rng.uniform(0.1, 1)),
        roughness=float(np.clip(rng.uniform(0.1, 0.7) + 0.3 * old, 0, 1)),
        gloss=float(rng.uniform(0.1, 0.8)),
        lips=float(rng.uniform(0.35, 0.75) + (0.2 * rng.random() if gender == "female" else 0)),
        hair=_hair_style(gender, age, rng),
        hair_colour=_hair_colour(fair, grey, rng),
        iris=_iris(fair, rng),
        hairline=float(rng.normal(0, 0.05) + (0.25 * old * rng.random() if gender == "male" else 0)),
        brow_weight=float(np.clip(rng.normal(0.62 if gender == "male" else 0.42, 0.14), 0.2, 1)),
        brow_arch=float(rng.normal(0.0 if gender == "male" else 0.4, 0.4)),
        brow_height=float(rng.normal(0, 0.4)),
        stubble=float(rng.beta(0.6, 1.2)) if gender == "male" else 0.0,
        pattern=int(rng.integers(2**31)),
    )


def with_age(person: Person, age: int) -> Person:
    """Return the same person at another age: the shape of the head and the roughness of the skin, not the hair."""
    before, after = _oldness(person.age), _oldness(age)
    roughness = float(np.clip(person.roughness + 0.3 * (after - before), 0, 1))
    return replace(person, age=age, targets=_mixed(person.targets, "old", "young", after), roughness=roughness)


def with_sex(person: Person, gender: str) -> Person:
    """Return the same person with the shape of the other head, or of a plainer one: nine parts in ten."""
    male = 0.9 if gender == "male" else 0.1
    return replace(person, gender=gender, targets=_mixed(person.targets, "male", "female", male))


def _mixed(targets: Mapping[str, float], one: str, other: str, part: float) -> dict[str, float]:
    """Return the weights with *part* of each pair of targets at *one* and the rest at *other*."""
    mixed = dict(targets)
    for name in targets:
        words = name.split("-")
        if one in words:
            twin = "-".join(other if word == one else word for word in words)
            whole = targets[name] + targets[twin]
            mixed |= {name: whole * part, twin: whole * (1 - part)}
    return mixed


def _oldness(age: int) -> float:
    return float(np.clip((age - 25) / 55, 0, 1))


def _build(blend: np.ndarray, male: float, old: float, rng: np.random.Generator) -> dict[str, float]:
    """Return the weights of the targets that mix ethnicity, sex, age and weight: products that sum to 1 each."""
    heavy = float(np.clip(rng.normal(0.05, 0.4), -0.7, 0.9))
    weights = {"averageweight": 1 - abs(heavy), "maxweight" if heavy > 0 else "minweight": abs(heavy)}
    targets: dict[str, float] = {}
    for sex, of_sex in (("male", male), ("female", 1 - male)):
        for years, of_years in (("old", old), ("young", 1 - old)):
            for name, part in zip(ETHNICITIES, blend, strict=True):
                targets[f"{name}-{sex}-{years}"] = float(part * of_sex * of_years)
            for weight, of_weight in weights.items():
                targets[f"universal-{sex}-{years}-averagemuscle-{weight}"] = of_weight * of_sex * of_years
    return targets


def _details(rng: np.random.Generator) -> dict[str, float]:
    """Return small deviations of nose, chin, cheeks, ears, eyes, mouth and outline."""
    targets: dict[str, float] = {}
    for name, spread in (*_MIRRORED, *_SINGLE):
        amount = float(np.clip(rng.normal(0, spread), -2 * spread, 2 * spread))
        end = "incr" if amount > 0 else "decr"
        sides = ("l-", "r-") if (name, spread) in _MIRRORED else ("",)
        for side in sides:
            slight = float(rng.normal(0, 0.03)) if side else 0.0  # no face is quite symmetric
            targets[f"{side}{name}-{end}"] = max(abs(amount) + slight, 0.0)
    targets["mouth-angles-up"] = float(np.clip(rng.normal(0.18, 0.1), 0, 0.5))  # a neutral mouth would droop
    outline = _OUTLINES[rng.integers(len(_OUTLINES))]
    targets[f"head-{outline}"] = float(rng.uniform(0, 0.5))
    return targets


def _hair_style(gender: str, age: int, rng: np.random.Generator) -> Hair:
    styles: tuple[Hair, ...] = ("bald", "cropped", "short", "full", "long")
    bald = min(max(age - 35, 0) / 160, 0.2)
    chances = (0.02, 0.03, 0.15, 0.25, 0.55) if gender == "female" else (0.04 + bald, 0.26, 0.4, 0.26 - bald, 0.04)
    return styles[rng.choice(len(styles), p=np.array(chances) / sum(chances))]


def _hair_colour(fair: float, grey: float, rng: np.random.Generator) -> Floats:
    black, brown = np.array([0.012, 0.010, 0.009]), np.array([0.075, 0.038, 0.020])
    blond, white = np.array([0.36, 0.23, 0.10]), np.array([0.42, 0.40, 0.38])
    colour = black + (brown - black) * min(2 * fair + 0.4 * rng.random(), 1) + (blond - brown) * max(2 * fair - 1, 0)
    return np.asarray(colour + (white - colour) * grey, np.float32)


def _iris(fair: float, rng: np.random.Generator) -> Floats:
    brown = np.array([0.10, 0.045, 0.018])
    light = np.array([[0.13, 0.18, 0.22], [0.14, 0.16, 0.10], [0.20, 0.13, 0.05]])[rng.integers(3)]
    share = rng.random() < 1.4 * fair
    return np.asarray((light if share else brown) * rng.uniform(0.7, 1.3), np.float32)
