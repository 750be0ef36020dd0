"""The colour of every pixel: skin, hair, eyes, teeth and mouth under one key light. Compiled with numba."""

from __future__ import annotations

import math

import numpy as np

from coabench_synthface.assets import Floats, Ints
from coabench_synthface.compiled import compiled

SCLERA = (0.62, 0.58, 0.55)
TOOTH = (0.62, 0.56, 0.46)
TONGUE = (0.36, 0.12, 0.11)
MOUTH = (0.10, 0.022, 0.020)


@compiled
def shade(
    front: Ints,
    inside: Floats,
    triangles: Ints,
    part: Ints,
    points: Floats,
    directions: Floats,
    attributes: Floats,
    paint: Floats,
    hair: Floats,
    eyes: Floats,
    light: Floats,
) -> Floats:
    """Shade what `raster.rasterise` returns.

    Args:
        front, inside: (H, W) and (H, W, 3), of the rasteriser.
        triangles, part: (T, 3) and (T,).
        points, directions: (V, 3) positions and unit normals, camera coordinates (x right, y up, z to the camera).
        attributes: (V, 4) column and row on the canvas, depth inside the hairline, light that reaches it (0–1).
        paint: the painted canvas: linear RGB and gloss.
        hair: (5,) linear RGB, opacity, strength of the strands.
        eyes: (2, 12) per eye: centre, gaze (unit), iris RGB, radius, sine of the iris's angle, pupil as a part of it.
        light: (3, 3) direction to the key light, its colour, the colour of the light from everywhere.

    Returns:
        (H, W, 4) linear RGB and coverage, 0 or 1.
    """
    height, width = front.shape
    out = np.zeros((height, width, 4), np.float32)
    half = light[0] + np.array([0.0, 0.0, 1.0], np.float32)
    half /= math.sqrt(half[0] ** 2 + half[1] ** 2 + half[2] ** 2)
    for row in range(height):
        for column in range(width):
            t = front[row, column]
            if t < 0:
                continue
            i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            u, v, w = inside[row, column, 0], inside[row, column, 1], inside[row, column, 2]
            nx, ny, nz = _mix(directions, i, j, k, u, v, w)
            length = max(math.sqrt(nx * nx + ny * ny + nz * nz), 1e-6)
            nx, ny, nz = nx / length, ny / length, nz / length
            x, y, depth = _mix(attributes, i, j, k, u, v, w)
            kind, reached = part[t], u * attributes[i, 3] + v * attributes[j, 3] + w * attributes[k, 3]
            point = _mix(points, i, j, k, u, v, w)
            r, g, b, gloss, shininess, wrap, reached = _material(kind, x, y, depth, reached, point, paint, hair, eyes)
            lit = nx * light[0, 0] + ny * light[0, 1] + nz * light[0, 2]
            sky = (0.72 + 0.28 * ny) * reached
            direct = reached if kind > 2 else 0.45 + 0.55 * reached
            spark = max(nx * half[0] + ny * half[1] + nz * half[2], 0.0) ** shininess * gloss * direct
            for c in range(3):
                soft = wrap * (0.28 if c == 0 else 0.16 if c == 1 else 0.12)
                key = max((lit + soft) / (1.0 + soft), 0.0) * direct
                albedo = r if c == 0 else g if c == 1 else b
                out[row, column, c] = albedo * (light[2, c] * sky + light[1, c] * key) + spark * light[1, c]
            out[row, column, 3] = 1.0
    return out


@compiled
def _material(
    kind: int,
    x: float,
    y: float,
    depth: float,
    reached: float,
    point: tuple[float, float, float],
    paint: Floats,
    hair: Floats,
    eyes: Floats,
) -> tuple[float, float, float, float, float, float, float]:
    """Return colour, gloss, shininess, softness and the light that reaches a point, by the kind of its part."""
    gloss, shininess, wrap = 0.0, 18.0, 0.0
    r, g, b = MOUTH
    if kind == 0:
        r, g, b, gloss = _lookup(paint, x, y)
        gloss, wrap = 0.09 * gloss, 1.0
        strand = _strand(x, y) if depth > -0.1 else 0.0
        covered = min(max((depth + 0.015 * strand) / 0.10 + 0.5, 0.0), 1.0) * hair[3]
        if covered > 0.0:
            tone = 1.0 + hair[4] * strand
            r += covered * (hair[0] * tone - r)
            g += covered * (hair[1] * tone - g)
            b += covered * (hair[2] * tone - b)
            gloss = gloss * (1.0 - covered) + 0.05 * covered
    elif kind <= 2:
        r, g, b, reached = _eye(eyes, kind - 1, point[0], point[1], point[2])
        gloss, shininess = 0.5, 140.0
    elif kind <= 4:
        r, g, b = TOOTH
        lateral = (x - 0.5 * paint.shape[1]) / (0.1 * paint.shape[1])
        gloss, reached = 0.1, min(max(1.25 - lateral * lateral, 0.02), 1.0)
    elif kind == 5:
        r, g, b = TONGUE
        gloss, reached = 0.1, 0.45
    return r, g, b, gloss, shininess, wrap, reached


