"""The rasteriser: which triangle covers each pixel, and the normals of a mesh. Compiled with numba."""

from __future__ import annotations

import math

import numpy as np

from coabench_synthface.assets import Floats, Ints
from coabench_synthface.compiled import compiled


@compiled
def rasterise(points: Floats, triangles: Ints, height: int, width: int) -> tuple[Ints, Floats]:
    """Draw triangles with a z-buffer.

    Args:
        points: (V, 3) x right and y down in pixels, and depth, larger is nearer.
        triangles: (T, 3) indices of points, counter-clockwise where their outer side is seen; the others are left out.

    Returns:
        (height, width) the triangle in front, -1 where there is none; and (height, width, 3) where in it the centre
        of the pixel lies, in barycentric coordinates.
    """
    front = np.full((height, width), -1, np.int32)
    inside = np.zeros((height, width, 3), np.float32)
    nearest = np.full((height, width), -np.inf, np.float32)
    for t in range(len(triangles)):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = points[i, 0], points[i, 1], points[i, 2]
        bx, by, bz = points[j, 0], points[j, 1], points[j, 2]
        cx, cy, cz = points[k, 0], points[k, 1], points[k, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area > -1e-9:  # y points down, so what is seen from outside turns the other way
            continue
        left = max(math.ceil(min(ax, bx, cx) - 0.5), 0)
        right = min(math.floor(max(ax, bx, cx) - 0.5), width - 1)
        top = max(math.ceil(min(ay, by, cy) - 0.5), 0)
        bottom = min(math.floor(max(ay, by, cy) - 0.5), height - 1)
        for row in range(top, bottom + 1):
            y = row + 0.5
            for column in range(left, right + 1):
                x = column + 0.5
                u = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                v = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                w = 1.0 - u - v
                if u < 0.0 or v < 0.0 or w < 0.0:
                    continue
                depth = u * az + v * bz + w * cz
                if depth > nearest[row, column]:
                    nearest[row, column] = depth
                    front[row, column] = t
                    inside[row, column, 0] = u
                    inside[row, column, 1] = v
                    inside[row, column, 2] = w
    return front, inside


@compiled
def normals(vertices: Floats, triangles: Ints) -> Floats:
    """Return (V, 3) unit normals, each the mean of the triangles around a vertex, weighted by their areas."""
    out = np.zeros_like(vertices)
    for t in range(len(triangles)):
        i, j, k = triangles[t]
        ex, ey, ez = vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2]
        fx, fy, fz = vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2]
        for at in (i, j, k):
            out[at, 0] += ey * fz - ez * fy
            out[at, 1] += ez * fx - ex * fz
            out[at, 2] += ex * fy - ey * fx
    for v in range(len(out)):
        length = np.sqrt(out[v, 0] ** 2 + out[v, 1] ** 2 + out[v, 2] ** 2)
        if length > 0.0:
            out[v] /= length
    return out


@compiled
def hollowness(vertices: Floats, directions: Floats, triangles: Ints) -> Floats:
    """Return (V,) how far the neighbours of a vertex rise above it along its normal, in units of their distance.

    Positive in creases and corners, negative on ridges: a cheap stand-in for ambient occlusion.
    """
    rise = np.zeros(len(vertices), np.float32)
    reach = np.zeros(len(vertices), np.float32)
    for t in range(len(triangles)):
        for side in range(3):
            i, j = triangles[t, side], triangles[t, (side + 1) % 3]
            x = vertices[j, 0] - vertices[i, 0]
            y = vertices[j, 1] - vertices[i, 1]
            z = vertices[j, 2] - vertices[i, 2]
            distance = math.sqrt(x * x + y * y + z * z)
            rise[i] += x * directions[i, 0] + y * directions[i, 1] + z * directions[i, 2]
            rise[j] -= x * directions[j, 0] + y * directions[j, 1] + z * directions[j, 2]
            reach[i] += distance
            reach[j] += distance
    return (rise / np.maximum(reach, np.float32(1e-6))).astype(np.float32)
