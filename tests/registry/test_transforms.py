"""--transform: every image is changed in the order of the command line, and the run is a variant that nobody ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pytest
from PIL.Image import Image

from coabench.base.schema import between
from coabench.cli.summary import print_summary
from coabench.detector import Detector, DetectorRequest, Face, Pixels
from coabench.errors import JobError, SampleError, UserError
from coabench.reports.leaderboard import leaderboard
from coabench.testing import ScriptedBackbone, registered, tiny_run
from coabench.testing.pictures import Picture
from coabench.transform import Subject, Transform


class Add(Transform):
    """Adds to every value, or a number that is drawn."""

    @dataclass(frozen=True)
    class Options:
        number: Annotated[int, between(0, 255)] = 5
        drawn: bool = False

    severities = (Options(10), Options(20))

    def apply(self, image: Image, subject: Subject) -> Image:
        number = subject.random().randrange(100) if self.options.drawn else self.options.number
        return image.point([min(255, value + number) for value in range(256)] * 3)


class Double(Transform):
    def apply(self, image: Image, subject: Subject) -> Image:
        return image.point([min(255, 2 * value) for value in range(256)] * 3)


class Sees(ScriptedBackbone):
    """Keeps the first pixel of every image."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels: list[Any] = []

    def prepare(self, images: Sequence[Image], sample: str | None = None) -> Any:
        self.pixels.append(images[-1].getpixel((0, 0)))
        return images


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    with registered("transforms", "add", Add), registered("transforms", "double", Double):
        yield


def seen(folder: Path, transform: tuple[str, ...], **rest: Any) -> list[Any]:
    backbone = Sees()
    tiny_run(folder, backbone=backbone, transform=transform, **rest)
    return sorted(backbone.pixels)


def test_images_are_changed_in_the_order_of_the_command_line(tmp_path: Path) -> None:
    red, green, blue = 40, 60, 90
    assert (red, green, blue) in seen(tmp_path / "plain", ())
    assert (2 * (red + 10), 2 * (green + 10), 2 * (blue + 10)) in seen(tmp_path / "a", ("add:number=10", "double"))
    assert (2 * red + 10, 2 * green + 10, 2 * blue + 10) in seen(tmp_path / "b", ("double", "add:number=10"))


def test_what_is_drawn_follows_from_the_seed_and_the_sample(tmp_path: Path) -> None:
    first, again = (seen(tmp_path / name, ("add:drawn=yes",), batch_size=size) for name, size in (("a", 8), ("b", 3)))
    assert first == again
    assert seen(tmp_path / "c", ("add:drawn=yes",), seed=1) != first
    assert len({red - plain for (red, _, _), (plain, _, _) in zip(first, seen(tmp_path / "d", ()), strict=True)}) > 1


def test_the_run_is_a_variant_with_its_transforms_in_the_identity(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tiny_run(tmp_path / "runs" / "variant", transform=("add:severity=1", "double"))
    tiny_run(tmp_path / "runs" / "clean")
    [step] = run.manifest["identity"]["preparation"]
    assert (step["step"], step["spec"]) == ("transform", "add:number=10 --transform double")
    assert [made["options"] for made in step["transforms"]] == [{"number": 10, "drawn": False}, {}]
    assert any("will not be ranked" in note for note in run.manifest["notes"])
    print_summary(run)
    assert "--transform add:number=10 --transform double; never ranked" in capsys.readouterr().out
    rows = [row for section in leaderboard(tmp_path / "runs") for row in section.rows if row["kind"] != "published"]
    assert [(row["kind"], row["note"]) for row in rows] == [
        ("run", None), ("not ranked", "a variant: --transform add:number=10 --transform double"),
    ]  # fmt: skip


class Bright(Detector):
    """Finds one face, with its landmarks."""

    def __init__(self, request: DetectorRequest) -> None:
        pass

    def detect(self, frame: Pixels) -> list[Face]:
        return [Face((4, 0, 40, 36), 1.0, ((14, 8), (30, 8), (22, 15), (15, 24), (29, 24)))]


class Notes(Add):
    seen: ClassVar[list[Any]] = []
    keeps_places = True

    def apply(self, image: Image, subject: Subject) -> Image:
        self.seen.append(subject.landmarks and [round(x) for x, _ in subject.landmarks])
        return image


def test_landmarks_are_those_of_the_crop_as_long_as_nothing_moves_them(tmp_path: Path) -> None:
    boxes = "bright:align=no,min-face=8"
    with registered("detectors", "bright", Bright), registered("transforms", "notes", Notes):
        for number, (crop, transform) in enumerate(
            [(boxes, ("notes", "notes")), (boxes, ("double", "notes")), (None, ("notes",))]
        ):
            tiny_run(tmp_path / f"{number}", limit=1, crop=crop, transform=transform)
    assert Notes.seen == [[10, 26, 18, 11, 25]] * 2 + [None, None]


class Fails(Double):
    def apply(self, image: Image, subject: Subject) -> Image:
        raise ValueError("no such filter")


class Crops(Double):
    def apply(self, image: Image, subject: Subject) -> Image:
        return image.crop((0, 0, 3, 3))


class Refuses(Double):
    def apply(self, image: Image, subject: Subject) -> Image:
        raise SampleError("no landmarks")


class AsArray(Double):
    def apply(self, image: Image, subject: Subject) -> Any:
        return np.asarray(image) > 300


@pytest.mark.parametrize(
    ("transform", "found"),
    [(Fails, "ValueError: no such filter"), (Crops, "RGB, 3×3 pixels"), (AsArray, "array([[[False, False, False],")],
)
def test_one_that_fails_ends_the_run_and_names_the_plugin(tmp_path: Path, transform: Any, found: str) -> None:
    with registered("transforms", "other", transform), pytest.raises(JobError) as error:
        tiny_run(tmp_path / "run", transform=("other",))
    assert "the transform other of plugin 'coabench.testing'" in error.value.problem
    assert error.value.found is not None
    assert error.value.found.startswith(found)


def test_a_sample_that_it_refuses_is_listed(tmp_path: Path) -> None:
    with registered("transforms", "other", Refuses):
        run = tiny_run(tmp_path / "run", transform=("other",))
    assert run.metrics["errors"] == 8
    assert Picture("a", "Anger").read()  # the picture itself is sound


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("ad", "there is no transform named 'ad'"), ("add:number=300", "0 to 255"),
        ("add:numbr=3", "unknown parameter"), ("add:severity=3", "1 to 2"), ("double:severity=1", "no severities"),
        ("add:severity=1,drawn=yes", "other parameters"), ("add:number", "cannot be read"), ("", "cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(tmp_path: Path, spec: str, problem: str) -> None:
    with pytest.raises(UserError) as error:
        tiny_run(tmp_path / "run", transform=(spec,))
    assert problem in str(error.value)
    assert not (tmp_path / "run").exists()
