"""Fake RAF-DB trees: the layouts of RAF-DB with drawn faces, for tests and for trying things without access to it.

Nothing here comes from RAF-DB: every image is drawn, every label is made up. The names and codes of the classes are
written out once more, on purpose, so that a mistake in a card does not hide itself.

Run as a program it writes a tree: ``python tests/support/rafdb_tree.py OUT --help``.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw

Layout = Literal["official", "merged", "csv-folders", "name-folders"]

BASIC = ("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral")
COMPOUND = (
    ("Happily Surprised", "Happiness", "Surprise"),
    ("Happily Disgusted", "Happiness", "Disgust"),
    ("Sadly Fearful", "Sadness", "Fear"),
    ("Sadly Angry", "Sadness", "Anger"),
    ("Sadly Surprised", "Sadness", "Surprise"),
    ("Sadly Disgusted", "Sadness", "Disgust"),
    ("Fearfully Angry", "Fear", "Anger"),
    ("Fearfully Surprised", "Fear", "Surprise"),
    ("Angrily Surprised", "Anger", "Surprise"),
    ("Angrily Disgusted", "Anger", "Disgust"),
    ("Disgustedly Surprised", "Disgust", "Surprise"),
)
DIGITS = {("basic", "train"): 5, ("basic", "test"): 4, ("compound", "train"): 4, ("compound", "test"): 3}
REAL_COUNTS = {
    "basic": {"train": [1290, 281, 717, 4772, 1982, 705, 2524], "test": [329, 74, 160, 1185, 478, 162, 680]},
    "compound": {
        "train": [562, 219, 107, 130, 68, 597, 117, 444, 138, 667, 113],
        "test": [135, 47, 22, 33, 18, 141, 33, 116, 38, 174, 35],
    },
}
"""Images per class of the real RAF-DB, by subset and split, in the order of the codes."""

# brow height, brow slant (inner end down), eye opening, mouth curve (corners up), mouth opening, nose wrinkles
_LOOKS: Mapping[str, tuple[float, ...]] = {
    "Surprise": (1.0, 0.0, 1.0, 0.0, 1.0, 0.0),
    "Fear": (0.8, -0.8, 0.9, -0.4, 0.5, 0.0),
    "Disgust": (-0.3, 0.5, -0.6, -0.5, 0.3, 1.0),
    "Happiness": (0.1, 0.0, -0.2, 1.0, 0.3, 0.0),
    "Sadness": (0.2, -1.0, -0.4, -1.0, 0.0, 0.0),
    "Anger": (-0.6, 1.0, 0.3, -0.3, 0.0, 0.2),
    "Neutral": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
}


@dataclass(frozen=True)
class Face:
    """One made-up image: where it belongs, what it shows, and its JPEG."""

    subset: str
    split: str
    stem: str
    code: int
    jpeg: bytes

    @property
    def name(self) -> str:
        """The name of its label."""
        return BASIC[self.code - 1] if self.subset == "basic" else COMPOUND[self.code - 1][0]

    @property
    def emotions(self) -> tuple[str, ...]:
        """The one basic emotion it shows, or the two."""
        return (self.name,) if self.subset == "basic" else COMPOUND[self.code - 1][1:]


def make_rafdb(
    root: Path,
    *,
    basic: tuple[int, int] = (2, 1),
    compound: tuple[int, int] = (2, 1),
    counts: Mapping[str, Mapping[str, Sequence[int]]] | None = None,
    seed: int = 0,
    faces_from: Path | None = None,
    layout: Layout = "official",
    original: bool = False,
    annotations: bool = True,
    distinct: int | None = None,
) -> Path:
    """Write a fake RAF-DB and return the data root.

    The same arguments give the same faces, labels and bytes in every layout; the layouts with folders per class hold
    the basic subset only.

    Args:
        root: the data root; made where it is absent.
        basic, compound: images per class in train and in test; (0, 0) leaves the subset out.
        counts: subset -> split -> images per class in code order; takes the place of the numbers above.
            `REAL_COUNTS` is what the cards say.
        seed: another seed gives other faces and another order of the labels.
        faces_from: a folder of PNG files, at any depth, to derive the images from instead of drawing them.
        layout: how the files lie.
        original: write ``Image/original`` too, the face inside a larger picture (official layout only).
        annotations: write attribute and bounding box files (official layout only).
        distinct: draw only so many images and use them in turn, whatever the label: quick for large trees.
    """
    sizes = {
        subset: {
            split: list((counts or {}).get(subset, {}).get(split, [n] * classes))
            for split, n in zip(("train", "test"), per_class, strict=True)
        }
        for subset, per_class, classes in (("basic", basic, len(BASIC)), ("compound", compound, len(COMPOUND)))
    }
    sources = sorted(faces_from.rglob("*.png")) if faces_from else []
    if faces_from and not sources:
        raise ValueError(f"no PNG files in {faces_from}")
    faces = list(_faces(sizes, seed, sources, distinct))
    root.mkdir(parents=True, exist_ok=True)
    if layout == "official":
        _write_official(root, faces, seed, original, annotations)
    elif layout == "merged":
        _write_merged(root, faces)
    elif layout == "csv-folders":
        _write_csv_folders(root, faces)
    else:
        _write_name_folders(root, faces)
    return root


def _faces(
    sizes: Mapping[str, Mapping[str, Sequence[int]]], seed: int, sources: Sequence[Path], distinct: int | None
) -> Iterator[Face]:
    drawn: dict[int, bytes] = {}
    serial = 0
    for subset, splits in sizes.items():
        for split, per_class in splits.items():
            codes = [code for code, n in enumerate(per_class, start=1) for _ in range(n)]
            random.Random(f"{seed}/{subset}/{split}").shuffle(codes)
            for number, code in enumerate(codes, start=1):
                stem = f"{split}_{number:0{DIGITS[subset, split]}d}"
                slot = serial if distinct is None else serial % distinct
                if slot not in drawn:
                    rng = random.Random(f"{seed}/{subset}/{stem}")
                    emotions = (BASIC[code - 1],) if subset == "basic" else COMPOUND[code - 1][1:]
                    drawn[slot] = _derive(sources[slot % len(sources)], rng) if sources else _draw(emotions, rng)
                yield Face(subset, split, stem, code, drawn[slot] if distinct else drawn.pop(slot))
                serial += 1


def _draw(emotions: Sequence[str], rng: random.Random) -> bytes:
    """Draw a 100×100 cartoon face that shows the mean of the emotions, as a JPEG."""
    means = [sum(values) / len(values) for values in zip(*(_LOOKS[e] for e in emotions), strict=True)]
    brow, slant, eye, curve, gap, wrinkle = (value + rng.gauss(0, 0.08) for value in means)
    image = Image.linear_gradient("L").resize((100, 100)).rotate(rng.uniform(0, 360)).convert("RGB")
    image = Image.blend(image, Image.new("RGB", (100, 100), _colour(rng, 40, 220)), 0.7)
    draw = ImageDraw.Draw(image)
    x, y = 50 + rng.uniform(-3, 3), 52 + rng.uniform(-3, 3)
    tone = rng.uniform(0.35, 1.0)
    draw.ellipse((x - 36, y - 44, x + 36, y + 44), fill=(int(236 * tone), int(196 * tone), int(164 * tone)))
    dark = _colour(rng, 0, 50)
    for side in (-1, 1):
        ex, ey = x + side * 15, y - 10
        tall = 5 + 3 * eye
        draw.ellipse((ex - 7, ey - tall, ex + 7, ey + tall), fill=(245, 245, 245))
        draw.ellipse((ex - 3, ey - 3, ex + 3, ey + 3), fill=dark)
        top = ey - 13 - 5 * brow
        draw.line((ex - side * 8, top + 4 * slant, ex + side * 8, top - 4 * slant), fill=dark, width=3)
        if wrinkle > 0.3:
            draw.line((x + side * 3, y - 2, x + side * 7, y + 2 - 4 * wrinkle), fill=dark, width=1)
    draw.line((x, y - 4, x - 3, y + 8, x + 3, y + 8), fill=dark, width=1)
    upper = [(x + t, y + 24 - 8 * curve * (t / 15) ** 2 - max(gap, 0) * 2) for t in range(-15, 16, 3)]
    lower = [(px, py + max(gap, 0) * 13 * math.cos((px - x) / 10)) for px, py in reversed(upper)]
    draw.polygon([*upper, *lower], fill=(120, 30, 40))
    draw.line(upper, fill=(120, 30, 40), width=3)
    noise = Image.frombytes("L", (25, 25), rng.randbytes(625)).resize((100, 100)).convert("RGB")
    return _jpeg(Image.blend(image, noise, 0.06))


def _derive(source: Path, rng: random.Random) -> bytes:
    """Return a PNG as a 100×100 JPEG, shifted and brightened a little so that no two are equal."""
    with Image.open(source) as opened:
        image = opened.convert("RGB").resize((108, 108))
    dx, dy, gain = rng.randrange(9), rng.randrange(9), rng.uniform(0.85, 1.15)
    return _jpeg(image.crop((dx, dy, dx + 100, dy + 100)).point(lambda v: int(min(255, v * gain))))


def _colour(rng: random.Random, low: int, high: int) -> tuple[int, int, int]:
    return (rng.randint(low, high), rng.randint(low, high), rng.randint(low, high))


def _jpeg(image: Image.Image) -> bytes:
    stream = BytesIO()
    image.save(stream, "JPEG", quality=85)
    return stream.getvalue()


def _write(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def _write_official(root: Path, faces: Sequence[Face], seed: int, original: bool, annotations: bool) -> None:
    for face in faces:
        home = root / face.subset
        _write(home / "Image" / "aligned" / f"{face.stem}_aligned.jpg", face.jpeg)
        if original:
            _write(home / "Image" / "original" / f"{face.stem}.jpg", _in_a_scene(face))
        if annotations:
            rng = random.Random(f"{seed}/{face.subset}/{face.stem}/attributes")
            landmarks = "".join(f"{px + 30:.3f}\t{py + 20:.3f}\n" for px, py in _LANDMARKS)
            codes = f"{rng.randrange(3)}\n{rng.randrange(3)}\n{rng.randrange(5)}\n"
            _write(home / "Annotation" / "manual" / f"{face.stem}_manu_attri.txt", landmarks + codes)
            box = "30.000 20.000 130.000 120.000\n"
            _write(home / "Annotation" / "boundingbox" / f"{face.stem}_boundingbox.txt", box)
    for subset in {face.subset for face in faces}:
        lines = [f"{face.stem}.jpg {face.code}\n" for face in faces if face.subset == subset]
        _write(label_file(root, subset), "".join(lines))


_LANDMARKS = ((35, 42), (65, 42), (50, 60), (38, 76), (62, 76))


def _in_a_scene(face: Face) -> bytes:
    scene = Image.new("RGB", (160, 140), (90, 110, 130))
    with Image.open(BytesIO(face.jpeg)) as image:
        scene.paste(image, (30, 20))
    return _jpeg(scene)


def _write_merged(root: Path, faces: Sequence[Face]) -> None:
    for split, folder in (("train", "train"), ("test", "valid")):
        records = []
        for face in faces:
            if face.split == split:
                _write(root / "all" / folder / f"{face.stem}_aligned.jpg", face.jpeg)
                records += list(_records(face))
        if records:
            _write(root / f"all_ft_{folder}.json", json.dumps(records, indent=1))


def _records(face: Face) -> Iterator[dict[str, object]]:
    """Yield the records of a face as the method's JSON files hold them: one for a basic face, two for a compound."""
    digits = face.stem.partition("_")[2]
    if face.subset == "basic":
        options = "'" + "', '".join(BASIC[:-1]) + f"', or '{BASIC[-1]}'"
        prompt = f"Select an emotion label from the following options: {options}."
        yield _record(digits, face.stem, prompt, face.name)
        return
    for number, (primary, secondary) in enumerate((face.emotions, face.emotions[::-1]), start=1):
        others = [e for e in BASIC if e != primary]
        prompt = (
            f"The primary emotion conveyed by this image was {primary}. Please select the next most strongly felt "
            f"emotion from the following options: {', '.join(others[:-1])}, or {others[-1]}."
        )
        yield _record(f"{digits}_{number}", face.stem, prompt, secondary)


