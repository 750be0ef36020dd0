"""Faces to learn seeing from: random combinations of action units, with no emotion meant by them.

What the vision tower of the tiny model is trained on first. No label of any data set is drawn, nor any of its pictures.
"""

from __future__ import annotations

import io
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from coabench_synthface.assets import Ints, Part, load
from coabench_synthface.difficulty import Difficulty
from coabench_synthface.expression import FACE_UNITS, Expression
from coabench_synthface.person import draw_person
from coabench_synthface.render import encode, pose, render
from coabench_synthface.samples import generator
from coabench_synthface.scene import draw_scene
from numpy.typing import NDArray
from PIL import Image

from coabench.base.signals import leave_to_parent

ACTION_UNITS = tuple(FACE_UNITS)
LANDMARKS = 64
"""How many points of the skin are to be found in every picture: they teach where things are."""

TARGETS = (*(f"AU{au}" for au in ACTION_UNITS), "blink", "yaw", "pitch", "roll")
"""What the first columns of the targets mean; x and y of every landmark follow."""

DIFFICULTY = Difficulty(yaw=15, pitch=8, roll=7, shift=0.03, zoom=0.07)
"""A little wider than the data sets, so that none of their faces lies at the edge of what was seen."""

SHOWN = 0.3
"""The probability of each action unit."""

CHUNK = 64


@dataclass(frozen=True)
class Faces:
    """Pictures and what is to be seen in them.

    Attributes:
        images: uint8, (n, side, side, 3).
        targets: float32, (n, len(TARGETS) + 2 * LANDMARKS).
    """

    images: NDArray[np.uint8]
    targets: NDArray[np.float32]

    @classmethod
    def read(cls, folder: Path) -> Faces:
        """Open what `make_faces` wrote; the pictures stay on the disk until they are used."""
        return cls(np.load(folder / "images.npy", mmap_mode="r"), np.load(folder / "targets.npy"))


def make_faces(folder: Path, count: int, seed: int, side: int, workers: int = 1) -> Faces:
    """Render *count* faces, scaled to *side* pixels, into ``images.npy`` and ``targets.npy`` in *folder*.

    Some 20 ms a face and worker. What face *k* shows depends on the seed and *k* alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    width = len(TARGETS) + 2 * LANDMARKS
    images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (count, side, side, 3))
    targets = np.zeros((count, width), np.float32)
    starts = range(0, count, CHUNK)
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=leave_to_parent) as pool:
        for start, (pictures, seen) in zip(starts, pool.map(partial(_chunk, seed, side, count), starts), strict=True):
            images[start : start + len(pictures)] = pictures
            targets[start : start + len(pictures)] = seen
    images.flush()
    np.save(folder / "targets.npy", targets)
    return Faces.read(folder)


def _chunk(seed: int, side: int, count: int, start: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    drawn = [_face(seed, side, index) for index in range(start, min(start + CHUNK, count))]
    return np.stack([picture for picture, _ in drawn]), np.stack([seen for _, seen in drawn])


def _face(seed: int, side: int, index: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Draw one face, through JPEG and scaled as `coabench_phi35v.images.picture` scales it."""
    rng = generator(seed, "face", str(index))
    person, expression, scene = draw_person(rng), draw_units(rng), draw_scene(DIFFICULTY, rng)
    file = io.BytesIO(encode(render(person, expression, scene, rng), scene.quality))
    with Image.open(file) as image:
        picture = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))
    units = [expression.intensity(au) for au in ACTION_UNITS]
    known = [*units, expression.blink, scene.yaw, scene.pitch, scene.roll]
    posed = pose(person, expression, scene)
    x, y = posed.project(posed.points[landmarks()], scene)
    return picture, np.array([*known, *x, *y], np.float32)


def draw_units(rng: np.random.Generator) -> Expression:
    """Draw any combination of action units: an overall strength, and each unit around it."""
    overall = rng.uniform(0.1, 1)
    strengths = overall * rng.uniform(0.5, 1.5, len(ACTION_UNITS))
    shown = rng.random(len(ACTION_UNITS)) < SHOWN
    units = {au: min(float(s), 1.0) for au, s, on in zip(ACTION_UNITS, strengths, shown, strict=True) if on}
    tilt = float(np.clip(rng.normal(0, DIFFICULTY.asymmetry), -0.5, 0.5))
    return Expression("", units, {}, tilt, float(rng.uniform(0, DIFFICULTY.blink)))


@cache
def landmarks() -> Ints:
    """Return the indices of vertices of the skin that face units move, spread over the face.

    The first half lies on the left side of the face; the second half mirrors it.
    """
    assets = load()
    mesh = assets.mesh
    skin = np.unique(mesh.triangles[mesh.part == Part.SKIN])
    parts = ("brow", "eye", "cheek", "nose", "mouth", "jaw")
    units = [row for name, row in assets.names.items() if name.startswith(parts)]
    moved = np.abs(assets.offsets[units][:, skin]).max(axis=(0, 2))
    points = mesh.vertices[skin]
    candidates = points[(moved > 0.03) & (points[:, 2] > 0) & (points[:, 0] >= 0)]
    chosen = [candidates[np.argmax(candidates[:, 2])]]
    distance = np.full(len(candidates), np.inf)
    for _ in range(LANDMARKS // 2 - 1):  # always the one farthest from those chosen
        distance = np.minimum(distance, np.linalg.norm(candidates - chosen[-1], axis=1))
        chosen.append(candidates[np.argmax(distance)])
    both = np.concatenate([np.stack(chosen), np.stack(chosen) * (-1, 1, 1)])
    return np.asarray(skin[[np.linalg.norm(points - point, axis=1).argmin() for point in both]])
