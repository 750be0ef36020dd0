"""From a person, an expression and a scene to a picture."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coabench_synthface import raster
from coabench_synthface.assets import NECK, Floats, Part, floats, load
from coabench_synthface.background import background
from coabench_synthface.canvas import Canvas, blur, canvas
from coabench_synthface.expression import Expression
from coabench_synthface.paint import paint
from coabench_synthface.person import Person
from coabench_synthface.scene import Scene
from coabench_synthface.shade import shade

if TYPE_CHECKING:
    from PIL.Image import Image

SIZE = 100
"""Width and height of a picture, pixels, as in RAF-DB's aligned faces."""

SUPERSAMPLING = 3
"""Each pixel is the mean of so many by so many."""

EYES_AT, MOUTH_AT = 0.40, 0.765
"""Where the middle of the eyes and the mouth lie, parts of the height from the top."""

_TIGHTNESS = 1.04
"""Factor on the size of the face: perspective shrinks what lies behind the eyes, ears and hair above all."""

CHIN, CHEEK = 6.17, 0.75
"""The height of the chin, and how far forward the face begins before the ears; decimetres of the base mesh."""

Extent = tuple[float, float, float, float]
"""Left, top, right, bottom."""

_HAIR_VOLUME = {"bald": 0.0, "cropped": 0.015, "short": 0.06, "full": 0.14, "long": 0.11}
"""How far hair stands off the scalp, decimetres."""


@dataclass(frozen=True)
class Posed:
    """A head in camera coordinates: x right, y up, z towards the camera; decimetres.

    Attributes:
        points: (V, 3).
        eyes: (2, 3) centres of the left and the right eyeball.
        radius: of an eyeball.
        turn: (3, 3) rotation from the head's coordinates.
        centre: (2,) x and y of the middle of the picture before any shift, and *scale*, pictures per decimetre.
    """

    points: Floats
    eyes: Floats
    radius: float
    turn: Floats
    centre: tuple[float, float]
    scale: float

    def project(self, points: Floats, scene: Scene) -> tuple[Floats, Floats]:
        """Return x and y of *points*, (N, 3): parts of the picture's width and height, from its upper left corner."""
        depth = points[:, 2] - self.eyes[:, 2].mean()
        nearness = scene.distance / (scene.distance - depth)  # 1 at the eyes, which therefore stay where they are
        x = (points[:, 0] * nearness - self.centre[0]) * self.scale + 0.5 + scene.shift[0]
        y = EYES_AT - (points[:, 1] * nearness - self.centre[1]) * self.scale + scene.shift[1]
        return x, y


@dataclass(frozen=True)
class Frame:
    """What of the world a picture shows.

    Attributes:
        width, height: of the picture, pixels.
        left, top, side: the square in it that a picture of the face alone would show, pixels.
    """

    width: int = SIZE
    height: int = SIZE
    left: float = 0
    top: float = 0
    side: float = SIZE


def render(person: Person, expression: Expression, scene: Scene, rng: np.random.Generator, size: int = SIZE) -> Image:
    """Return a picture of the face alone, *size* × *size* pixels. *rng* is used for the camera's noise only."""
    posed = pose(person, expression, scene)
    surface = head(person, expression, scene, posed, Frame(size, size, side=size))
    x, y = posed.project(posed.points, scene)
    behind = background(person, scene, size, (float(x.min()), float(x.max()), float(y.min())))
    return develop(surface[..., :3] + (1 - surface[..., 3:]) * behind, scene, rng)


def develop(linear: Floats, scene: Scene, rng: np.random.Generator) -> Image:
    """Return what the camera makes of (height, width, 3) linear RGB: blurred, with its tones and its noise."""
    from PIL import Image as Images

    tone = _to_srgb(blur(linear, scene.blur)) * 255
    grain = rng.standard_normal(linear.shape).astype(np.float32) * scene.noise
    shared = grain.mean(axis=2, keepdims=True)  # sensors' noise is mostly of brightness
    return Images.fromarray(np.clip(tone + 0.4 * grain + shared + 0.5, 0, 255).astype(np.uint8))


