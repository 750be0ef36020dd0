"""A data set of pictures becomes one of faces: detect, align, crop, and write the pictures and a card."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from coabench.base.files import sha256_of, write_json
from coabench.base.json import parse_json
from coabench.base.jsonlines import InvalidLine, LineWriter, read_lines
from coabench.base.reading import exists, is_file, read_text, why
from coabench.base.version import __version__
from coabench.cropping.card import write_card
from coabench.cropping.faces import FOUND, NONE, SMALL, UNREADABLE, choose
from coabench.cropping.failures import write_sheet
from coabench.cropping.originals import LOG, keep_root
from coabench.dataset import Dataset, Sample
from coabench.detector import Detector, plain
from coabench.errors import UserError
from coabench.inference.loading import Loaded, load_ahead
from coabench.registry.catalog import DatasetChoice
from coabench.registry.detectors import DetectorChoice
from coabench.support.crop_settings import MIN_FACE, CropSettings
from coabench.support.crops import crop_face
from coabench.support.images import READER

MANIFEST = "crops.json"
AHEAD = 8
"""Pictures that are decoded while the detector looks at others."""


@dataclass(frozen=True)
class Policy:
    """Which faces are taken, and what becomes of pictures without one.

    Attributes:
        faces: of several, the largest, the one nearest the picture's centre, or all.
        min_face: the least width and height of a face's box in pixels.
        missing: refuse to write the data set, skip such pictures, or take them whole.
    """

    faces: Literal["largest", "centre", "all"] = "largest"
    min_face: int = MIN_FACE
    missing: Literal["refuse", "skip", "whole"] = "refuse"


@dataclass(frozen=True)
class Outcome:
    """What became of the pictures.

    Attributes:
        card: the new card.
        counts: outcome -> number of pictures.
        several: pictures with more than one face.
        aligned, by_box: faces that were cut out by their landmarks, and by their box.
        failures: name of each picture without a face that could be cut out -> why.
        sheet: the contact sheet of these; None where there is none.
    """

    card: Path
    counts: Mapping[str, int]
    several: int
    aligned: int
    by_box: int
    failures: Mapping[str, str] = field(default_factory=dict)
    sheet: Path | None = None


def crop_dataset(
    choice: DatasetChoice,
    dataset: Dataset,
    detector: DetectorChoice,
    output: Path,
    *,
    data_root: Path | None = None,
    splits: Sequence[str] = (),
    options: Any = None,
    settings: CropSettings | None = None,
    policy: Policy | None = None,
    tick: Callable[[int, int], object] = lambda done, total: None,
) -> Outcome:
    """Write the faces of a data set, and a card for them, into the folder *output*; the pictures stay as they are.

    Pictures that an earlier, interrupted call with the same settings has done are not done again.

    Args:
        data_root: the folder of the pictures.
        splits: of the data set; all where none is named.
        options: the detector's.
        tick: called with the number of pictures done, and of all.

    Raises:
        UserError: the folder holds something else, or, by the policy, there are pictures without a face.
    """
    settings, policy = settings or CropSettings(), policy or Policy()
    _check_outside(output, choice.folder or data_root)
    samples = _samples(dataset, splits)
    wanted = _manifest(choice, dataset, samples, detector, options, settings, policy)
    try:
        manifest = _prepare(output, wanted)
        keep_root(output, choice.folder or data_root)
        digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
        images = output / f"crops-{digest[:12]}"
        rows = {key: row for key, row in _read_log(output / LOG).items() if _are_there(row, images)}
        tick(len(rows), len(samples))
        with LineWriter(output / LOG) as log:
            worker = _Cropper(detector.open(options), images, settings, policy)
            for row in worker.rows([s for s in samples if s.id not in rows]):
                log.append([row])
                rows[row["id"]] = row
                tick(len(rows), len(samples))
        return _finish(choice, output, images, samples, rows, manifest, policy)
    except OSError as error:
        raise UserError(f"{output} cannot be written", found=why(error), remedy="choose another --output") from None


def _samples(dataset: Dataset, splits: Sequence[str]) -> list[Sample]:
    """Return the samples of these splits, of all that the card has where none is named."""
    samples: list[Sample] = []
    for split in splits or dataset.card.splits:
        try:
            samples += dataset.samples(split)
        except UserError as error:
            if splits:
                raise
            named = "where this copy has only some splits, name them with --split"
            raise UserError(
                error.problem, expected=error.expected, found=error.found,
                remedy=f"{error.remedy}; {named}" if error.remedy else named,
            ) from None  # fmt: skip
    if not samples:
        raise UserError(f"{dataset.card.name} has no samples")
    return samples


def _check_outside(output: Path, data_root: Path | None) -> None:
    """Refuse to write among the pictures: a loader that lists a folder would take the faces for some of them."""
    if data_root is not None and output.resolve().is_relative_to(data_root.resolve()):
        raise UserError(
            f"--output {output} lies in the folder of the data set", expected="a folder outside of it",
            found=str(data_root), remedy="choose another --output",
        )  # fmt: skip


def _manifest(
    choice: DatasetChoice,
    dataset: Dataset,
    samples: Sequence[Sample],
    detector: DetectorChoice,
    options: Any,
    settings: CropSettings,
    policy: Policy,
) -> dict[str, Any]:
    """Return all that decides what the crops are, but the bytes of the pictures, whose hashes are in the log."""
    return {
        "schema": 1,
        "coabench": __version__,
        "images": READER,
        "dataset": {
            "name": choice.card.name,
            "labels": choice.card.space.digest,
            "fingerprints": {split: dataset.fingerprint(split) for split in dict.fromkeys(s.split for s in samples)},
            "more": dict(dataset.identity()),
        },
        "detector": detector.identity(options),
        "crop": asdict(settings),
        "faces": policy.faces,
        "min_face": policy.min_face,
    }


def _prepare(output: Path, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Make the folder, or see that it was begun with the same settings; return the manifest that it holds."""
    if exists(output / MANIFEST):
        try:
            begun: dict[str, Any] = parse_json(read_text(output / MANIFEST))
            same = {**begun, "crop": asdict(CropSettings(**begun["crop"]))} == json.loads(json.dumps(manifest))
        except (ValueError, TypeError, KeyError, UserError):
            same = False
        if not same:
            raise UserError(
                f"{output} holds crops of other pictures, or other settings ({MANIFEST} says which)",
                remedy="choose another --output, or repeat the settings",
            )
        return begun  # begun before a setting was known, it lacks that one's default
    if exists(output) and any(output.iterdir()):
        raise UserError(f"{output} is not empty", expected="a new or empty folder", remedy="choose another --output")
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / MANIFEST, manifest)
    return manifest


