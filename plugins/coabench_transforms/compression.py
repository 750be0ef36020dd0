"""What saving a picture does to it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Annotated

from PIL import Image

from coabench.base.schema import between
from coabench.transform import Subject, Transform


class Jpeg(Transform):
    """Saves the image as JPEG and reads it again."""

    keeps_places = True

    @dataclass(frozen=True)
    class Options:
        """*quality*: of libjpeg's scale, as encoders of pictures have it; colours at half the resolution (4:2:0)."""

        quality: Annotated[int, between(1, 95)] = 50

    def apply(self, image: Image.Image, subject: Subject) -> Image.Image:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=self.options.quality, subsampling="4:2:0")
        file.seek(0)
        return Image.open(file).convert("RGB")
