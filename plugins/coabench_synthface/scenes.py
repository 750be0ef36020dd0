"""Whole scenes: a person in a room, with a head that is small and off the centre, whose place is known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from coabench.base.files import write_json, write_text
from coabench.base.jsonlines import encode as encode_line
from coabench.base.reading import is_folder
from coabench.base.shipped import path
from coabench.base.vocabulary import SUBJECT
from coabench.base.yaml import read_yaml
from coabench.errors import UserError
from coabench_synthface.difficulty import Difficulty
from coabench_synthface.folder import LICENCE
from coabench_synthface.make import LICENCE_TEXT, Progress, require_empty, run_over, versions
from coabench_synthface.samples import Draft, PictureKey, attributes, draft, generator

if TYPE_CHECKING:
    from PIL.Image import Image

    from coabench_synthface.render import Frame

WIDTH, HEIGHT = 480, 360
"""Of a scene, pixels."""
GENERATOR = 1
"""Raised whenever the same seed gives other files."""
CARD, TABLE, SCENES = "card.yaml", "scenes.jsonl", "scenes.json"
DISTANCES = {"near": 85, "middle": 55, "far": 0}
"""What the attribute ``distance`` says -> the least side of the face's square, pixels."""
KNOWN = ("left", "top", "right", "bottom", "side", "distance", "off_centre")
"""What is known of a scene beside what is known of a picture of the face alone."""
KEPT = ("gender", "age", "hair", "yaw", "pitch", "roll", "light")
"""What the table keeps of the latter."""


@dataclass(frozen=True)
class SceneDifficulty(Difficulty):
    """How hard scenes are: expressions as plain as those of the set that comes with coabench, heads that are tilted.

    Attributes:
        smallest, largest: bounds of the side of the square that a picture of the face alone would show, pixels.
    """

    weakest: float = 0.3
    strongest: float = 0.75
    roll: float = 10.0
    shift: float = 0.0
    zoom: float = 0.0
    smallest: int = 36
    largest: int = 120

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shift or self.zoom:
            raise UserError(
                "the knobs shift and zoom misplace a picture of the face alone; a scene has none",
                remedy="leave them out; smallest and largest say how large faces are",
            )
        if not 16 <= self.smallest <= self.largest <= 180:
            raise UserError(
                "the knobs smallest and largest do not fit together",
                expected="16 ≤ smallest ≤ largest ≤ 180",
                found=f"smallest={self.smallest}, largest={self.largest}",
                remedy="correct them",
            )


