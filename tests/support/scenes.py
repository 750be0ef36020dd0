"""Pictures of the shipped synthetic faces in a larger, blurred surrounding, at other places and sizes."""

import io
import random
from itertools import islice
from pathlib import Path

from coabench_synthface.folder import SetFolder
from coabench_synthface.shipped import open_shipped
from PIL import Image, ImageFilter


def draw_scenes(folder: Path, count: int, split: str = "test", width: int = 192, height: int = 144) -> list[Path]:
    """Write *count* scenes of basic expressions, ``SPLIT/LABEL/NUMBER.png``; return the files, in order."""
    shipped, place = SetFolder(open_shipped()), random.Random(split)
    lines = (line for line in shipped.samples if (line["subset"], line["split"]) == ("basic", split))
    files = []
    for number, line in enumerate(islice(lines, 0, None, 9)):
        if number == count:
            break
        face = Image.open(io.BytesIO(shipped.files.read(line["file"]))).convert("RGB")
        side = place.randint(72, 110)
        scene = face.resize((width, height)).filter(ImageFilter.GaussianBlur(20))
        corner = place.randint(0, width - side), place.randint(0, height - side)
        scene.paste(face.resize((side, side), Image.Resampling.BICUBIC), corner)
        files.append(folder / split / line["target"] / f"{number:03}.png")
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        scene.save(files[-1])
    return files
