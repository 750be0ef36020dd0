"""The transforms that ship do what their parameters say, in the unit that they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coabench_transforms import coabench_register_transforms
from numpy.typing import NDArray
from PIL import Image

from coabench.detector import Landmarks
from coabench.errors import SampleError
from coabench.registry.options import read_parameters
from coabench.registry.registrations import Registration
from coabench.registry.transforms import find_transform
from coabench.testing.pictures import draw_face
from coabench.testing.transforms import check
from coabench.transform import Subject, TransformRequest


def shipped() -> dict[str, Registration]:
    made: dict[str, Registration] = {}

    def register(name: str, target: str, *, description: str = "", **details: Any) -> None:
        made[name] = Registration(name, target, "transforms", "1", description, details)

    coabench_register_transforms(register)
    return made


def changed(name: str, image: Image.Image, **parameters: str) -> NDArray[np.uint8]:
    registration = shipped()[name]
    options = read_parameters(registration.load().Options, parameters, "--transform")
    return np.asarray(registration.open(TransformRequest(options)).apply(image, Subject("a/1")))


@pytest.mark.parametrize("name", [*shipped()])
def test_it_conforms(name: str) -> None:
    assert [str(finding) for finding in check(shipped()[name])] == []


@pytest.mark.parametrize(
    ("name", "never"),
    [
        ("random-flip", {"p": "0"}),
        ("random-crop", {"strength": "0"}),
        ("random-colour", {"strength": "0"}),
        ("random-grey", {"p": "0"}),
        ("random-blur", {"p": "0"}),
        ("random-erasing", {"p": "0"}),
    ],
)
def test_what_is_drawn_by_chance_can_be_nothing(name: str, never: dict[str, str]) -> None:
    face = draw_face("Fear", size=64)
    assert (changed(name, face, **never) == np.asarray(face)).all()
    assert shipped()[name].load().varies


def test_what_is_drawn_by_chance_stays_within_its_strength() -> None:
    white = Image.new("RGB", (100, 50), (255, 255, 255))
    white.paste((0, 0, 0), (0, 0, 100, 1))
    covered = changed("random-erasing", Image.linear_gradient("L").convert("RGB"), area="0.3", p="1")
    part = (covered == round(127.5)).all(axis=2).mean()
    assert 0.02 <= part <= 0.33
    assert (changed("random-flip", white, p="1") == np.asarray(white)[:, ::-1]).all()
    assert (np.ptp(changed("random-grey", draw_face("Fear", size=32), p="1").astype(int), axis=2) == 0).all()
    dark = changed("random-colour", Image.new("RGB", (4, 4), (100, 100, 100)), strength="0.2")
    assert 80 <= dark.min() == dark.max() <= 120
    ramp = Image.linear_gradient("L").convert("RGB").resize((100, 100))
    shown = np.ptp(changed("random-crop", ramp, strength="0.5")[:, 0, 0].astype(int))
    assert 0.45 * 255 <= shown < 254


def test_lower_quality_is_further_from_the_image() -> None:
    face = draw_face("Anger", size=96)
    errors = [np.abs(changed("jpeg", face, quality=q).astype(int) - np.asarray(face)).mean() for q in ("95", "30", "5")]
    assert errors == sorted(errors)
    assert 0 < errors[0] < 3 < errors[2]


def test_the_spread_of_a_blurred_point_is_sigma() -> None:
    point = Image.new("RGB", (101, 101))
    point.paste((255, 255, 255), (45, 45, 56, 56))  # 11 pixels wide, so that 8 bits hold its spread
    profile = changed("blur", point, sigma="6")[..., 0].astype(float).sum(axis=0)
    places = np.arange(101) - 50
    assert np.average(places**2, weights=profile) == pytest.approx(6**2 + (11**2 - 1) / 12, rel=0.03)
    assert (changed("blur", point, sigma="0") == np.asarray(point)).all()


def test_a_mirrored_image_is_mirrored_back() -> None:
    face = draw_face("Happiness", size=40)
    once = changed("mirror", face)
    assert (once == np.asarray(face)[:, ::-1]).all()


def test_grey_has_the_luma_of_bt_601_in_every_channel() -> None:
    grey = changed("grey", Image.new("RGB", (2, 2), (200, 100, 50)))
    assert (grey == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)).all()


def test_brightness_is_a_factor_of_the_light() -> None:
    """Half the light of white is 188 in sRGB, not 128."""
    white = Image.new("RGB", (2, 2), (255, 255, 255))
    assert (changed("brightness", white, factor="0.5") == 188).all()
    assert (changed("brightness", Image.new("RGB", (2, 2), (188, 188, 188)), factor="2") == 255).all()
    face = draw_face("Fear")
    assert (changed("brightness", face, factor="1") == np.asarray(face)).all()


LANDMARKS: Landmarks = ((32.0, 38.0), (64.0, 38.0), (48.0, 54.0), (30.0, 70.0), (66.0, 70.0))
LADDERS = [name for name, registration in shipped().items() if registration.load().severities]


def at_severity(name: str, level: int, image: Image.Image, scale: float = 1) -> NDArray[np.float32]:
    """Return an image at a severity, reduced to 96 pixels."""
    registration = shipped()[name]
    here: Any = tuple((x * scale, y * scale) for x, y in LANDMARKS)
    made = registration.open(TransformRequest(registration.load().severities[level - 1]))
    changed = made.apply(image, Subject("a/1", landmarks=here))
    return np.asarray(changed.resize((96, 96), Image.Resampling.BOX), np.float32)


@pytest.mark.parametrize("name", LADDERS)
def test_a_severity_is_stronger_than_the_one_before_and_the_same_for_a_small_and_a_large_image(name: str) -> None:
    large = draw_face("Surprise", size=480)
    small = large.resize((96, 96), Image.Resampling.BOX)
    plain = np.asarray(small, np.float32)
    changes = [np.abs(at_severity(name, level, small) - plain).mean() for level in (1, 2, 3, 4, 5)]
    if name not in ("shift", "patch"):  # what a place that is drawn hides is the place's
        assert changes == sorted(changes)
    assert changes[0] > 0.1
    made = at_severity(name, 3, large, 5)
    if name != "noise":  # which has other grains
        assert np.abs(at_severity(name, 3, small) - made).mean() < 0.5 * changes[2]


def test_a_face_is_covered_where_its_landmarks_say_and_a_sample_without_them_is_refused() -> None:
    face = draw_face("Surprise", size=96)
    changed = np.abs(at_severity("cover-lower", 5, face) - np.asarray(face, np.float32)).sum(axis=2)
    assert not changed[:53].any()
    assert (at_severity("cover-lower", 5, face)[54:] == at_severity("cover-lower", 5, face)[95, 0]).all()
    eyes = at_severity("sunglasses", 5, face)
    assert (eyes[39, 32] < 20).all()
    assert (eyes[70:] == np.asarray(face)[70:]).all()
    registration = shipped()["mask"]
    made = registration.open(TransformRequest(registration.load().Options()))
    for landmarks in (None, ((9.0, 9.0),) * 5):
        with pytest.raises(SampleError, match="landmarks"):
            made.apply(face, Subject("a/1", landmarks=landmarks))


def test_noise_has_its_spread_and_turned_shifted_and_cut_images_go_where_they_are_said_to() -> None:
    grey = Image.new("RGB", (100, 80), (128, 128, 128))
    noisy, large = (Image.fromarray(changed("noise", image, sigma="5")) for image in (grey, grey.resize((600, 480))))
    assert np.std(noisy) == pytest.approx(0.05 * 255, rel=0.02)
    assert np.std(large) == pytest.approx(np.std(noisy.resize((600, 480), Image.Resampling.BICUBIC)), rel=0.03)
    dot = grey.copy()
    dot.paste((255, 0, 0), (80, 38, 84, 42))
    turned = changed("rotate", dot.crop((10, 0, 90, 80)), degrees="90")
    assert tuple(turned[8, 40]) == (255, 0, 0)
    moved = np.argwhere(changed("shift", dot, percent="10")[..., 1] == 0).mean(axis=0) - (39.5, 81.5)
    assert np.hypot(*moved) == pytest.approx(8, abs=1)
    near = np.argwhere(changed("margin-in", dot, percent="10")[..., 1] < 64)
    assert np.ptp(near, axis=0) + 1 == pytest.approx((5, 5), abs=1)
    assert changed("contrast", dot, factor="0").std() == 0
    assert changed("gamma", grey, gamma="2").max() == round(255 * (128 / 255) ** 2)


def test_the_table_of_the_guide_has_the_severities() -> None:
    guide = (Path(__file__).parents[3] / "docs/guides/transforms.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in guide.splitlines() if line.startswith("| `") and line.count("|") == 8]
    table = {name.strip(" `"): (key.strip(" `"), [cell.strip() for cell in cells]) for name, key, *cells in rows}
    assert sorted(table) == sorted(LADDERS)
    for name, (key, cells) in table.items():
        levels = shipped()[name].load().severities
        assert cells == [str(getattr(options, key)).removesuffix(".0") for options in levels]


def test_an_option_that_came_later_leaves_the_identity_of_earlier_runs() -> None:
    assert find_transform("jpeg:quality=30").identity()["options"] == {"quality": 30}
    assert find_transform("jpeg:severity=2").identity()["options"] == {"quality": 30, "side": 224}
