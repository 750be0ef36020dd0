"""Questions that a machine on which all is well can answer: the default model, images, a film, a face.

Each is asked in a process of its own, so that a crash or a hang of a library is a finding, too.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coabench.base.isolation import ProcessFailed, call_in_process
from coabench.base.signals import is_interrupt
from coabench.doctor.diagnosis import Diagnosis, State, described
from coabench.errors import CoabenchError, JobError, UserError
from coabench.registry import defaults

if TYPE_CHECKING:
    from PIL.Image import Image

TOPIC = "checks"
PATIENCE = 120.0
"""Seconds from which a check counts as hanging. Importing torch from a cold disk takes a while."""
LOSS = 8.0
"""Grey levels that formats may change a picture by, on average; it is one half colour, one half black."""
REPORT = "look at what is broken above; where nothing is, report it with the output of coabench doctor --json"
Row = dict[str, Any]
"""A `Diagnosis` without its topic, as it passes between processes."""


def start() -> Mapping[str, Future[list[Row]]]:
    """Start all checks."""
    pool = ThreadPoolExecutor(len(CHECKS))
    started = {name: pool.submit(call_in_process, examine, name, patience=PATIENCE) for name in CHECKS}
    pool.shutdown(wait=False)
    return started


def outcomes(started: Mapping[str, Future[list[Row]]]) -> Iterator[Diagnosis]:
    """Wait for the checks and yield what came of each."""
    for name, future in started.items():
        try:
            yield from (Diagnosis(TOPIC, **row) for row in future.result())
        except (ProcessFailed, OSError) as error:
            yield Diagnosis(TOPIC, name, "broken", str(error), REPORT)


def examine(name: str) -> list[Row]:
    """Do a check, in this process; what fails is a row of its own."""
    rows: list[Row] = []
    began = time.perf_counter()
    try:
        for row in CHECKS[name]():
            rows.append(row)
    except CoabenchError as error:
        found = f"{error.problem}{f': {error.found}' if error.found else ''}"
        rows.append(_row(name, "broken", found, error.remedy or REPORT, began))
    except BaseException as error:
        if is_interrupt(error):
            raise
        rows.append(_row(name, "broken", described(error), REPORT, began))
    return rows


def _row(item: str, state: State, found: str, remedy: str, began: float) -> Row:
    seconds = round(time.perf_counter() - began, 3)
    return {"item": item, "state": state, "found": found, "remedy": remedy, "seconds": seconds}


def _step(text: str) -> None:
    """Leave a trace of what is done next, for the case that it crashes or hangs."""
    print(text, file=sys.stderr, flush=True)


def _answer() -> Iterator[Row]:
    """Load the default model and ask it about a face that ships."""
    began = time.perf_counter()
    _step("importing what evaluates")
    from coabench.base.vocabulary import ERROR
    from coabench.evaluation.plan import Evaluation, check
    from coabench.evaluation.records import records_of
    from coabench.inference.batching import Fixed
    from coabench.runs.run import Batch

    plan = check(Evaluation(defaults.BACKBONE, defaults.STRATEGY, defaults.DATASET, limit=1))
    _step(f"loading {defaults.BACKBONE}")
    plan.backbone.load()
    loaded = time.perf_counter()
    _step(f"asking {defaults.BACKBONE}")
    (record,) = next(records_of(plan, [Batch(range(1))], Fixed(1)))
    if record["status"] == ERROR:
        raise JobError(f"{defaults.BACKBONE} could not be asked about {record['id']}", found=record["reason"])
    answer = record["prediction"] or record["reason"]
    found = f"{defaults.BACKBONE} with {defaults.STRATEGY} answered {answer}"
    times = f"loaded in {loaded - began:.1f} s, answered in {time.perf_counter() - loaded:.2f} s"
    yield _row("answer", "ok", f"{found}; {times}", "", began)


def _images() -> Iterator[Row]:
    """Write a small picture in each format that is read, and read it."""
    import numpy as np
    from PIL import Image as images

    from coabench.support.images import FORMATS, HEIC_REMEDY, decode

    half = np.zeros((48, 64, 3), np.uint8)
    half[:, :32] = (200, 60, 40)
    picture = images.fromarray(half)
    for name in (*FORMATS, "HEIC"):
        began = time.perf_counter()
        _step(f"reading {name}")
        try:
            read, _ = decode(_encoded(picture, name))
            error = float(np.abs(np.asarray(read, int) - half).mean())
        except _NoEncoder as missing:
            remedy = HEIC_REMEDY if name == "HEIC" else "pip install --upgrade pillow"
            yield _row(name, "missing", f"{missing}: such images are not read", remedy, began)
            continue
        except Exception as failed:
            found = f"a small picture cannot be written and read: {described(failed)}"
        else:
            found = f"read in {1000 * (time.perf_counter() - began):.1f} ms"
            if error < LOSS:
                yield _row(name, "ok", found, "", began)
                continue
            found += ", but not as it was written"
        package = "pillow-heif" if name == "HEIC" else "pillow"
        yield _row(name, "broken", found, f"pip install --force-reinstall {package}", began)


class _NoEncoder(Exception):
    """This Pillow does not know the format; the message says who lacks it."""


def _encoded(picture: Image, name: str) -> bytes:
    import PIL
    from PIL import Image as images

    kind = name
    if name == "HEIC":
        try:
            from pillow_heif import register_heif_opener
        except ImportError:
            raise _NoEncoder("the package pillow-heif is not installed") from None
        register_heif_opener(thumbnails=False)
        kind = "HEIF"
    images.init()
    if kind not in images.SAVE:
        raise _NoEncoder(f"Pillow {PIL.__version__} has no {name}")
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def _film() -> Iterator[Row]:
    """Write a short film, and read its frames."""
    import numpy as np

    began = time.perf_counter()
    _step("importing OpenCV")
    from coabench.support.films import Film, opened
    from coabench.support.opencv import opencv

    cv2 = opencv()
    greys = [20, 80, 140, 200]
    with tempfile.TemporaryDirectory(prefix="coabench-") as folder:
        path = str(Path(folder) / "film.mp4")
        _step("writing a film")
        writer = cv2.VideoWriter(path, cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"mp4v"), 10.0, (64, 48))
        for grey in greys:
            writer.write(np.full((48, 64, 3), grey, np.uint8))
        writer.release()
        _step("reading a film")
        capture = opened(path) if Path(path).is_file() else None
        read = [] if capture is None else [float(picture.mean()) for picture, _ in Film(capture).pictures()]
        if capture is not None:
            capture.release()
    if len(read) != len(greys) or any(abs(a - b) > 12 for a, b in zip(read, greys, strict=True)):
        raise UserError(
            f"OpenCV {cv2.__version__} wrote {len(greys)} frames of MPEG-4 and read {len(read)} of them",
            remedy="pip install --force-reinstall opencv-python, whose wheels have FFmpeg",
        )
    took = time.perf_counter() - began
    yield _row("film", "ok", f"{len(read)} frames of MPEG-4 written and read in {took:.2f} s", "", began)


def _face() -> Iterator[Row]:
    """Let the detector that ``auto`` takes find a face that ships."""
    import numpy as np
    from PIL import Image as images

    began = time.perf_counter()
    from coabench.registry.catalog import find_dataset
    from coabench.registry.detectors import AUTO, find_detector
    from coabench.support.images import decode

    choice = find_dataset(defaults.DATASET)
    dataset = choice.open(None)
    sample = dataset.samples(choice.card.splits[0])[0]
    face, _ = decode(sample.image.read())
    canvas = images.new("RGB", (3 * face.width, 3 * face.height), "gray")
    canvas.paste(face, face.size)
    chosen = find_detector(AUTO)
    _step(f"loading {chosen.registration.name}")
    detector = chosen.open()
    loaded = time.perf_counter()
    _step(f"finding a face with {chosen.registration.name}")
    boxes = [found.box for found in detector.detect(np.asarray(canvas))]
    took = time.perf_counter() - loaded
    x, y = (1.5 * side for side in face.size)
    if not any(left < x < right and top < y < bottom for left, top, right, bottom in boxes):
        raise UserError(
            f"{chosen.registration.name} does not find the face of {sample.id}",
            found=f"{len(boxes)} others" if boxes else "none",
            remedy="name another --detector for coabench webcam; coabench list detectors shows what there is",
        )
    times = f"loaded in {loaded - began:.1f} s, found in {1000 * took:.0f} ms"
    yield _row("face", "ok", f"{chosen.registration.name} finds the face of {sample.id}; {times}", "", began)


CHECKS: dict[str, Callable[[], Iterator[Row]]] = {"answer": _answer, "images": _images, "film": _film, "face": _face}
