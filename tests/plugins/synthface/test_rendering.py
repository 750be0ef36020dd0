"""Pictures rendered for real; skipped where the 3-D assets are not installed."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coabench_synthface.dataset import SynthFace
from coabench_synthface.difficulty import Difficulty
from coabench_synthface.make import make_set
from coabench_synthface.samples import PictureKey, draft

from coabench.inference.loading import read_image

pytestmark = [pytest.mark.usefixtures("assets"), pytest.mark.slow]


def lines(folder: Path) -> dict[str, dict[str, Any]]:
    return {x["id"]: x for x in map(json.loads, (folder / "samples.jsonl").read_text().splitlines())}


def test_the_same_seed_gives_the_same_bytes(rendered: Path, tmp_path: Path) -> None:
    make_set(tmp_path / "again", basic={"train": 1}, compound={"test": 1}, seed=7, per_person=3, workers=2)
    again, first = lines(tmp_path / "again"), lines(rendered)
    assert len(again) == 18
    assert all(first[name] == line for name, line in again.items())  # a smaller set is the beginning of a larger one


def test_another_seed_gives_others(rendered: Path, tmp_path: Path) -> None:
    make_set(tmp_path / "other", basic={"test": 1}, compound={}, seed=8, per_person=3)
    first = lines(rendered)
    assert all(first[name]["sha256"] != line["sha256"] for name, line in lines(tmp_path / "other").items())


def test_pictures_are_faces_of_the_right_size(rendered: Path, open_set: Callable[..., SynthFace]) -> None:
    for sample in open_set(rendered, "compound").samples("test"):
        image = read_image(sample.image).image
        assert image.size == (100, 100)
        assert 1_500 < sample.image.size() < 9_000
        pixels = np.asarray(image, float)
        assert 30 < pixels[25:90, 25:75].mean() < 230
        assert pixels.std() > 15


def test_an_expression_changes_the_face_and_nothing_around_it() -> None:
    from coabench_synthface.expression import Expression
    from coabench_synthface.render import render

    drawn = draft(3, PictureKey("basic", "test", 6), Difficulty(yaw=0, pitch=0, roll=0, noise=0))
    scene = dataclasses.replace(drawn.scene, yaw=0, pitch=0, roll=0)

    def picture(**units: float) -> np.ndarray:
        shown = Expression("Neutral", {int(au[2:]): amount for au, amount in units.items()}, {}, 0.0, 0.0)
        return np.asarray(render(drawn.person, shown, scene, np.random.default_rng(0)), float)

    still, brows, mouth = picture(), picture(au1=0.9, au2=0.9), picture(au25=0.9, au26=0.9)
    of_brows, of_mouth = np.abs(brows - still).mean(axis=2), np.abs(mouth - still).mean(axis=2)
    assert of_brows[5:40].mean() > 4 * of_brows[65:].mean()
    assert of_mouth[65:].mean() > 4 * of_mouth[5:40].mean()
    assert of_mouth[:, :3].max() < 3


def test_the_sheet_shows_every_class(tmp_path: Path) -> None:
    from coabench_synthface.sheet import draw_sheet
    from PIL import Image

    draw_sheet(tmp_path / "sheet.png", seed=0, persons=1)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (218, 9 * 118)
