"""What the live probe keeps up with while its model is slow: frames shown a second, age of answers, memory.

A camera of 30 frames a second at 640×480 (a photograph under a moving camera), the detector that ``--detector auto``
takes, the overlay and the conversion for the window, and a backbone that needs a given time for an answer: asleep, as a
GPU or another machine would be, or busy on every core, as a model on the CPU is.

    python benchmarks/webcam.py [--seconds 20] [--answer 1.0] [--answerers 1] [--frames 10000] [--json FILE]

A file that is there keeps the figures of other numbers of answerers.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from command_line import add_json, any_number, parser_of, run_benchmark, whole_number
from subject import machine

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from support.footage import film
from support.live import FixedFaces, Gated, asker, frame

import coabench.live.job as job
from coabench.backbone import Viewing
from coabench.live.detector_process import DetectorProcess
from coabench.live.probe import Probe
from coabench.live.settings import Settings
from coabench.live.snapshot import FaceAnswer, Frame
from coabench.live.sources import Source
from coabench.registry.detectors import find_detector
from coabench.support.opencv import opencv

CAMERA = 30.0


class Slow(Gated):
    """Answers after a time: half of it before either question."""

    def __init__(self, seconds: float, busy: bool) -> None:
        super().__init__()
        self.free, self.seconds, self.busy = True, seconds, busy
        self.matrix = torch.rand(512, 512)

    def look(self, batch: Sequence[Any]) -> Any:
        return _Viewing(self, batch)


class _Viewing(Viewing):
    def __init__(self, backbone: Slow, batch: Sequence[Any]) -> None:
        self.backbone, self.batch = backbone, batch

    def ask(self, questions: Sequence[Any], decode: str = "generate") -> list[Any]:
        from coabench.dialogue import Answer

        until = time.perf_counter() + self.backbone.seconds / 2
        while self.backbone.busy and time.perf_counter() < until:
            self.backbone.matrix @ self.backbone.matrix
        time.sleep(max(0.0, until - time.perf_counter()))
        return [q and Answer(q.options[v % len(q.options)]) for q, v in zip(questions, self.batch, strict=True)]


class Camera(Source):
    """Gives the shots of a film over and over, by the clock."""

    live = True
    fps = CAMERA

    def __init__(self, shots: Sequence[Any]) -> None:
        super().__init__("camera", print)
        self.shots = shots

    def frames(self) -> Iterator[Frame]:
        began = time.monotonic()
        for index in range(10**9):
            time.sleep(max(0.0, began + index / CAMERA - time.monotonic()))
            yield Frame(self.shots[index % len(self.shots)].frame.copy(), time.monotonic() - began, index)


class Glass:
    """Does all that a window does but for the screen."""

    def __init__(self) -> None:
        self.shown: list[float] = []

    def show(self, image: Any) -> None:
        opencv().cvtColor(image, opencv().COLOR_RGB2BGR)
        self.shown.append(time.monotonic())

    def pressed(self) -> str | None:
        time.sleep(0.001)
        return None

    def close(self) -> None:
        return


def show(name: str, seconds: float, answer: float, busy: bool, answerers: int) -> dict[str, Any]:
    """Run a session, of *answerers* side by side.

    Returns:
        frames shown a second, the longest gap, and how old answers were when they came.
    """
    glass, waits = Glass(), []
    fresh: list[float] = []
    seen = job.Probe.snapshot

    def watched(probe: Probe, now: float | None = None) -> Any:
        view = seen(probe, now)
        fresh.extend(f.age - f.answer.seconds for f in view.faces if f.answer and f.age is not None and not f.stale)
        return view

    class Watched(Probe):
        snapshot = watched
        newest = 0.0

        def start(self) -> None:
            self.listen(self.wait)
            super().start()

        def offer(self, frame: Frame) -> None:
            self.newest = frame.time
            super().offer(frame)

        def wait(self, answer: FaceAnswer) -> None:
            waits.append(self.newest - answer.time - answer.seconds)

    shots = list(film(90))
    detector = find_detector(name)
    process = DetectorProcess(detector.registration.name, None, detector.options())
    equipment = job.Equipment(tuple(asker(Slow(answer, busy)) for _ in range(answerers)), process, (), "slow")
    replaced = {"equip": lambda *_: equipment, "open_source": lambda *_: Camera(shots), "Window": lambda: glass}
    replaced |= {"check_display": lambda: None, "Probe": Watched}
    before = {name: getattr(job, name) for name in replaced}
    try:
        for name, value in replaced.items():
            setattr(job, name, value)
        summary = job.webcam(job.Session(seconds=seconds), lambda _: None)
    finally:
        for name, value in before.items():
            setattr(job, name, value)
    gaps = [b - a for a, b in zip(glass.shown, glass.shown[1:], strict=False)]
    return {
        "backbone": "busy" if busy else "asleep",
        "answerers": answerers,
        "detector": detector.registration.name,
        "shown a second": round((len(glass.shown) - 1) / (glass.shown[-1] - glass.shown[0]), 1),
        "median gap ms": round(1000 * statistics.median(gaps)),
        "longest gap ms": round(1000 * max(gaps)),
        "detections a second": round(summary.rates.detections / seconds, 1),
        "answers": summary.rates.answers,
        "median answer s": round(summary.rates.median or 0, 3),
        "answer older than its inference by, median, ms": round(1000 * statistics.median(waits)),
        "at most, ms": round(1000 * max(waits)),
        "shown as fresh after it came for, at most, s": round(max(fresh), 3),
    }


def memory(frames: int, answerers: int) -> dict[str, Any]:
    """Offer frames as fast as detection goes while answers take 50 ms; return how much the process grew."""
    first, *beside = (asker(Slow(0.05 / answerers, False)) for _ in range(answerers))
    probe = Probe(FixedFaces((10, 10, 200, 200)), first, Settings(), beside)
    sizes = []
    with probe:
        probe.start()
        for index in range(frames):
            probe.offer(frame(index, size=(480, 640), rate=CAMERA))
            probe.snapshot()
            if index in (frames // 10, frames - 1):
                sizes.append(_resident())
            if index % 50 == 0:
                time.sleep(0.05)
    return {"frames": frames, "MiB after a tenth": round(sizes[0], 1), "MiB at the end": round(sizes[1], 1),
            "peak MiB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)}  # fmt: skip


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=any_number(2), default=20.0, help="for each backbone")
    parser.add_argument("--detector", default="auto")
    parser.add_argument("--answer", type=any_number(0), default=1.0, help="seconds an answer takes")
    parser.add_argument(
        "--answerers", type=whole_number(1, 3), default=1, help="side by side, up to 3; each takes that long"
    )
    parser.add_argument("--frames", type=whole_number(10), default=10_000)
    add_json(parser)
    given = parser.parse_args()
    results = {
        "answerers": given.answerers,
        "machine": {**machine("cpu", torch.get_num_threads()), "date": datetime.now(UTC).date().isoformat()},
        "show": [show(given.detector, given.seconds, given.answer, busy, given.answerers) for busy in (False, True)],
        "memory": memory(given.frames, given.answerers),
    }
    print(json.dumps(results, indent=2))
    if given.json:
        kept = json.loads(given.json.read_text(encoding="utf-8"))["sessions"] if given.json.exists() else []
        others = [session for session in kept if session["answerers"] != given.answerers]
        sessions = sorted([*others, results], key=lambda session: session["answerers"])
        given.json.write_text(json.dumps({"sessions": sessions}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_benchmark(main)
