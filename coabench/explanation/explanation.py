"""What an explanation holds: a map for every question about every sample, and what they say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from coabench.base.text import plural
from coabench.base.vocabulary import SUBJECT
from coabench.detector import Landmarks
from coabench.explanation.regions import aligned
from coabench.explanation.windows import Map
from coabench.metrics.statistics.means import share_mean_interval

if TYPE_CHECKING:
    from PIL.Image import Image


DELETION = "deletion"
"""The name of the figure of which less is better."""


@dataclass(frozen=True)
class QuestionMap:
    """A question about a sample.

    Attributes:
        log_probability: ln p of the answer among the options about the whole image, in nats.
        recorded: the same from the log; None where the answer was in words.
        drops: the map: by how much covering a place lowers *log_probability*, nats.
        shares, chance: region -> its share of the positive drops, and of the image; None without landmarks.
        hit, hit_chance, hit_centre: of the pointing game, by chance, and of the image's middle; None where no action
            units are known.
        deletion, random_deletion: areas under the deletion curve, by the map and in random orders.
    """

    name: str
    answer: str
    log_probability: float
    recorded: float | None
    drops: Map
    shares: Mapping[str, float] | None
    chance: Mapping[str, float] | None
    hit: bool | None
    hit_chance: float | None
    hit_centre: bool | None
    deletion: float
    random_deletion: float

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "drops": [[round(x, 5) for x in row] for row in self.drops.tolist()]}


@dataclass(frozen=True)
class ExplainedSample:
    """A sample, its image as the model saw it, and its maps."""

    record: Mapping[str, Any]
    image: Image
    landmarks: Landmarks | None
    maps: Sequence[QuestionMap]

    @property
    def person(self) -> str:
        """Who is on it, as far as known; else the sample is a person of its own."""
        return str((self.record.get("attributes") or {}).get(SUBJECT) or self.record["id"])


@dataclass(frozen=True)
class Figure:
    """A mean over samples with its 95 % interval, beside its chance level.

    Attributes:
        centre: of the pointing game: how often the middle of the image would hit.
    """

    question: str
    name: str
    mean: float
    interval: tuple[float, float]
    chance: float
    n: int
    centre: float | None = None


@dataclass(frozen=True, repr=False)
class Explanation:
    """The maps of a run's samples.

    Attributes:
        run: its folder's name.
        settings: windows, fill, seed, forwards, JSON-serialisable.
        left_out: sample -> why it has no map.
        notes: what the reader must know, in sentences.
    """

    run: str
    settings: Mapping[str, Any]
    samples: Sequence[ExplainedSample]
    left_out: Mapping[str, str]
    notes: Sequence[str]

    def __repr__(self) -> str:
        return f"<explanation of {self.run}: {plural(len(self.samples), 'sample')}, {len(self.left_out)} left out>"

    @property
    def questions(self) -> list[str]:
        """The names of the questions, in the order in which they were asked."""
        return list(dict.fromkeys(found.name for sample in self.samples for found in sample.maps))

    def figures(self) -> list[Figure]:
        """Return the region shares, the pointing game and the deletion test of every question."""
        made: list[Figure] = []
        for question in self.questions:
            pairs = [(s, m) for s in self.samples for m in s.maps if m.name == question]
            regions = [(s, m.shares, m.chance) for s, m in pairs if m.shares and m.chance]
            for region in regions[0][1] if regions else ():
                rows = [(s, values[region], chance[region]) for s, values, chance in regions]
                made.append(_figure(question, region, rows))
            hits = [(s, m.hit, m.hit_chance) for s, m in pairs if m.hit is not None and m.hit_chance is not None]
            if hits:
                centre = float(np.mean([m.hit_centre for _, m in pairs if m.hit is not None]))
                made.append(replace(_figure(question, "pointing game", hits), centre=centre))
            made.append(_figure(question, DELETION, [(s, m.deletion, m.random_deletion) for s, m in pairs]))
        return made

    def emotions(self) -> dict[tuple[str, str], tuple[Map, int]]:
        """Return (question, answer) -> the mean map in face coordinates and of how many samples it is.

        Only of samples with landmarks. Zero where no image has anything.
        """
        found: dict[tuple[str, str], list[Map]] = {}
        for sample in self.samples:
            for each in sample.maps:
                if sample.landmarks is not None:
                    face = aligned(each.drops, sample.landmarks, sample.image.size)
                    found.setdefault((each.name, each.answer), []).append(face)
        return {key: (_mean(maps), len(maps)) for key, maps in sorted(found.items())}

    def to_json(self) -> dict[str, Any]:
        """Return all of it but the images, JSON-serialisable; see docs/guides/explaining.md."""
        return {
            "schema": 1,
            "run": self.run,
            "settings": dict(self.settings),
            "notes": list(self.notes),
            "left_out": dict(self.left_out),
            "figures": [vars(figure) for figure in self.figures()],
            "emotions": [
                {"question": question, "answer": answer, "n": n, "drops": np.round(mean, 5).tolist()}
                for (question, answer), (mean, n) in self.emotions().items()
            ],
            "samples": [
                {
                    **{key: sample.record[key] for key in ("id", "target", "prediction", "status")},
                    "landmarks": sample.landmarks,
                    "size": sample.image.size,
                    "questions": [found.to_json() for found in sample.maps],
                }
                for sample in self.samples
            ],
        }


def _figure(question: str, name: str, rows: Sequence[tuple[ExplainedSample, float, float]]) -> Figure:
    """Return a mean and its interval, over persons where several samples show one."""
    values = np.clip([value for _, value, _ in rows], 0, 1)
    people, clusters = np.unique([sample.person for sample, _, _ in rows], return_inverse=True)
    low, high = share_mean_interval(values, clusters if len(people) < len(rows) else None)
    chance = float(np.mean([chance for _, _, chance in rows]))
    return Figure(question, name, float(values.mean()), (low, high), chance, len(rows))


def _mean(maps: Sequence[Map]) -> Map:
    stacked = np.stack(maps)
    counts = (~np.isnan(stacked)).sum(axis=0)
    mean: Map = np.nansum(stacked, axis=0) / np.maximum(counts, 1)
    return mean
