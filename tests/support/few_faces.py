"""A small set of synthetic faces: the first pictures of the one that ships."""

import json
from collections import Counter
from pathlib import Path

from coabench_synthface.folder import SAMPLES, SET, SetFolder
from coabench_synthface.shipped import open_shipped


def few_faces(folder: Path, each: int = 1) -> Path:
    """Write a set with *each* pictures of every label of both test splits, for ``--data-root``; return the folder."""
    shipped = SetFolder(open_shipped())
    taken: Counter[tuple[str, str]] = Counter()
    lines = []
    for line in shipped.samples:
        label = line["subset"], line["target"]
        if line["split"] == "test" and taken[label] < each:
            taken[label] += 1
            lines.append(line)
            (folder / line["file"]).parent.mkdir(parents=True, exist_ok=True)
            (folder / line["file"]).write_bytes(shipped.files.read(line["file"]))
    counts: dict[str, dict[str, dict[str, int]]] = {"basic": {"test": {}}, "compound": {"test": {}}}
    for (subset, target), number in taken.items():
        counts[subset]["test"][target] = number
    (folder / SAMPLES).write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / SET).write_text(json.dumps({**shipped.description, "counts": counts}))
    return folder
