"""The images of a run's samples, small, as data URIs: from the data set, and only if they are still the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from coabench.inference.loading import load_ahead
from coabench.registry.catalog import DatasetChoice
from coabench.support.thumbnails import thumbnail


@dataclass(frozen=True)
class Thumbnails:
    """Sample id -> JPEG as a data URI; and how many samples have none, by reason."""

    images: Mapping[str, str]
    left_out: Mapping[str, int]


def thumbnails(
    records: Sequence[Mapping[str, Any]], choice: DatasetChoice, root: Path | None, identity: Mapping[str, Any]
) -> Thumbnails:
    """Read the images of the samples, matched by id.

    An image whose bytes are not those that the run saw (``image_sha256``) is left out, so that no page shows a picture
    beside an answer to another.

    Args:
        records: of a run.
        choice: the data set.
        root: the data root; None where the user gave none.
        identity: what the manifest's identity says of the data set: its split, and the options of its loader.

    Raises:
        UserError: the data set is not there, needs a data root, or has no such split.
    """
    declared = choice.loader.load().Options
    chosen = {field.name: identity[field.name] for field in fields(declared) if field.name in identity}
    dataset = choice.open(root, declared(**chosen))
    sources = {sample.id: sample.image for sample in dataset.samples(identity["split"])}
    known = [record for record in records if record["id"] in sources]
    images: dict[str, str] = {}
    left_out = {"not in the data set": len(records) - len(known), "not the image that the run saw": 0, "unreadable": 0}
    loaded = load_ahead(
        (sources[record["id"]] for record in known), lambda _, image: thumbnail(image), ahead=lambda: 32
    )
    for record, image in zip(known, loaded, strict=True):
        if image.error is not None:
            left_out["unreadable"] += 1
        elif image.sha256 != record.get("image_sha256"):
            left_out["not the image that the run saw"] += 1
        else:
            images[record["id"]] = image.prepared
    return Thumbnails(images, {reason: n for reason, n in left_out.items() if n})