def make_scenes(
    folder: Path,
    *,
    count: int,
    subset: str = "compound",
    seed: int = 0,
    difficulty: SceneDifficulty | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> None:
    """Write a data set of scenes: pictures, a table of what is known of them, and a card that reads it.

    They move into the folder when all are made, the card last; an interrupted call leaves nothing.

    Args:
        folder: absent or empty.
        count: of the scenes; the labels take turns.
        subset: ``basic`` or ``compound``.
        seed: of everything. A larger set with the same seed begins with the scenes of a smaller one.
        workers: processes.

    Raises:
        UserError: the folder is not empty, or the 3-D assets are not installed.
        OSError: it cannot be written.
    """
    require_empty(folder)
    difficulty = difficulty or SceneDifficulty()
    made_with = versions()
    keys = [PictureKey(subset, "scene", index) for index in range(count)]
    with _filled_at_once(folder) as whole:
        (whole / "images").mkdir()
        rows: list[Mapping[str, Any]] = []
        for row in run_over(partial(_make_one, whole, seed, difficulty), keys, workers):
            rows.append(row)
            if progress:
                progress(len(rows), count)
        table = b"".join(map(encode_line, rows))
        about = {"generator": GENERATOR, "seed": seed, "subset": subset, "count": count}
        about |= {"difficulty": asdict(difficulty), "table_sha256": hashlib.sha256(table).hexdigest()}
        write_text(whole / TABLE, table.decode())
        write_text(whole / LICENCE, LICENCE_TEXT)
        write_json(whole / SCENES, {"schema": 1, **about, "versions": made_with, "licence": "CC0-1.0"})
        write_text(whole / CARD, _card(subset, seed, rows))


@contextmanager
def _filled_at_once(folder: Path) -> Iterator[Path]:
    """Yield a folder whose content then moves into *folder*; after an error that one is as it was."""
    was_there = is_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryDirectory(dir=folder, prefix=".scenes-") as scratch:
            yield Path(scratch)
            for item in sorted(Path(scratch).iterdir(), key=lambda item: item.name == CARD):
                item.rename(folder / item.name)
    except BaseException:
        if not was_there:
            with suppress(OSError):
                folder.rmdir()
        raise


def _make_one(folder: Path, seed: int, difficulty: SceneDifficulty, key: PictureKey) -> dict[str, Any]:
    """Write one scene and return its row."""
    from coabench_synthface.render import encode

    drawn = draft(seed, key, difficulty)
    frame = draw_frame(difficulty, generator(seed, "place", key.id))
    image, box = render_scene(drawn, frame)
    (folder / "images" / f"{key.id}.jpg").write_bytes(encode(image, drawn.scene.quality))
    known = attributes(key, drawn)
    off = max(abs(box[0] + box[2] - WIDTH) / WIDTH, abs(box[1] + box[3] - HEIGHT) / HEIGHT)
    distance = next(name for name, least in DISTANCES.items() if frame.side >= least)
    place = (*box, round(frame.side), distance, round(off, 2))
    row = {"id": key.id, "image": f"{key.id}.jpg", "label": key.label, "split": "test", SUBJECT: known[SUBJECT]}
    return {**row, **dict(zip(KNOWN, place, strict=True)), **{name: known[name] for name in KEPT}}


def draw_frame(difficulty: SceneDifficulty, rng: np.random.Generator) -> Frame:
    """Draw how large the face is, evenly on a logarithmic scale, and where: anywhere but in the middle of the scene."""
    from coabench_synthface.render import Frame

    side = float(np.exp(rng.uniform(np.log(difficulty.smallest), np.log(difficulty.largest))))
    while True:
        left, top = rng.uniform(0.1 * side, WIDTH - 1.1 * side), rng.uniform(0.3 * side, HEIGHT - 1.3 * side)
        off = abs(left + side / 2 - WIDTH / 2) / WIDTH, abs(top + side / 2 - HEIGHT / 2) / HEIGHT
        if max(off) > 0.15:
            return Frame(WIDTH, HEIGHT, float(left), float(top), side)


def render_scene(drawn: Draft, frame: Frame) -> tuple[Image, tuple[int, int, int, int]]:
    """Return the picture, and the box of the face in it, from hairline to chin and without the ears."""
    from coabench_synthface.background import long_hair
    from coabench_synthface.render import develop, head, outline, pose
    from coabench_synthface.room import room, shoulders

    person, scene, rng = drawn.person, drawn.scene, np.random.default_rng(drawn.scene.background)
    posed = pose(person, drawn.expression, scene)
    skull, face, neck = outline(person, posed, scene)
    row, column = np.mgrid[: frame.height, : frame.width].astype(np.float32) + np.float32(0.5)
    x, y = (column - frame.left) / frame.side, (row - frame.top) / frame.side
    linear = room(frame.width, frame.height, rng)
    if person.hair == "long":
        hairy = long_hair(linear, person, (skull[0], skull[2], skull[1]), rng, x, y)
        linear = np.where((y < neck[1] + 0.3)[..., None], hairy, linear)
    for layer in (head(person, drawn.expression, scene, posed, frame), shoulders(x, y, neck, scene.light, rng)):
        linear = layer[..., :3] + (1 - layer[..., 3:]) * linear
    left, top, right, bottom = (
        round(offset + frame.side * part)
        for offset, part in zip((frame.left, frame.top) * 2, face, strict=True)
    )  # fmt: skip
    box = max(left, 0), max(top, 0), min(right, frame.width), min(bottom, frame.height)
    return develop(np.asarray(linear, np.float32), scene, drawn.rng), box


def _card(subset: str, seed: int, rows: Sequence[Mapping[str, Any]]) -> str:
    import yaml

    alone = read_yaml(path("datasets_registry", f"synthface-{subset}.yaml"), "card")
    content = {
        "schema": 1,
        "name": f"synthface-scenes-{subset}",
        "title": f"Synthetic scenes, {subset} emotions",
        "loader": "faces",
        "description": f"{len(rows):,} rendered scenes of {WIDTH}×{HEIGHT} pixels (seed {seed}): a person in a room, "
        "with a head that is small, tilted and off the centre, and whose box is known. For measuring detectors and "
        "what cropping does: a number on them says nothing about accuracy on people.",
        **{key: alone[key] for key in ("homepage", "terms", "citation", "labels")},
        "splits": ["test"],
        "options": {
            "table": TABLE,
            "image": "images/{image}",
            "id": "id",
            "subject": SUBJECT,
            "attributes": [*KNOWN, *KEPT],
            "notes": ["synthetic scenes: a number on them says nothing about accuracy on people"],
        },
    }
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)
    return text
