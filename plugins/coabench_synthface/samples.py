"""One picture of a set: what is drawn for it, and from which seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from coabench.base.vocabulary import SUBJECT
from coabench_synthface.difficulty import Difficulty
from coabench_synthface.expression import BASIC, COMPOUND, Expression, draw_expression
from coabench_synthface.person import Person, draw_person
from coabench_synthface.scene import Scene, draw_scene

SUBSETS: Mapping[str, tuple[str, ...]] = {"basic": BASIC, "compound": COMPOUND}
"""Subset -> its labels."""


@dataclass(frozen=True)
class PictureKey:
    """Which picture is meant. Together with the seed of the set it decides everything that is drawn.

    Attributes:
        subset: ``basic`` or ``compound``.
        split: ``train``, ``dev`` or ``test``.
        index: from 0; the labels take turns.
        per_person: how many pictures in a row show the same person.
    """

    subset: str
    split: str
    index: int
    per_person: int = 1

    @property
    def id(self) -> str:
        return f"{self.subset}_{self.split}_{self.index:05d}"

    @property
    def subject(self) -> str:
        return f"{self.subset}-{self.split}-{self.index // self.per_person:05d}"

    @property
    def label(self) -> str:
        labels = SUBSETS[self.subset]
        return labels[self.index % len(labels)]


@dataclass(frozen=True)
class Draft:
    """What a picture will show, and the generator for its noise."""

    person: Person
    expression: Expression
    scene: Scene
    rng: np.random.Generator


def draft(seed: int, key: PictureKey, difficulty: Difficulty) -> Draft:
    """Draw what the picture *key* shows. No picture depends on another one."""
    rng = generator(seed, key.id)
    person = draw_person(generator(seed, "person", key.subject))
    return Draft(person, draw_expression(key.label, difficulty, rng), draw_scene(difficulty, rng), rng)


def generator(seed: int, *names: str) -> np.random.Generator:
    """Return a generator that depends on all of this and nothing else."""
    digest = hashlib.sha256("/".join([str(seed), *names]).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def attributes(key: PictureKey, drawn: Draft) -> dict[str, Any]:
    """Return what is known about a picture beside its label, JSON-serialisable."""
    person, expression, scene = drawn.person, drawn.expression, drawn.scene
    return {
        SUBJECT: key.subject,
        "action_units": {str(au): amount for au, amount in expression.action_units.items()},
        "spurious_action_units": {str(au): amount for au, amount in expression.spurious.items()},
        "gender": person.gender,
        "age": person.age,
        "ethnicity": max(person.ethnicity, key=lambda name: person.ethnicity[name]),
        "ethnicity_blend": dict(person.ethnicity),
        "melanin": round(person.melanin, 2),
        "hair": person.hair,
        "yaw": round(scene.yaw, 1),
        "pitch": round(scene.pitch, 1),
        "roll": round(scene.roll, 1),
        "light": scene.light_from,
    }