def _record(identity: str, stem: str, prompt: str, answer: str) -> dict[str, object]:
    return {
        "id": identity,
        "image": f"{stem}_aligned.jpg",
        "conversations": [{"from": "human", "value": f"<image>\n{prompt}"}, {"from": "gpt", "value": answer}],
    }


def _write_csv_folders(root: Path, faces: Sequence[Face]) -> None:
    for split in ("train", "test"):
        here = [face for face in faces if face.subset == "basic" and face.split == split]
        for face in here:
            _write(root / "DATASET" / split / str(face.code) / f"{face.stem}_aligned.jpg", face.jpeg)
        if here:
            with (root / f"{split}_labels.csv").open("w", newline="", encoding="utf-8") as stream:
                writer = csv.writer(stream)
                writer.writerow(["image", "label"])
                writer.writerows([f"{face.stem}_aligned.jpg", face.code] for face in here)


def _write_name_folders(root: Path, faces: Sequence[Face]) -> None:
    for face in faces:
        if face.subset == "basic":
            _write(root / face.split / face.name.lower() / f"{face.stem}_aligned.jpg", face.jpeg)


# Planting defects. All paths are those of the official layout.


def label_file(root: Path, subset: str) -> Path:
    """Return the label file of a subset, spelt as RAF-DB spells it."""
    return root / subset / "EmoLabel" / "list_patition_label.txt"


