"""The card of a cropped data set, and the table of its faces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from coabench.base.files import write_text
from coabench.base.jsonlines import encode
from coabench.base.vocabulary import SUBJECT
from coabench.dataset import Card, Sample
from coabench.inference.loading import read_image
from coabench.registry.catalog import DatasetChoice
from coabench.support.crop_settings import CropSettings

TABLE, CARD = "faces.jsonl", "card.yaml"


def write_card(
    choice: DatasetChoice,
    output: Path,
    images: Path,
    samples: Sequence[Sample],
    rows: Mapping[str, Mapping[str, Any]],
    manifest: Mapping[str, Any],
    missing: str,
) -> Path:
    """Write the table of faces and ``card.yaml``; return its path. A run's identity holds the folder of the crops,
    whose name is a hash of the manifest."""
    import yaml

    card = choice.card
    attributes = sorted({name for s in samples for name in s.attributes} - {SUBJECT})
    table: list[dict[str, Any]] = []
    for sample in samples:
        known = {f"attribute {number}": sample.attributes.get(name) for number, name in enumerate(attributes)}
        person = {SUBJECT: sample.attributes[SUBJECT]} if SUBJECT in sample.attributes else {}
        base = {"label": sample.target, "split": sample.split, **person, **known}
        for key, file in _files(sample, rows[sample.id], images, missing == "whole"):
            table.append({"id": key, "image": file, **base})
    write_text(output / TABLE, b"".join(map(encode, table)).decode())
    has_subject = any(SUBJECT in row for row in table)
    content = {
        "schema": 1,
        "name": f"{card.name}-cropped",
        "title": f"{card.title}, faces cut out",
        "loader": "faces",
        "description": card.description,
        "homepage": card.homepage,
        "access": card.access,
        "terms": card.terms,
        "citation": card.citation,
        "labels": choice.described_labels,
        "splits": [split for split in card.splits if any(row["split"] == split for row in table)],
        "options": {
            "table": TABLE,
            "image": images.name + "/{image}",
            "id": "id",
            **({"subject": SUBJECT} if has_subject else {}),
            **({"attributes": {n: f"attribute {i}" for i, n in enumerate(attributes)}} if attributes else {}),
            "notes": [_note(card, manifest, missing)],
        },
    }
    path = output / CARD
    write_text(path, yaml.safe_dump({k: v for k, v in content.items() if v}, sort_keys=False, allow_unicode=True))
    return path


def _note(card: Card, manifest: Mapping[str, Any], missing: str) -> str:
    """Return what every run of the faces says of them."""
    crop = CropSettings(**manifest["crop"])
    how = "aligned where there are landmarks" if crop.align else f"by the {'squared ' if crop.square else ''}box"
    return (
        f"faces of {card.name} cut out by {manifest['detector']['name']}, {how}, margin {crop.margin:g}, "
        f"padding {crop.padding}, size {crop.size or 'as in the picture'}, faces {manifest['faces']}, "
        f"pictures without a face: {missing}"
    )


def _files(sample: Sample, row: Mapping[str, Any], images: Path, whole: bool) -> Iterator[tuple[str, str]]:
    """Yield id and file of each face of a picture; of the whole picture where it has none and *whole* asks for it."""
    key = sample.id.partition("/")[2]
    for number, crop in enumerate(row["crops"], start=1):
        yield key if number == 1 else f"{key}#{number}", crop["file"]
    if not row["crops"] and whole and "problem" not in row:
        import hashlib

        name = f"{hashlib.sha256(sample.id.encode()).hexdigest()[:20]}-whole.png"
        images.mkdir(exist_ok=True)
        read_image(sample.image).image.save(images / name)
        yield key, name
