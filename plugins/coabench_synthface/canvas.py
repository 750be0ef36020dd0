"""The canvas: the face of the base mesh seen from the front, on which skin, lips and eyebrows are painted.

Paint sticks to the skin because every vertex keeps its position on the canvas however the face moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from coabench_synthface import raster
from coabench_synthface.assets import Floats, Ints, Mesh, Part, floats, load, sample_mask

LEFT, RIGHT, BOTTOM, TOP = -0.9, 0.9, 6.0, 8.3
"""What the canvas covers, decimetres of the base mesh. Beyond, its edge is repeated."""

TEXEL = 0.01
"""Width of a texel, decimetres: a little more than half a pixel of the finished image."""

WIDTH, HEIGHT = int((RIGHT - LEFT) / TEXEL), int((TOP - BOTTOM) / TEXEL)

EYE, EYE_Y = 0.33, 7.285
"""Where the middle of the opening between the eyelids is on the base mesh: ± x, and y."""

FOLDS = ("forehead", "furrow", "bridge", "crow", "bag", "cheek", "chin", "corner")
"""The folds that a face can show, in the order of `Canvas.folds`."""


@dataclass(frozen=True)
class Canvas:
    """What every face shares.

    Attributes:
        x, y: (HEIGHT, WIDTH) where a texel is, decimetres of the base mesh; row 0 is at the top.
        texels: (V, 2) column and row of each vertex.
        lips: (HEIGHT, WIDTH) 0–1.
        lash: (HEIGHT, WIDTH) 0–1, the edges of the eyelids.
        folds: (8, HEIGHT, WIDTH) the darkness of each fold of `FOLDS`; negative where the skin beside it is brighter.
        scalp: (V,) how far each vertex lies inside the hairline, decimetres; negative outside.
        ear: (V,) how far each vertex lies inside the hair that covers the ears, decimetres; negative outside.
        beard: (HEIGHT, WIDTH) 0–1.
        lips_middle: indices of the vertices between the lips.
        vertices: (V, 3) of the base mesh, with teeth and tongue where an open mouth shows them.
    """

    x: Floats
    y: Floats
    texels: Floats
    lips: Floats
    lash: Floats
    folds: Floats
    scalp: Floats
    ear: Floats
    beard: Floats
    lips_middle: Ints
    vertices: Floats


@cache
def canvas() -> Canvas:
    """Return the canvas (about half a second, once per process)."""
    assets = load()
    mesh = assets.mesh
    row, column = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    x, y = LEFT + (column + 0.5) * TEXEL, TOP - (row + 0.5) * TEXEL
    points = np.column_stack(
        [(mesh.vertices[:, 0] - LEFT) / TEXEL, (TOP - mesh.vertices[:, 1]) / TEXEL, mesh.vertices[:, 2]]
    ).astype(np.float32)
    front, inside = raster.rasterise(points, mesh.triangles, HEIGHT, WIDTH)
    uv = (mesh.uv[front] * inside[..., None]).sum(axis=2)
    skin = (front >= 0) & (mesh.part[front] == Part.SKIN)
    lips = np.where(skin, sample_mask(assets.folder, "lips", uv), 0)
    moved = np.abs(assets.offsets[[assets.names[name] for name in _EARS]]).max(axis=(0, 2))
    eye = np.isin(mesh.part[front], (Part.LEFT_EYE, Part.RIGHT_EYE)) & (front >= 0)
    return Canvas(
        x=x,
        y=y,
        texels=np.ascontiguousarray(points[:, :2]),
        lips=blur(lips.astype(np.float32), 0.9),
        lash=_lash(eye, x, y),
        folds=np.stack([_fold(x, y, name) for name in FOLDS]),
        scalp=_scalp(mesh.vertices, moved > 0.004),
        ear=(4 * moved - 0.12).astype(np.float32),
        beard=_beard(x, y),
        lips_middle=_lips_middle(mesh.vertices),
        vertices=_seat_teeth(mesh),
    )


def blur(image: Floats, sigma: float) -> Floats:
    """Return *image*, (H, W) or (H, W, C), after a Gaussian blur of *sigma* pixels; its edges are repeated."""
    if sigma < 0.05:
        return image
    radius = max(int(3 * sigma + 0.5), 1)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2).astype(np.float32)
    kernel /= kernel.sum()
    for axis in (0, 1):
        margins = [(radius, radius) if a == axis else (0, 0) for a in range(image.ndim)]
        padded = np.pad(image, margins, mode="edge")
        length = image.shape[axis]
        parts = [w * np.take(padded, range(k, k + length), axis) for k, w in enumerate(kernel)]
        image = np.sum(parts, axis=0, dtype=np.float32)
    return image


def stroke(x: Floats, y: Floats, line: Floats, width: Floats | float) -> Floats:
    """Return exp(-(d / width)²), d being the distance of each texel from a polyline, (P, 2).

    *width* may be given for each point of the line, (P,).
    """
    widths = np.broadcast_to(np.asarray(width, np.float32), len(line))
    out = np.zeros_like(x)
    for (ax, ay), (bx, by), wa, wb in zip(line[:-1], line[1:], widths[:-1], widths[1:], strict=True):
        dx, dy = bx - ax, by - ay
        along = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy), 0, 1)
        squared = (x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2
        np.maximum(out, np.exp(-squared / (wa + along * (wb - wa)) ** 2), out=out)
    return out


def _lash(eye: np.ndarray, x: Floats, y: Floats) -> Floats:
    """Darken the rims of the eyes: the upper one, where the lashes are, more than the lower one."""
    near = blur(eye.astype(np.float32), 1.7)
    rim = np.clip(near * 2.2, 0, 1)
    upper = np.clip((y - EYE_Y + 0.012) / 0.035, 0, 1)
    return np.asarray(rim * (0.35 + 0.65 * upper), np.float32)


_EARS = tuple(f"{side}-ear-{how}" for side in "lr" for how in ("trans-up", "trans-backward", "wing-incr", "scale-incr"))
"""The targets that move the ears and little else."""

_LINES: dict[str, list[tuple[list[tuple[float, float]], float]]] = {
    "forehead": [
        ([(0.0, 7.73), (0.2, 7.745), (0.42, 7.73)], 0.016),
        ([(0.0, 7.82), (0.22, 7.835), (0.45, 7.81)], 0.016),
        ([(0.0, 7.91), (0.2, 7.92), (0.38, 7.90)], 0.014),
    ],
    "furrow": [([(0.05, 7.38), (0.06, 7.46), (0.075, 7.55)], 0.022)],
    "bridge": [
        ([(0.0, 7.27), (0.06, 7.26), (0.10, 7.24)], 0.013),
        ([(0.0, 7.20), (0.07, 7.18), (0.115, 7.14)], 0.013),
        ([(0.09, 7.30), (0.12, 7.20), (0.17, 7.10)], 0.015),
    ],
    "crow": [
        ([(0.53, 7.29), (0.62, 7.33)], 0.012),
        ([(0.53, 7.25), (0.63, 7.24)], 0.012),
        ([(0.52, 7.21), (0.60, 7.16)], 0.012),
    ],
    "bag": [([(0.20, 7.19), (0.30, 7.13), (0.42, 7.13), (0.50, 7.18)], 0.018)],
    "cheek": [([(0.175, 6.93), (0.24, 6.86), (0.30, 6.76), (0.345, 6.64), (0.35, 6.55)], 0.024)],
    "chin": [([(0.0, 6.44), (0.12, 6.44), (0.20, 6.40)], 0.022)],
    "corner": [([(0.285, 6.62), (0.32, 6.56), (0.33, 6.47)], 0.020)],
}
"""Fold -> its lines on the left half of the face and their widths, decimetres of the base mesh."""


def _fold(x: Floats, y: Floats, name: str) -> Floats:
    """Paint a fold: a dark line, and beside it, above, a bright one where the skin bulges."""
    dark = np.zeros_like(x)
    for points, width in _LINES[name]:
        line = np.array(points, np.float32)
        np.maximum(dark, stroke(np.abs(x), y, line, width), out=dark)
        dark -= 0.35 * stroke(np.abs(x), y, line + floats(0.6 * width, 1.8 * width), 1.3 * width)
    return blur(np.clip(dark, -0.4, 1), 0.9)


def _scalp(vertices: Floats, ear: np.ndarray) -> Floats:
    """Return how far above the hairline each vertex lies. The line falls from the forehead to the nape."""
    depth = [-0.3, 0.15, 0.45, 0.62, 0.74, 0.9, 1.1, 1.3]
    height = [6.5, 6.75, 7.05, 7.18, 7.42, 7.62, 7.84, 7.93]
    front = np.clip((vertices[:, 2] - 0.6) / 0.4, 0, 1)
    line = np.interp(vertices[:, 2], depth, height) - 0.35 * front * vertices[:, 0] ** 2
    return np.where(ear, -0.3, vertices[:, 1] - line).astype(np.float32)


def _beard(x: Floats, y: Floats) -> Floats:
    """Return where stubble grows: jaw, chin and upper lip."""
    x = np.abs(x)
    jaw = np.clip((np.interp(x, [0, 0.2, 0.33, 0.6, 0.75], [6.52, 6.5, 6.62, 6.85, 7.2]) - y) / 0.08, 0, 1)
    lip = stroke(x, y, np.array([[0, 6.83], [0.18, 6.8], [0.32, 6.68], [0.34, 6.5]], np.float32), 0.06)
    return np.asarray(np.maximum(jaw, lip), np.float32)


def _lips_middle(vertices: Floats) -> Ints:
    """Return the vertices about the middle of the closed mouth."""
    x, y, z = vertices.T
    return np.flatnonzero((np.abs(x) < 0.06) & (np.abs(y - 6.65) < 0.05) & (z > 1.4)).astype(np.int32)


def _seat_teeth(mesh: Mesh) -> Floats:
    """Return the vertices with the upper teeth lower and the tongue further back, where an open mouth shows them; and
    the teeth in a narrower arch, so that they stay behind the corners of a mouth that is drawn wide."""
    vertices = mesh.vertices.copy()
    for part, offset in (
        (Part.UPPER_TEETH, (0, -0.055, -0.04)),
        (Part.LOWER_TEETH, (0, -0.055, -0.06)),
        (Part.TONGUE, (0, -0.10, -0.25)),
    ):
        those = np.unique(mesh.triangles[mesh.part == part])
        vertices[those] = vertices[those] * floats(0.86, 1, 1) + floats(*offset)
    return vertices