def image_file(root: Path, subset: str, stem: str) -> Path:
    """Return the aligned image of a stem."""
    return root / subset / "Image" / "aligned" / f"{stem}_aligned.jpg"


def attribute_file(root: Path, subset: str, stem: str) -> Path:
    """Return the attribute file of a stem."""
    return root / subset / "Annotation" / "manual" / f"{stem}_manu_attri.txt"


def add_label(root: Path, subset: str, line: str) -> None:
    """Append a line, whatever it says, to a label file."""
    with label_file(root, subset).open("a", encoding="utf-8") as stream:
        stream.write(line + "\n")


def change_label(root: Path, subset: str, stem: str, code: str) -> None:
    """Give an image another code in the label file."""
    file = label_file(root, subset)
    lines = file.read_text().splitlines()
    file.write_text("".join(f"{stem}.jpg {code}\n" if x.startswith(f"{stem}.") else f"{x}\n" for x in lines))


def correct_spelling(root: Path, subset: str) -> Path:
    """Rename the label file to the corrected spelling and return it."""
    file = label_file(root, subset)
    return file.rename(file.with_name("list_partition_label.txt"))


def truncate_image(root: Path, subset: str, stem: str) -> None:
    """Cut an image off in the middle."""
    file = image_file(root, subset, stem)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def main() -> None:
    """Write a tree from the command line."""
    parser = argparse.ArgumentParser(description="Write a fake RAF-DB: drawn faces in the layout of the real one.")
    parser.add_argument("out", type=Path, help="the folder to write; it becomes the data root")
    for subset in ("basic", "compound"):
        text = f"{subset} images per class in train and in test (default: 2 1)"
        parser.add_argument(f"--{subset}", type=int, nargs=2, default=(2, 1), metavar=("TRAIN", "TEST"), help=text)
    parser.add_argument("--real-counts", action="store_true", help="as many images per class as the real RAF-DB")
    parser.add_argument(
        "--distinct", type=int, help="draw only so many images and use them in turn, whatever the label"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faces-from", type=Path, help="derive the images from the PNG files of this folder")
    choices = ("official", "merged", "csv-folders", "name-folders")
    parser.add_argument("--layout", choices=choices, default="official")
    parser.add_argument("--original", action="store_true", help="write original images beside the aligned ones")
    given = parser.parse_args()
    make_rafdb(
        given.out,
        basic=tuple(given.basic),
        compound=tuple(given.compound),
        counts=REAL_COUNTS if given.real_counts else None,
        seed=given.seed,
        faces_from=given.faces_from,
        layout=given.layout,
        original=given.original,
        distinct=given.distinct,
    )
    print(given.out)


if __name__ == "__main__":
    main()
