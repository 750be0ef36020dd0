"""Checks of a transform: an image of the same size, the same for the same sample, and what came is left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, get_type_hints

from coabench.base.schema import At, read_value
from coabench.detector import Landmarks
from coabench.errors import SampleError, UserError
from coabench.registry.registrations import Registration
from coabench.testing.check import Check, Checks
from coabench.testing.defects import transforms as defects
from coabench.testing.findings import Finding
from coabench.testing.options import check_read
from coabench.testing.pictures import draw_face
from coabench.transform import Subject, Transform, TransformRequest

if TYPE_CHECKING:
    from PIL.Image import Image

LANDMARKS: Landmarks = ((21.3, 25.3), (42.7, 25.3), (32.0, 36.0), (20.0, 46.7), (44.0, 46.7))
"""Those of the first image."""
EXTREME = (-1e9, -1.0, 0.0, 1e9)
"""Values that most options cannot take."""


def images() -> dict[str, Image]:
    """Return images of several sizes, by what they are."""
    from PIL import Image

    face = draw_face("Happiness", size=64)
    return {
        "a face": face,
        "a wide image": face.crop((0, 10, 64, 41)),
        "one pixel": Image.new("RGB", (1, 1), (200, 20, 90)),
        "black": Image.new("RGB", (33, 17)),
        "white": Image.new("RGB", (16, 40), (255, 255, 255)),
    }


def check(
    transform: str | Registration | Callable[[TransformRequest], Transform],
    *,
    assignments: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Check a transform and return what is wrong with it.

    Args:
        transform: the name it is registered under, its registration, or the target itself.
        assignments: its parameters, as typed.
    """
    return _Checks(transform, assignments).result()


class _Checks(Checks):
    kind, part = "transforms", "transform"

    def checks(self) -> Iterator[Check]:
        self.factory = self.load()
        self.read_options(getattr(self.factory, "Options", Transform.Options))
        self.transform = self.make(self.defaults)
        self.need_methods(defects.NO_TRANSFORM, self.transform, "apply")
        yield from (self.pixels, self.options, self.bounds)

    def make(self, options: Any) -> Transform:
        made: Transform = self.attempt(
            defects.NO_TRANSFORM, self.factory, TransformRequest(options, 7), allowed=UserError
        )
        return made

    def pixels(self) -> None:
        """Change every image for two samples, one with landmarks; then again, by another transform, in threads."""
        work = [(what, sample) for what in images() for sample in ("testing/one", "testing/two")]
        first = {each: self.changed(self.transform, *each) for each in work}
        other = self.make(self.defaults)
        with ThreadPoolExecutor(4) as pool:
            again = dict(zip(work[::-1], pool.map(lambda each: self.changed(other, *each), work[::-1]), strict=True))
        for what, sample in work:
            self.need(first[what, sample] == again[what, sample], defects.UNSTEADY, f"{what}, sample {sample}")

    def changed(self, transform: Transform, what: str, sample: str) -> bytes | None:
        """Return the pixels of a changed image; None where it refuses the sample."""
        image = images()[what]
        before = image.tobytes()
        known = LANDMARKS if what == "a face" and sample.endswith("two") else None
        try:
            made = self.attempt(defects.FAILS, transform.apply, image, Subject(sample, 7, known), allowed=SampleError)
        except SampleError:
            return None
        self.need((image.tobytes(), image.mode) == (before, "RGB"), defects.WRITES, what)
        size, mode = getattr(made, "size", None), getattr(made, "mode", None)
        if (size, mode) != (images()[what].size, "RGB"):
            self.fail(defects.NO_IMAGE, f"{what}: {f'{mode} of {size}' if size else repr(made)[:100]}")
        return made.tobytes()

    def options(self) -> None:
        """An option that is never read does nothing."""

        def use(options: Any) -> None:
            transform = self.make(options)
            for what in images():
                for sample in ("testing/one", "testing/two"):
                    self.changed(transform, what, sample)

        check_read(self, self.defaults, use)

    def bounds(self) -> None:
        """Set every number to what it can hardly be: the type, or the constructor, says so in words."""
        declared = type(self.defaults)
        hints = get_type_hints(declared, include_extras=True)
        for field in fields(declared):
            value = getattr(self.defaults, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            for extreme in map(type(value), EXTREME):
                try:
                    read_value(hints[field.name], extreme, At(field.name))
                    transform = self.factory(TransformRequest(replace(self.defaults, **{field.name: extreme}), 7))
                    for image in images().values():
                        transform.apply(image, Subject("testing/one", 7))
                except (UserError, SampleError):
                    continue
                except Exception as error:
                    self.add(defects.UNBOUNDED, f"{field.name}={extreme:g}: {type(error).__name__}: {error}")
