"""Whether the images of a run that is continued are those that its records are about."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from coabench.base.text import plural
from coabench.dataset import ImageSource, Sample
from coabench.errors import UserError
from coabench.inference.preparation import original
from coabench.runs.run import Run

WORKERS = 4


def check_unchanged(runs: Sequence[Run], samples: Sequence[Sample]) -> None:
    """Compare the bytes of the images of *samples* with what the records of *runs* say of them.

    An image that is gone is no matter: its record stands. Only names and sizes of images are part of the identity of a
    run, so that a run of another folder with the same names and sizes would be continued as this one.

    Raises:
        UserError: an image is another now; nothing was written.
    """
    recorded = [{r["id"]: r["image_sha256"] for r in run.recorded if r["image_sha256"] is not None} for run in runs]
    asked = [sample for sample in samples if any(sample.id in hashes for hashes in recorded)]
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="hash") as pool:
        now = dict(zip((s.id for s in asked), pool.map(_hash, (s.image for s in asked)), strict=True))
    for run, hashes in zip(runs, recorded, strict=True):
        if changed := [id for id, then in hashes.items() if _differs(now, id, then)]:
            raise UserError(
                f"the images are not those that the records in {run.directory} are about",
                expected="the images that the run began with",
                found=f"{plural(len(changed), 'image')} that changed since: {', '.join(changed[:3])}"
                + (" …" if len(changed) > 3 else ""),
                remedy="restore the images, or start anew with --overwrite",
            )


def _differs(now: Mapping[str, str | None], id: str, then: str) -> bool:
    return now.get(id) is not None and now[id] != then


def _hash(source: ImageSource) -> str | None:
    with suppress(OSError):
        return hashlib.sha256(original(source).read()).hexdigest()
    return None
