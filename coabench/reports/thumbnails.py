"""The images of a run's samples, small, as data URIs: from the data set, and only if they are still the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.base.vocabulary import ERROR
from coabench.cropping.originals import Original, read_originals
from coabench.cropping.step import NAME as CROP
from coabench.cropping.step import cut_again
from coabench.dataset import Dataset
from coabench.errors import SampleError
from coabench.inference.loading import load_ahead, read_image
from coabench.registry.catalog import DatasetChoice
from coabench.runs.identity import RunIdentity
from coabench.support.thumbnails import SIDE, encoded, small, thumbnail

if TYPE_CHECKING:
    from PIL.Image import Image


SEEN = ("id", "image", "image_sha256", "status", "preparation")
"""The fields of a record that are about its picture."""
MARK, BLANK = (255, 64, 0), (232, 232, 232)
"""The colour of a face's box, and of a picture that is not here."""


@dataclass(frozen=True)
class Thumbnails:
    """The images of samples, by id, as JPEG in data URIs.

    Attributes:
        images: as the model saw them.
        originals: the pictures that they were cut out of, where they were, with the box of the face; a grey one where
            that picture is not here.
        left_out: how many samples have none, by reason.
    """

    images: Mapping[str, str]
    originals: Mapping[str, str]
    left_out: Mapping[str, int]


def open_dataset(choice: DatasetChoice, root: Path | None, identity: RunIdentity) -> Dataset:
    """Open the data set with the options that a run recorded; `UserError` where it is not there."""
    declared = choice.loader.load().Options
    recorded = identity.dataset.to_json()
    chosen = {field.name: recorded[field.name] for field in fields(declared) if field.name in recorded}
    return choice.open(root, declared(**chosen))


def thumbnails(
    records: Iterable[Mapping[str, Any]],
    choice: DatasetChoice,
    root: Path | None,
    identity: RunIdentity,
    side: int = SIDE,
) -> Thumbnails:
    """Read the images of the samples, matched by id.

    An image whose bytes are not those that the run saw (``image_sha256``) is left out, so that no page shows a picture
    beside an answer to another.

    Args:
        records: of the run; read once.
        choice: the data set.
        root: the data root; None where the user gave none.
        identity: of the run.
        side: the longer side of an image, at most, in pixels.

    Raises:
        UserError: the data set is not there, needs a data root, or has no such split.
    """
    dataset = open_dataset(choice, root, identity)
    sources = {sample.id: sample.image for sample in dataset.samples(identity.dataset.split)}
    seen: list[dict[str, Any]] = [{key: record.get(key) for key in SEEN} for record in records]
    known = [record for record in seen if record["id"] in sources]
    images: dict[str, str] = {}
    originals = _originals(choice, known, side)
    left_out = {"not in the data set": len(seen) - len(known), "not the image that the run saw": 0, "unreadable": 0}
    crop = next((step for step in identity.preparation or () if step.get("step") == CROP), None)

    def prepare(position: int, image: Image) -> tuple[str | None, str | None]:
        facts = (known[position].get("preparation") or {}).get(CROP)
        if crop is None or facts is None:
            return thumbnail(image, side), None
        if facts["box"] is None:  # an error, or taken whole
            return (None if known[position]["status"] == ERROR else thumbnail(image, side)), thumbnail(image, side)
        marked = encoded(_marked(image, facts["box"], image.size, side))
        return encoded(cut_again(image, facts, crop, side)), marked

    loaded = load_ahead((sources[record["id"]] for record in known), prepare, ahead=lambda: 32)
    for record, image in zip(known, loaded, strict=True):
        if image.error is not None or image.sha256 != record.get("image_sha256"):
            left_out["unreadable" if image.error is not None else "not the image that the run saw"] += 1
            originals.pop(record["id"], None)
            continue
        for pictures, picture in zip((images, originals), image.prepared, strict=True):
            if picture is not None:
                pictures[record["id"]] = picture
    return Thumbnails(images, originals, {reason: n for reason, n in left_out.items() if n})


def _originals(choice: DatasetChoice, records: Sequence[Mapping[str, Any]], side: int) -> dict[str, str]:
    """Return the pictures that the faces of a data set of `coabench datasets crop` were cut out of, by sample."""
    known = read_originals(choice.card)
    cut = {r["id"]: known[name] for r in records if (name := str(r.get("image")).rpartition("/")[2]) in known}
    return {id: encoded(_original(original, side)) for id, original in cut.items()}


def _original(original: Original, side: int) -> Image:
    from PIL import Image

    if original.file is not None:
        with suppress(SampleError):
            picture = read_image(original.file)
            if picture.sha256 == original.sha256:
                return _marked(picture.image, original.box, original.size, side)
    scale = min(side / max(original.size), 1)
    width, height = (max(round(length * scale), 1) for length in original.size)
    return _marked(Image.new("RGB", (width, height), BLANK), original.box, original.size, side)


def _marked(image: Image, box: Sequence[int], size: tuple[int, int], side: int) -> Image:
    """Return a small copy with the box of a face in it, which is in pixels of a picture of this *size*."""
    from PIL import ImageDraw

    marked = small(image, side)
    left, top, right, bottom = (round(x * max(marked.size) / max(size)) for x in box)
    ImageDraw.Draw(marked).rectangle((left, top, max(right - 1, left), max(bottom - 1, top)), outline=MARK, width=2)
    return marked
