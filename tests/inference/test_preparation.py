"""Steps between an image's file and the backbone: their order, what they leave alone, and samples that they refuse."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from PIL import Image, ImageOps

from coabench.dataset import Dataset
from coabench.detector import Landmarks
from coabench.errors import SampleError
from coabench.inference.contents import contents
from coabench.inference.loading import load_ahead, read_image
from coabench.inference.preparation import Prepared, describe_steps, prepare
from coabench.registry.catalog import find_dataset
from coabench.runs.identity import RunIdentity
from coabench.testing.pictures import Pictures


@dataclass(frozen=True)
class Scaled:
    """Makes every picture so many pixels wide and high, but for one."""

    side: int
    name: str
    refused: str = ""

    def identity(self) -> Mapping[str, Any]:
        return {"side": self.side}

    def notes(self) -> Sequence[str]:
        return [f"scaled to {self.side}"]

    def apply(self, image: Image.Image, key: str, landmarks: Landmarks | None = None) -> Prepared:
        if key == self.refused:
            raise SampleError("it cannot be scaled")
        return Prepared(ImageOps.fit(image, (self.side, self.side)), (f"was {image.width}",), {"width": image.width})


@pytest.fixture
def plain() -> Dataset:
    return Pictures(find_dataset("raf-db-basic").card, None, Pictures.Options())


def test_steps_follow_one_another_and_are_recorded_by_name(plain: Dataset) -> None:
    steps = [Scaled(20, "first"), Scaled(30, "second")]
    picture = read_image(prepare(plain, steps).samples("test")[0].image)
    assert picture.image.size == (30, 30)
    assert picture.notes == ("was 48", "was 20")
    assert picture.facts == {"first": {"width": 48}, "second": {"width": 20}}
    assert describe_steps(steps) == ({"step": "first", "side": 20}, {"step": "second", "side": 30})


def test_an_image_is_still_recognised_by_its_file(plain: Dataset) -> None:
    changed = prepare(plain, [Scaled(20, "scaled")])
    before, after = plain.samples("test"), changed.samples("test")
    assert contents(after) == contents(before)
    assert changed.fingerprint("test") == plain.fingerprint("test")
    assert read_image(after[0].image).sha256 == hashlib.sha256(before[0].image.read()).hexdigest()
    assert changed.notes() == ["scaled to 20"]
    assert prepare(plain, []) is plain


def test_a_sample_that_a_step_refuses_has_its_reason_and_the_hash_of_its_file(plain: Dataset) -> None:
    samples = prepare(plain, [Scaled(20, "scaled", refused=plain.samples("test")[1].id)]).samples("test")[:3]
    loaded = list(load_ahead([s.image for s in samples], lambda _, image: image.size, ahead=lambda: 1))
    assert [(item.prepared, item.error) for item in loaded] == [
        ((20, 20), None), (None, "it cannot be scaled"), ((20, 20), None),
    ]  # fmt: skip
    assert loaded[1].sha256 == hashlib.sha256(samples[1].image.read()).hexdigest()


def test_runs_that_prepare_their_images_otherwise_are_others_and_the_rest_keep_their_identity() -> None:
    old = {
        "coabench": "0.1.0", "parsing": {"version": 1, "parser": "standard"}, "decode": "generate", "seed": 0,
        "backbone": {"name": "tiny", "model": None, "adapter": None}, "strategy": {"name": "direct"},
        "dataset": {"name": "d", "split": "test", "fingerprint": "f", "labels": None, "samples": 1, "limit": None},
    }  # fmt: skip
    plain, scaled = RunIdentity.read(old), RunIdentity.read({**old, "preparation": [{"step": "scaled", "side": 20}]})
    assert plain.to_json() == old
    assert scaled.digest != plain.digest
    assert scaled.columns()["settings"]["preparation.scaled.side"] == 20