def _read_log(path: Path) -> dict[str, dict[str, Any]]:
    try:
        return {line.data["id"]: line.data for line in read_lines(path)}
    except (InvalidLine, KeyError) as error:
        raise UserError(f"{path} is damaged", found=str(error), remedy="choose another --output") from None


def _are_there(row: Mapping[str, Any], images: Path) -> bool:
    """Whether all crops of a row are as they were written."""
    return all(
        is_file(images / crop["file"]) and sha256_of(images / crop["file"]) == crop["sha256"] for crop in row["crops"]
    )


class _Cropper:
    """Detects and cuts out; its rows are what the log keeps of every picture."""

    def __init__(self, detector: Detector, images: Path, settings: CropSettings, policy: Policy) -> None:
        self.detector, self.images, self.settings, self.policy = detector, images, settings, policy

    def rows(self, samples: Sequence[Sample]) -> Iterator[dict[str, Any]]:
        loaded = load_ahead((s.image for s in samples), lambda _, image: image, lambda: AHEAD, 1)
        for sample, picture in zip(samples, loaded, strict=True):
            yield {"id": sample.id, "image": sample.image.name, "sha256": picture.sha256, **self._row(sample, picture)}

    def _row(self, sample: Sample, picture: Loaded) -> dict[str, Any]:
        import numpy as np

        if picture.error is not None:
            return {"outcome": UNREADABLE, "problem": picture.error, "crops": []}
        frame = np.ascontiguousarray(np.asarray(picture.prepared))
        faces = [plain(face) for face in self.detector.detect(frame)]
        chosen = choose(faces, picture.prepared, self.policy.faces, self.policy.min_face)
        crops = []
        for number, face in enumerate(chosen, start=1):
            name = f"{hashlib.sha256(sample.id.encode()).hexdigest()[:20]}-{number}.png"
            self.images.mkdir(exist_ok=True)
            crop_face(frame, face, self.settings).save(self.images / name)
            digest = sha256_of(self.images / name)
            crops.append(
                {"file": name, "sha256": digest, "box": face.box, "score": face.score, "landmarks": face.landmarks}
            )
        outcome = FOUND if chosen else SMALL if faces else NONE
        return {"outcome": outcome, "size": list(picture.prepared.size), "faces": len(faces), "crops": crops}


def _finish(
    choice: DatasetChoice,
    output: Path,
    images: Path,
    samples: Sequence[Sample],
    rows: Mapping[str, Mapping[str, Any]],
    manifest: Mapping[str, Any],
    policy: Policy,
) -> Outcome:
    failed = [s for s in samples if rows[s.id]["outcome"] != FOUND]
    failures = {s.image.name: rows[s.id].get("problem", rows[s.id]["outcome"]) for s in failed}
    sheet = write_sheet(output / "failures.png", failed, failures) if failed else None
    counts = Counter(str(rows[s.id]["outcome"]) for s in samples)
    if failed and policy.missing == "refuse":
        listed = ", ".join(f"{name} ({reason})" for name, reason in list(failures.items())[:3])
        raise UserError(
            f"no face to cut out in {len(failed):,} of {len(samples):,} pictures",
            found=listed + (", …" if len(failed) > 3 else ""),
            remedy=f"look at {sheet}, and repeat with --missing skip (leave them out) or --missing whole (take the "
            "whole picture); what is done is not done again",
        )
    if len(failed) == len(samples) and (policy.missing == "skip" or set(counts) == {UNREADABLE}):
        raise UserError(
            "no picture has a face that can be cut out", remedy=f"look at {sheet}, or try another --detector"
        )
    card = write_card(choice, output, images, samples, rows, manifest, policy.missing)
    several = sum(rows[s.id].get("faces", 0) > 1 for s in samples)
    crops = [crop for s in samples for crop in rows[s.id]["crops"]]
    aligned = sum(crop["landmarks"] is not None for crop in crops) if manifest["crop"]["align"] else 0
    return Outcome(card, counts, several, aligned, len(crops) - aligned, failures, sheet)