def encode(image: Image, quality: int) -> bytes:
    """Return the picture as a JPEG, with Huffman tables of its own: a ninth smaller at no loss."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def head(person: Person, expression: Expression, scene: Scene, posed: Posed, frame: Frame) -> Floats:
    """Return the head alone: (height, width, 4) linear RGB, times coverage, and coverage."""
    mesh, on = load().mesh, canvas()
    x, y = posed.project(posed.points, scene)
    left, top, side = (SUPERSAMPLING * value for value in (frame.left, frame.top, frame.side))
    screen = np.column_stack([x * side + left, y * side + top, posed.points[:, 2]]).astype(np.float32)
    width, height = frame.width * SUPERSAMPLING, frame.height * SUPERSAMPLING
    front, inside = raster.rasterise(screen, mesh.triangles, height, width)
    directions = raster.normals(posed.points, mesh.triangles)
    hollow = np.clip(raster.hollowness(posed.points, directions, mesh.triangles), 0, 0.35)
    covered = hair_depth(person, on)
    attributes = np.column_stack([on.texels, covered, 1 - 1.6 * hollow]).astype(np.float32)
    style = 0.0 if person.hair == "bald" else 0.8 if person.hair == "cropped" else 1.0
    hair = np.array([*person.hair_colour, style, 0.45], np.float32)
    light = np.stack([scene.light, scene.key, scene.ambient])
    surface = shade(
        front, inside, mesh.triangles, mesh.part, posed.points, directions, attributes,
        paint(person, expression), hair, _eyes(person, posed, scene), light,
    )  # fmt: skip
    samples = surface.reshape(frame.height, SUPERSAMPLING, frame.width, SUPERSAMPLING, 4)
    return np.asarray(samples.mean(axis=(1, 3)))


def pose(person: Person, expression: Expression, scene: Scene) -> Posed:
    """Return the head of *person* with this expression, turned, and where the picture is to be framed."""
    assets, on = load(), canvas()
    mesh = assets.mesh
    still = on.vertices + assets.shape(person.targets)
    balls = [np.unique(mesh.triangles[mesh.part == part]) for part in (Part.LEFT_EYE, Part.RIGHT_EYE)]
    middles = np.stack([still[ball].mean(axis=0) for ball in balls])
    radius = float(np.ptp(still[balls[0], 1]) / 2)
    between = middles.mean(axis=0)
    drop = float(between[1] - still[on.lips_middle, 1].mean())
    volume = _HAIR_VOLUME[person.hair] * np.clip(hair_depth(person, on) / 0.5, 0, 1)
    moved = still + assets.shape(expression.face_units())
    moved += volume[:, None] * raster.normals(moved.astype(np.float32), mesh.triangles)
    turn = _rotation(scene)
    pivot = between - floats(0, 0.25, 0.9)  # about the top of the spine
    points = _turned(moved - pivot, turn)
    eyes = _turned(middles - pivot, turn)
    centre = eyes.mean(axis=0)
    return Posed(
        points=points,
        eyes=eyes,
        radius=radius,
        turn=turn,
        centre=(float(centre[0]), float(centre[1])),
        scale=(MOUTH_AT - EYES_AT) / drop * scene.zoom * _TIGHTNESS,
    )


def outline(person: Person, posed: Posed, scene: Scene) -> tuple[Extent, Extent, tuple[float, float]]:
    """Return what the head covers, what the face covers, and where the neck ends, in parts of the face's square.

    The face lies between the hairline, the chin and the ears, which is what detectors are taught to box.
    """
    on, base = canvas(), load().mesh.vertices
    x, y = posed.project(posed.points, scene)
    face = (on.scalp < person.hairline) & (on.ear < 0) & (base[:, 1] > CHIN) & (base[:, 2] > CHEEK)
    neck = base[:, 1] < NECK + 0.25
    return _extent(x, y), _extent(x[face], y[face]), (float(x[neck].mean()), float(y[neck].mean()))


def _extent(x: Floats, y: Floats) -> Extent:
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def hair_depth(person: Person, on: Canvas) -> Floats:
    """Return (V,) how far inside the hairline each vertex lies; long hair covers the ears too."""
    depth = on.scalp - person.hairline
    return np.maximum(depth, on.ear).astype(np.float32) if person.hair == "long" else depth.astype(np.float32)


def _rotation(scene: Scene) -> Floats:
    """Return the rotation by roll after pitch after yaw, (3, 3)."""
    yaw, pitch, roll = np.radians([scene.yaw, -scene.pitch, -scene.roll])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y, np.float32)


def _turned(points: Floats, turn: Floats) -> Floats:
    """Return *points*, (N, 3), rotated. Written out for the reason that `weighted_sum` gives."""
    rotated = points[:, :1] * turn[:, 0] + points[:, 1:2] * turn[:, 1] + points[:, 2:] * turn[:, 2]
    return np.asarray(rotated, np.float32)


def _eyes(person: Person, posed: Posed, scene: Scene) -> Floats:
    """Return what `shade` wants to know of the eyes, (2, 12)."""
    yaw, pitch = np.radians(scene.gaze)
    ahead = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
    gaze = _turned(ahead[None], posed.turn)[0]
    return np.array([[*eye, *gaze, *person.iris, posed.radius, 0.50, 0.42] for eye in posed.eyes], np.float32)


def _to_srgb(linear: Floats) -> Floats:
    """Return sRGB, 0–1, with highlights that run softly into white."""
    soft = np.where(linear > 0.6, 1 - 0.4 * np.exp(-(linear - 0.6) / 0.4), linear)
    return np.where(soft <= 0.0031308, 12.92 * soft, 1.055 * np.maximum(soft, 1e-6) ** (1 / 2.4) - 0.055)