@compiled
def _mix(values: Floats, i: int, j: int, k: int, u: float, v: float, w: float) -> tuple[float, float, float]:
    """Return the first three values of a triangle's corners, weighted. Scalars: arrays would be allocated anew."""
    return (
        u * values[i, 0] + v * values[j, 0] + w * values[k, 0],
        u * values[i, 1] + v * values[j, 1] + w * values[k, 1],
        u * values[i, 2] + v * values[j, 2] + w * values[k, 2],
    )


@compiled
def _lookup(paint: Floats, x: float, y: float) -> tuple[float, float, float, float]:
    """Return colour and gloss of the canvas at a column and row, interpolated."""
    x = min(max(x - 0.5, 0.0), paint.shape[1] - 1.001)
    y = min(max(y - 0.5, 0.0), paint.shape[0] - 1.001)
    i, j = int(y), int(x)
    f, g = y - i, x - j
    a, b, c, d = (1 - f) * (1 - g), (1 - f) * g, f * (1 - g), f * g
    return (
        a * paint[i, j, 0] + b * paint[i, j + 1, 0] + c * paint[i + 1, j, 0] + d * paint[i + 1, j + 1, 0],
        a * paint[i, j, 1] + b * paint[i, j + 1, 1] + c * paint[i + 1, j, 1] + d * paint[i + 1, j + 1, 1],
        a * paint[i, j, 2] + b * paint[i, j + 1, 2] + c * paint[i + 1, j, 2] + d * paint[i + 1, j + 1, 2],
        a * paint[i, j, 3] + b * paint[i, j + 1, 3] + c * paint[i + 1, j, 3] + d * paint[i + 1, j + 1, 3],
    )


@compiled
def _strand(x: float, y: float) -> float:
    """Return an irregular pattern, -1 – 1, of lines that run down the head."""
    bend = 3.0 * math.sin(0.03 * y + 0.6)
    return 0.5 * math.sin(1.2 * x + bend) + 0.3 * math.sin(0.5 * x + 0.07 * y) + 0.2 * math.sin(2.5 * x + 0.15 * y)


@compiled
def _eye(eyes: Floats, which: int, x: float, y: float, z: float) -> tuple[float, float, float, float]:
    """Return the colour of a point of an eyeball, and the light that reaches it below the lid."""
    eye = eyes[which]
    dx, dy, dz = x - eye[0], y - eye[1], z - eye[2]
    length = max(math.sqrt(dx * dx + dy * dy + dz * dz), 1e-6)
    along = (dx * eye[3] + dy * eye[4] + dz * eye[5]) / length
    off = math.sqrt(max(1.0 - along * along, 0.0)) / eye[10] if along > 0.0 else 9.0
    reached = min(max(0.75 - 1.1 * dy / eye[9], 0.35), 1.0) * min(max(1.5 - 0.9 * abs(dx) / eye[9], 0.4), 1.0)
    edge = min(max((1.08 - off) / 0.16, 0.0), 1.0)
    dark = min(max((off - 0.80) / 0.25, 0.0), 1.0)
    hole = min(max((eye[11] - off) / 0.12 + 0.5, 0.0), 1.0)
    tone = (1.15 - 0.65 * dark) * (1.0 - 0.96 * hole)
    r = SCLERA[0] + edge * (eye[6] * tone - SCLERA[0])
    g = SCLERA[1] + edge * (eye[7] * tone - SCLERA[1])
    b = SCLERA[2] + edge * (eye[8] * tone - SCLERA[2])
    return r, g, b, reached
