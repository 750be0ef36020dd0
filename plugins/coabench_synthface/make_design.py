"""Making a design: its pictures, in the layout of any other set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from coabench_synthface.designs import PERSONS, Stimulus, attributes, draft, stimuli
from coabench_synthface.make import Progress, require_empty, run_over, versions, write_list

SIZE = 100
"""Width and height of a picture by default, pixels."""

SPLIT = "test"


def make_design(
    folder: Path,
    design: str,
    *,
    subsets: Sequence[str],
    seed: int,
    persons: int | None = None,
    size: int = SIZE,
    workers: int = 1,
    progress: Progress | None = None,
) -> None:
    """Write the pictures of a design, all in the split ``test``; see `coabench_synthface.make.make_set`.

    Args:
        design: a key of `coabench_synthface.designs.LEVELS`.
        subsets: of ``basic`` and ``compound``.
        persons: how many; by default what `PERSONS` says.
        size: width and height of the pictures, pixels.

    Raises:
        UserError: the folder is not empty, or the 3-D assets are not installed.
    """
    require_empty(folder)
    persons = persons or PERSONS[design]
    keys = [key for subset in subsets for key in stimuli(design, subset, persons)]
    made_with = versions()
    (folder / "images" / SPLIT).mkdir(parents=True)
    lines = []
    for line in run_over(partial(make_one, folder, seed, size), keys, workers):
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
        if progress:
            progress(len(lines), len(keys))
    counts = {subset: {SPLIT: sum(key.subset == subset for key in keys)} for subset in subsets}
    about = {"design": design, "seed": seed, "persons": persons, "size": size, "counts": counts, "versions": made_with}
    write_list(folder, lines, about)


def make_one(folder: Path, seed: int, size: int, key: Stimulus) -> dict[str, Any]:
    """Write one picture and return its line of ``samples.jsonl``."""
    from PIL import Image

    from coabench_synthface.landmarks import landmarks
    from coabench_synthface.render import encode, render

    drawn = draft(seed, key)
    picture = render(drawn.person, drawn.expression, drawn.scene, drawn.rng, size)
    if key.varied == "resolution" and key.level != size:
        size = key.level
        picture = picture.resize((size, size), Image.Resampling.BOX)
    data = encode(picture, drawn.scene.quality)
    file = f"images/{SPLIT}/{key.id}.jpg"
    (folder / file).write_bytes(data)
    return {
        "id": key.id,
        "file": file,
        "subset": key.subset,
        "split": SPLIT,
        "target": key.label,
        "sha256": hashlib.sha256(data).hexdigest(),
        "attributes": attributes(key, drawn),
        "landmarks": [[round(x, 1), round(y, 1)] for x, y in landmarks(drawn, size)],
    }
