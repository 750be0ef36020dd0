"""``--crop``: the face is cut out of every picture as it is read, as ``coabench datasets crop`` cuts it out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import numpy as np

from coabench.base.schema import at_least
from coabench.cropping.faces import choose
from coabench.dataset import Sample
from coabench.detector import Face, Landmarks, Pixels, plain
from coabench.errors import UserError
from coabench.inference.loading import load_ahead
from coabench.inference.preparation import Prepared, Unprepared, original
from coabench.registry.detectors import DetectorChoice, find_detector
from coabench.registry.options import parse_component, read_parameters, spell_component
from coabench.support.crop_settings import MIN_FACE, CropSettings
from coabench.support.crops import crop_face, landmarks_in_crop

if TYPE_CHECKING:
    from PIL.Image import Image

NAME = "crop"
"""What records and identities call the step."""
AHEAD = 8
"""Pictures that are decoded while the detector looks at others."""


@dataclass(frozen=True)
class CropOptions(CropSettings):
    """The parameters of ``--crop DETECTOR:key=value,…``.

    Attributes:
        faces: of several, the largest or the one nearest the picture's centre.
        min_face: the least width and height of a face's box in pixels.
        missing: a picture without a face is an error of that sample, or is taken whole.
        weights: the file of a detector that does not bring its own.
    """

    faces: Literal["largest", "centre"] = "largest"
    min_face: Annotated[int, at_least(1)] = MIN_FACE
    missing: Literal["error", "whole"] = "error"
    weights: Path | None = None


@dataclass(frozen=True)
class CropChoice:
    """``--crop`` as chosen: the detector, which works here, and the parameters."""

    detector: DetectorChoice
    options: CropOptions

    def open(self, detector_options: Any = None) -> FaceCrop:
        """Make the detector ready; `UserError` where it cannot be used."""
        return FaceCrop(self, detector_options)


def find_crop(text: str) -> CropChoice:
    """Return what ``--crop`` asks for: ``NAME:key=value,…``, the name ``auto`` for the best detector that works here.

    Raises:
        UserError: it cannot be read, or there is no such detector here.
    """
    name, parameters = parse_component(text, "--crop")
    if parameters.get("faces") == "all":
        raise UserError(
            "--crop faces=all: a sample has one face", expected="largest or centre",
            remedy="choose one; `coabench datasets crop --faces all` makes a sample of each",
        )  # fmt: skip
    options = read_parameters(CropOptions, parameters, "--crop")
    return CropChoice(find_detector(name, options.weights, weights_option="weights="), options)


class Located(NamedTuple):
    """The face that counts in a picture, None where there is none; and how many were found, the small ones too."""

    face: Face | None
    faces: int

    def to_json(self) -> list[Any]:
        """Return it as `read` takes it."""
        return [self.face and [self.face.box, self.face.score, self.face.landmarks], self.faces]

    @classmethod
    def read(cls, data: Any) -> Located:
        face, faces = data
        if face is None:
            return cls(None, faces)
        box, score, landmarks = face
        return cls(plain(Face(box, score, landmarks)), faces)


class FaceCrop:
    """Cuts the face out of a picture: a step of `coabench.inference.preparation`.

    Pictures are read in several threads, and a detector looks at one at a time, always in the same thread.
    """

    name = NAME

    def __init__(self, choice: CropChoice, detector_options: Any = None) -> None:
        self.options = choice.options
        self._choice, self._detector_options = choice, detector_options
        self._known: dict[str, Located] = {}
        self._start()

    def _start(self) -> None:
        self._detector = self._choice.detector.open(self._detector_options)
        self._thread = ThreadPoolExecutor(1, "detector")
        self._process = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        """Return what a worker process of a data loader needs: it starts a detector of its own where it must."""
        return {**vars(self), "_detector": None, "_thread": None, "_process": None}

    @property
    def spec(self) -> str:
        """How it is typed, the detector by its name and without the path of its weights."""
        return spell_component(
            self._choice.detector.registration.name, CropOptions(**{**asdict(self.options), "weights": None})
        )

    def identity(self) -> Mapping[str, Any]:
        """Return detector, version, libraries, weights, and every parameter."""
        parameters = {key: value for key, value in asdict(self.options).items() if key != "weights"}
        detector = self._choice.detector.identity(self._detector_options)
        return {"spec": self.spec, "detector": detector, **parameters}

    def notes(self) -> Sequence[str]:
        """Return which detector was passed over, and what is shown instead of the pictures."""
        how = "aligned where there are landmarks" if self.options.align else "by their boxes"
        passed_over = [f"passed over {line}" for line in self._choice.detector.passed_over]
        return [*passed_over, f"the model sees faces cut out of the pictures, {how}: --crop {self.spec}"]

    def apply(self, image: Image, key: str, landmarks: Landmarks | None = None) -> Prepared:
        """Return the face; `Unprepared` where there is none, unless the whole picture is taken then."""
        frame = _pixels(image)
        face, faces = self._known.get(key) or self._locate(frame, image)
        facts: dict[str, Any] = {"box": None, "score": None, "faces": faces}
        if face is not None:
            facts |= {"box": list(face.box), "score": face.score}
            facts |= {"landmarks": [list(point) for point in face.landmarks]} if face.landmarks else {}
            made = crop_face(frame, face, self.options)
            known = landmarks_in_crop(face, self.options, image.size, made.size) if face.landmarks else None
            return Prepared(made, facts=facts, landmarks=known)
        detector = self._choice.detector.registration.name
        least = f"no face of {self.options.min_face} pixels, but {faces} smaller" if faces else "no face"
        if self.options.missing == "whole":
            return Prepared(image, (f"{detector} finds {least}: the whole picture was taken",), facts)
        raise Unprepared(f"{detector} finds {least}", facts)

    def locate(self, samples: Sequence[Sample]) -> dict[str, Located]:
        """Return where the faces are, by id; pictures that cannot be read are left out."""
        loaded = load_ahead((original(s.image) for s in samples), lambda _, image: image, lambda: AHEAD, 1)
        return {
            sample.id: self._locate(_pixels(picture.prepared), picture.prepared)
            for sample, picture in zip(samples, loaded, strict=True)
            if picture.error is None
        }

    def remember(self, located: Mapping[str, Located]) -> None:
        """Keep where the faces are, so that no picture is looked at again."""
        self._known.update(located)

    def _locate(self, frame: Pixels, image: Image) -> Located:
        if self._process != os.getpid():  # threads do not follow a fork, and a detector may not
            self._start()
        faces = [plain(face) for face in self._thread.submit(self._detector.detect, frame).result()]
        chosen = choose(faces, image, self.options.faces, self.options.min_face)
        return Located(chosen[0] if chosen else None, len(faces))


def cut_again(image: Image, facts: Mapping[str, Any], step: Mapping[str, Any], size: int) -> Image:
    """Return the face of a picture as a record says where it is, *size* pixels wide or high.

    Args:
        facts: of the record, with a box.
        step: the crop, as the run's identity has it.

    Raises:
        ValueError: the box is not in the picture.
    """
    known = {each.name: step[each.name] for each in fields(CropSettings) if each.name in step}
    settings = CropSettings(**{**known, "size": size})
    face = plain(Face(facts["box"], facts["score"], facts.get("landmarks")))
    left, top, right, bottom = face.box
    if not (0 <= left < right <= image.width and 0 <= top < bottom <= image.height):
        raise ValueError(f"a face at {face.box} in a picture of {image.width}×{image.height} pixels")
    return crop_face(_pixels(image), face, settings)


def _pixels(image: Image) -> Pixels:
    return np.ascontiguousarray(np.asarray(image))


class MissingFaces:
    """Counts the pictures of a run in which no face was found."""

    def __init__(self) -> None:
        self._whole = self._errors = self._all = 0

    def add(self, record: Mapping[str, Any]) -> None:
        """Take a record into account."""
        facts = (record.get("preparation") or {}).get(NAME)
        if facts is not None:
            self._all += 1
            if facts.get("box") is None:
                self._errors += record["status"] == "error"
                self._whole += record["status"] != "error"

    def notes(self) -> Iterable[str]:
        """Yield what a reader of the figures must know, in sentences."""
        if self._errors:
            yield (
                f"--crop finds no face in {self._errors:,} of {self._all:,} pictures: recorded as errors, which count "
                "as wrong; missing=whole takes such pictures whole"
            )
        if self._whole:
            yield f"--crop finds no face in {self._whole:,} of {self._all:,} pictures: taken whole"
