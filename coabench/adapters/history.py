"""The record of several trainings as one: what was made of them has seen the images of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from coabench.base.json import read_json
from coabench.runs.adapter import MANIFEST, TrainingRecord
from coabench.runs.learnt import LearntImages


def joined(records: Sequence[TrainingRecord]) -> dict[str, Any] | None:
    """Return the manifest of the first training, with the data and images of all; None where none has a manifest.

    What an adapter learnt from that one of the trainings began with is among them.
    """
    known = [record for record in records if record.identity is not None and record.folder is not None]
    if not known:
        return None
    manifest: dict[str, Any] = read_json(known[0].folder / MANIFEST)  # type: ignore[operator]
    for record in known[1:]:
        assert record.identity is not None
        data = [part.to_json() for part in record.identity.seen]
        manifest["identity"]["data"] += [part for part in data if part not in manifest["identity"]["data"]]
    if earlier := [each and each.to_json() for record in known for each in record.earlier]:
        manifest["learnt_earlier"] = earlier
    learnt = [record.learnt for record in known]
    manifest.pop("learnt", None)  # half a record would pass for a whole one
    return {**manifest, **_images([each for each in learnt if each is not None], len(learnt))}


def _images(learnt: Sequence[LearntImages], trainings: int) -> dict[str, Any]:
    if len(learnt) < trainings:
        return {}
    readers = {each.reader for each in learnt}
    hashes: dict[str, str] = {}
    for each in learnt:
        for id, value in each.hashes.items():
            name = id if hashes.get(id, value) == value else f"{id} ({value[:8]})"
            hashes[name] = value
    reader = readers.pop() if len(readers) == 1 else 0  # pixels of several readers are not comparable
    return {
        "learnt": replace(
            learnt[0], reader=reader, changed=max(each.changed for each in learnt), hashes=hashes
        ).to_json()
    }
