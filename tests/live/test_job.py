"""``coabench webcam`` from outside: what it finds, answers, records and logs; how it ends; what it refuses."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.films import cut_off, grey, timed
from support.footage import film
from support.live import FixedFaces, Gated, asker, frame
from support.planted import plant
from support.process import Run, start, wait_for
from support.stream import streaming

import coabench.live.job as job
from coabench.detector import Face
from coabench.live import gaps
from coabench.live.overlay.colours import face_colour
from coabench.live.recording import Recording, count_frames
from coabench.live.settings import Settings
from coabench.live.snapshot import Frame
from coabench.live.sources import Source, open_source

pytestmark = pytest.mark.process

pytest.importorskip("cv2", reason="OpenCV is not installed")

BASE = ("webcam", "--no-window", "--backbone", "scripted:a", "--detector", "brightest")
SLOW = ("--set", "backbone.delay=100")


def footage(path: Path, frames: int = 20, fps: float = 10.0) -> Path:
    """Write a video of a bright square that moves over a dark ground; frame 7 has none."""
    with Recording(path, fps) as recording:
        for number in range(frames):
            picture = np.full((120, 160, 3), 20 + number, np.uint8)
            if number != 7:
                picture[30:80, 10 + 3 * number : 60 + 3 * number] = 150 + number
            recording.write(picture, number / fps)
    return path


def log(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    header, *answers = [json.loads(line) for line in path.read_text().splitlines()]
    return header, answers


def without_times(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    times = {"seconds", "detect", "wait"}
    return [{k: v for k, v in answer.items() if k not in times} for answer in answers]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who has not seen the notice."""
    folder = tmp_path / "config"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    return folder


@pytest.fixture
def coabench(coabench: Run, home: Path) -> Run:
    return lambda *arguments, **variables: coabench(*arguments, XDG_CONFIG_HOME=str(home), **variables)


def test_a_video_is_answered_logged_and_recorded(coabench: Run, tmp_path: Path) -> None:
    footage(tmp_path / "in.mp4")
    outputs = ("--record", "out.mp4", "--record-clean", "clean.mp4", "--log", "out.jsonl", "--crops", "crops")
    result = coabench(*BASE, "--source", "in.mp4", *outputs)
    assert result.returncode == 0, result.stderr
    header, answers = log(tmp_path / "out.jsonl")
    identity = header["identity"]
    assert identity["backbone"]["plugin_version"] == "2.5"
    assert identity["strategy"]["name"] == "chain-of-affect:corrected"
    assert identity["detector"]["name"] == "brightest"
    assert identity["detector"]["options"] == {"above": 128}
    assert identity["settings"]["smooth"] == 3
    assert header["source"] == "in.mp4"
    assert [a["frame"] for a in answers] == [n for n in range(20) if n != 7]
    assert [a["time"] for a in answers] == pytest.approx([n / 10 for n in range(20) if n != 7], abs=0.001)
    assert {a["track"] for a in answers} == {1}
    assert answers[3]["box"] == pytest.approx([19, 30, 69, 80], abs=3)
    both = next(a for a in answers if len(a["turns"]) == 2)
    assert both["turns"][0]["label"] in both["turns"][1]["prompt"]
    assert {a["status"] for a in answers} <= {"ok", "invalid"}
    for answer in answers:
        with Image.open(tmp_path / "crops" / answer["crop"]) as crop:
            assert max(crop.size) == max(answer["box"][2] - answer["box"][0], answer["box"][3] - answer["box"][1])
    assert count_frames(tmp_path / "out.mp4") == count_frames(tmp_path / "clean.mp4") == 20
    assert "with a face    19 of 20 looked at" in result.stdout
    assert "answers        19" in result.stdout
    assert "median" in result.stdout


def test_labels_that_no_font_can_draw_are_warned_of_once(coabench: Run, tmp_path: Path) -> None:
    footage(tmp_path / "in.mp4", 2)
    classes = '[{name: Fear}, {name: Happiness}, {name: "Sad \\u0378"}]'  # which is no character
    (tmp_path / "mine.yaml").write_text(f"name: mine\nloader: faces\nsplits: [test]\nlabels: {{classes: {classes}}}\n")
    words = (*BASE, "--source", "in.mp4", "--labels", "mine.yaml", "--strategy", "direct")
    drawn = coabench(*words, "--record", "out.mp4", "--log", "a.jsonl")
    assert drawn.returncode == 0, drawn.stderr
    assert drawn.stderr.count("no font here can draw the label") == 1
    assert "it is shown as Sad \\u0378; install one" in drawn.stderr
    assert "no font" not in coabench(*words, "--log", "b.jsonl").stderr


def test_the_weights_of_a_detector_are_in_the_identity(coabench: Run, tmp_path: Path) -> None:
    code = """
@hookimpl
def coabench_register_detectors(register):
    register("weighty", "coabench_scripted.detector:Brightest", weights=(".bin",))
"""
    plant(tmp_path, "zz_weighty", code)
    footage(tmp_path / "in.mp4", 2)
    words = ("webcam", "--no-window", "--backbone", "scripted:a", "--detector", "weighty", "--source", "in.mp4")
    logged = []
    for number, content in enumerate((b"one", b"other")):
        (tmp_path / "a.bin").write_bytes(content)
        output = f"{number}.jsonl"
        result = coabench(*words, "--detector-weights", "a.bin", "--log", output, PYTHONPATH=str(tmp_path))
        assert result.returncode == 0, result.stderr
        logged.append(log(tmp_path / output)[0]["identity"]["detector"])
    assert logged[0]["weights_sha256"] == hashlib.sha256(b"one").hexdigest()
    assert logged[0] != logged[1]


def test_a_film_that_ends_early_is_said_and_logged(coabench: Run, tmp_path: Path) -> None:
    cut_off(footage(tmp_path / "in.avi"), 0.5)
    result = coabench(*BASE, "--source", "in.avi", "--log", "out.jsonl")
    assert result.returncode == 0, result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("in.avi: ")]
    assert " of 20 announced frames; it ends early, at " in line
    *answers, note = log(tmp_path / "out.jsonl")[1]
    assert note == {"kind": "note", "text": line}
    assert f"in.avi: {answers[-1]['frame'] + 1} of 20" in line
    assert coabench(*BASE, "--source", "in.avi", "--log", "b.jsonl", "--max-frames", 3).returncode == 0
    assert all("kind" not in answer for answer in log(tmp_path / "b.jsonl")[1])  # nobody looked for its end


def test_the_log_matches_the_recording_of_a_film_of_variable_rate(coabench: Run, tmp_path: Path) -> None:
    times = [0.0, 0.5, 1.0, *(1.0 + n / 60 for n in range(1, 9)), 4.2, 4.7]  # a fast part, and a gap of three seconds
    pictures = [grey(20, 160, 120) for _ in times]
    for number, picture in enumerate(pictures):
        picture[30:80, 10 + 5 * number : 60 + 5 * number] = 220
    timed(tmp_path / "in.mkv", pictures, times)
    outputs = ("--record", "out.mp4", "--record-clean", "clean.avi", "--log", "out.jsonl")
    result = coabench(*BASE, "--source", "in.mkv", *outputs)
    assert result.returncode == 0, result.stderr
    assert "announced" in result.stderr  # as many as its length and its highest rate make
    answers = [line for line in log(tmp_path / "out.jsonl")[1] if "kind" not in line]
    assert [a["time"] for a in answers] == pytest.approx(times, abs=0.001)
    source = open_source(str(tmp_path / "clean.avi"), print)
    recorded = [frame.image for frame in source.frames()]
    assert len(recorded) / (source.fps or 0) == pytest.approx(4.8, abs=0.02)  # the whole film
    for drawn in open_source(str(tmp_path / "out.mp4"), print).frames():
        assert not ((drawn.image[..., 0] > 150) & (drawn.image[..., 1] < 100)).any()  # nobody watched: no red REC
    for answer in answers:
        picture = recorded[round(answer["time"] * (source.fps or 0))]
        assert np.flatnonzero(picture[50, :, 0] > 128)[0] == pytest.approx(answer["box"][0], abs=2)


def test_the_same_video_gives_the_same_log_each_time(coabench: Run, tmp_path: Path) -> None:
    footage(tmp_path / "in.mp4")
    for name in ("a", "b"):
        assert coabench(*BASE, "--source", "in.mp4", "--log", f"{name}.jsonl", "--every", "0.3").returncode == 0
    first, second = (log(tmp_path / f"{name}.jsonl")[1] for name in ("a", "b"))
    assert [a["frame"] for a in first] == [0, 3, 6, 9, 12, 15, 18]
    assert without_times(first) == without_times(second)


def test_smoothing_changes_no_answer_in_the_log(coabench: Run, tmp_path: Path) -> None:
    footage(tmp_path / "in.mp4")
    for n in (1, 5):
        assert coabench(*BASE, "--source", "in.mp4", "--log", f"{n}.jsonl", "--smooth", n).returncode == 0
    single, voted = (without_times(log(tmp_path / f"{n}.jsonl")[1]) for n in (1, 5))
    assert {answer["smoothed"] for answer in single} == {None}
    assert [{**answer, "smoothed": None} for answer in voted] == single
    for last, answer in enumerate(voted):
        labels = Counter(each["prediction"] for each in voted[max(0, last - 4) : last + 1] if each["prediction"])
        assert labels[answer["smoothed"]] == max(labels.values(), default=0)


def test_saved_crops_evaluated_give_the_same_answers(coabench: Run, tmp_path: Path) -> None:
    """With the detector, the backbone and the adapter that are taken where nothing is said, on a real face."""
    with Recording(tmp_path / "in.mp4", 10.0) as recording:
        for shot in film(12):
            recording.write(shot.frame, shot.time)
    result = coabench("webcam", "--no-window", "--source", "in.mp4", "--log", "out.jsonl", "--crops", "crops")
    assert result.returncode == 0, result.stderr
    assert "the best that is available here" in result.stderr
    answers = log(tmp_path / "out.jsonl")[1]
    assert len(answers) >= 11
    home = tmp_path / "tree" / "compound"
    (home / "Image" / "aligned").mkdir(parents=True)
    (home / "EmoLabel").mkdir()
    rows = []
    for number, answer in enumerate(answers, start=1):
        shutil.copy(tmp_path / "crops" / answer["crop"], home / "Image" / "aligned" / f"test_{number:03}.png")
        rows.append(f"test_{number:03}.png 1\n")
    (home / "EmoLabel" / "list_patition_label.txt").write_text("".join(rows))
    result = coabench("evaluate", "--dataset", "raf-db-compound", "--data-root", "tree", "--output", "run")
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in (tmp_path / "run" / "predictions.jsonl").read_text().splitlines()]
    fields = ("prediction", "status", "reason")
    assert [[r[f] for f in fields] for r in records] == [[a[f] for f in fields] for a in answers]
    asked = [[(t["prompt"], t["response"], t["label"]) for t in r["turns"]] for r in records]
    assert asked == [[(t["prompt"], t["response"], t["label"]) for t in a["turns"]] for a in answers]


def test_a_folder_of_images_another_strategy_other_labels_and_scores(coabench: Run, tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    for number in range(3):
        Image.new("RGB", (50, 40), (200, 200, 150 + number)).save(tmp_path / "faces" / f"{number}.png")
    chosen = ("--strategy", "direct", "--labels", "synthface-basic", "--decode", "score", "--detector", "none")
    result = coabench(*BASE, "--source", "faces", *chosen, "--log", "out.jsonl", "--crops", "crops")
    assert result.returncode == 0, result.stderr
    header, answers = log(tmp_path / "out.jsonl")
    assert len(header["identity"]["labels"]["names"]) == 7
    assert [a["box"] for a in answers] == [[0, 0, 50, 40]] * 3
    assert list(answers[0]["turns"][0]["scores"]) == answers[0]["turns"][0]["options"]
    assert [a["file"] for a in answers] == ["0.png", "1.png", "2.png"]
    assert [a["track"] for a in answers] == [1, 2, 3]  # pictures of a folder are no film
    assert [a["smoothed"] for a in answers] == [a["prediction"] for a in answers]
    for answer in answers:
        scores = np.exp([*answer["turns"][0]["scores"].values()])
        assert answer["confidence"] == pytest.approx(scores.max() / scores.sum(), abs=1e-4)
    with Image.open(tmp_path / "crops" / answers[1]["crop"]) as crop:
        assert crop.getpixel((0, 0)) == (200, 200, 151)


def test_exemplars_come_from_a_data_set_that_is_named(coabench: Run, tmp_path: Path) -> None:
    footage(tmp_path / "in.mp4", 3)
    one = (*BASE, "--source", "in.mp4", "--strategy", "one-shot", "--log", "out.jsonl")
    refused = coabench(*one)
    assert refused.returncode == 2
    assert "--exemplars-from" in refused.stderr
    result = coabench(*one, "--exemplars-from", "drawn", "--labels", "drawn")
    assert "the exemplars of drawn are shown whole, and the faces asked about are cut out" in result.stderr
    assert result.returncode == 0, result.stderr
    header, answers = log(tmp_path / "out.jsonl")
    assert header["identity"]["exemplars"][0]["id"].startswith("drawn/train")
    assert len(answers) == 3


def test_limits_end_it(coabench: Run, tmp_path: Path) -> None:
    footage(tmp_path / "in.mp4")
    for option, expected in ((("--max-frames", "5"), 5), (("--seconds", "0.5"), 6)):
        result = coabench(*BASE, "--source", "in.mp4", *option)
        assert result.returncode == 0
        assert f"frames         {expected}\n" in result.stdout


def test_the_notice_is_shown_once_and_nothing_else_is_stored(coabench: Run, tmp_path: Path, home: Path) -> None:
    footage(tmp_path / "in.mp4", 2)
    before = {*tmp_path.rglob("*")}
    first, second = (coabench(*BASE, "--source", "in.mp4") for _ in range(2))
    assert "2024/1689" in first.stderr
    assert "Ask everybody" in first.stderr
    assert "2024/1689" not in second.stderr
    assert {p.relative_to(home).as_posix() for p in {*tmp_path.rglob("*")} - before - {home}} == {
        "coabench",
        "coabench/webcam-notice-1",
    }


def test_a_third_party_detector_is_listed_and_its_options_are_set(coabench: Run, tmp_path: Path) -> None:
    footage(tmp_path / "in.mp4", 4)
    result = coabench(*BASE, "--source", "in.mp4", "--set", "above=250")
    assert result.returncode == 0, result.stderr
    assert "with a face    0 of 4" in result.stdout
    assert "answers        0" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "nothing.mp4"], "there is nothing there"),
        (["--source", "17"], "no such camera"),
        (["--source", "junk.mp4"], "cannot be read as a video"),
        (["--record", "a.xyz"], "no codec for .xyz"),
        (["--record", "no/a.mp4"], "no folder"),
        (["--log", "in.mp4"], "already there"),
        (["--log", "a", "--record-clean", "./a.mp4", "--record", "a.mp4"], "the same name"),
        (["--crops", "full"], "not empty"),
        (["--faces", "some"], "--faces 'some' cannot be read"),
        (["--detector", "brihgtest"], "did you mean 'brightest'"),
        (["--detector", "unready"], "the stars are wrong"),
        (["--strategy", "chain-of-afect"], "did you mean 'chain-of-affect'"),
        (["--labels", "synthface-compond"], "did you mean 'synthface-compound'"),
        (["--set", "abvoe=1"], "did you mean 'above'"),
        (["--every", "-1"], "-1"),
        (["--smooth", "0"], "0 is not in the range"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(
    coabench: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    footage(tmp_path / "in.mp4", 2)
    (tmp_path / "junk.mp4").write_bytes(b"\x00" * 999)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    before = {path for path in tmp_path.rglob("*") if "config" not in path.parts}
    result = coabench(*BASE, "--source", "in.mp4", *arguments)
    assert result.returncode == 2, result.stderr
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert {path for path in tmp_path.rglob("*") if "config" not in path.parts} == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a display")
def test_without_a_display_the_window_is_refused_before_anything_is_loaded(coabench: Run, tmp_path: Path) -> None:
    footage(tmp_path / "in.mp4", 2)
    for display in ("", ":4711"):  # none, and one that nobody serves: OpenCV would abort
        variables = {"DISPLAY": display, "WAYLAND_DISPLAY": "", "SCRIPTED_NO_LOAD": "1"}
        result = coabench("webcam", "--source", "in.mp4", "--backbone", "scripted", **variables)
        assert result.returncode == 2, result.stderr
        assert "--no-window" in result.stderr
        assert "--serve" in result.stderr
        names = (("--strategy", "dierct"), ("--detector", "brihgtest"), ("--labels", "no.yaml"), ("--source", "no.mp4"))
        for option, name in names:  # come first: a display is no help with them
            result = coabench("webcam", "--source", "in.mp4", "--backbone", "scripted", option, name, **variables)
            assert (result.returncode, name in result.stderr, "display" in result.stderr) == (2, True, False)


def test_a_defect_of_the_backbone_ends_it_with_valid_files(coabench: Run, tmp_path: Path) -> None:
    footage(tmp_path / "in.mp4")
    files = ("--log", "out.jsonl", "--record", "out.mp4")
    result = coabench(*BASE, "--source", "in.mp4", *files, "--set", "crash_after=6")
    assert result.returncode == 1
    assert "the machine is on fire" in result.stderr
    assert "put it out" in result.stderr
    assert len(log(tmp_path / "out.jsonl")[1]) >= 2
    assert count_frames(tmp_path / "out.mp4") >= 2


class Started:
    """A session in a process of its own."""

    def __init__(self, folder: Path, environment: dict[str, str], *arguments: object) -> None:
        self.error = folder / "stderr.txt"
        with self.error.open("w") as error:
            self.process = start(folder, environment, *arguments, stderr=error)

    def end(self, number: int) -> tuple[int, str]:
        self.process.send_signal(number)
        said, _ = self.process.communicate(timeout=60)  # the model alone would take longer
        return self.process.returncode, said


@pytest.mark.skipif(os.name != "posix", reason="signals are sent")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_while_the_model_thinks_with_valid_files(
    environment: dict[str, str], tmp_path: Path, home: Path, number: int
) -> None:
    footage(tmp_path / "in.mp4")
    files = ("--log", "out.jsonl", "--record", "out.mp4", "--record-clean", "clean.mp4")
    # The first answer comes at once, the second batch hangs in the model.
    options = ("--source", "in.mp4", *files, "--set", "slow_after=2", *SLOW)
    session = Started(tmp_path, {**environment, "XDG_CONFIG_HOME": str(home)}, *BASE, *options)
    answered = tmp_path / "out.jsonl"
    wait_for(lambda: answered.exists() and answered.read_text().count("\n") == 2, session.process)  # header and answer
    time.sleep(0.5)
    code, said = session.end(number)
    assert code == 128 + number, session.error.read_text()
    assert "all files are closed" in session.error.read_text()
    cause = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    assert json.loads(answered.read_text().splitlines()[-1]) == {"kind": "note", "text": f"stopped by {cause}"}
    assert "answers        1" in said
    assert count_frames(tmp_path / "out.mp4") == count_frames(tmp_path / "clean.mp4") == 1
    assert "Traceback" not in session.error.read_text()


def test_a_stream_is_watched_live_without_a_window(coabench: Run, tmp_path: Path) -> None:
    picture = np.full((120, 160, 3), 20, np.uint8)
    picture[30:80, 40:90] = 220
    # Frames for some seconds, so that a face is asked about on any machine; and often enough for the thread that reads
    # them to end in time: one that is left behind ends the process, which is that of the tests.
    with streaming(picture, pause=0.1) as address:
        result = coabench(*BASE, "--source", address, "--max-frames", 45, "--log", "out.jsonl", "--record", "out.mp4")
    assert result.returncode == 0, result.stderr
    header, answers = log(tmp_path / "out.jsonl")
    assert header["source"] == address
    assert answers
    assert [a["frame"] for a in answers] == sorted({a["frame"] for a in answers})
    assert count_frames(tmp_path / "out.mp4") >= 2
    assert "frames         45" in result.stdout


def test_the_display_continues_while_the_model_thinks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model never answers; the window shows every frame of the camera nonetheless, and the newest is offered."""
    backbone = Gated()
    shown: list[int] = []

    class Glass:
        def show(self, image: Any) -> None:
            shown.append(int(image[60, 100, 0]))  # where no text is

        def pressed(self) -> str | None:
            return "end" if len(set(shown)) >= 60 else None

        def close(self) -> None:
            return

    class Cam(Source):
        live = True

        def frames(self) -> Any:
            for index in range(10**6):
                yield frame(index, 60 + index % 150, size=(120, 160))
                time.sleep(0.002)

    monkeypatch.setattr(job, "check_display", lambda: None)
    monkeypatch.setattr(job, "Window", Glass)
    monkeypatch.setattr(job, "open_source", lambda spec, note: Cam(spec, note))
    detector = FixedFaces((10, 80, 50, 110))
    monkeypatch.setattr(job, "equip", lambda *_: job.Equipment((asker(backbone),), detector, (), "gated"))
    summary = job.webcam(job.Session(settings=Settings(min_face=1)), print)
    assert len(set(shown)) >= 60
    assert len(backbone.seen) == 1
    assert summary.rates.answers == 0
    assert summary.left_behind
    backbone.free = True
    backbone.gate.release(5)


@pytest.mark.parametrize("draw_on", ["newest", "looked"])
def test_boxes_are_drawn_on_the_frame_that_was_looked_at_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draw_on: str
) -> None:
    drawn: list[tuple[float, bool]] = []

    class Slow(FixedFaces):
        def detect(self, frame: Any) -> list[Face]:
            time.sleep(0.05)
            return super().detect(frame)

    class Cam(Source):
        live, fps = True, 100.0

        def frames(self) -> Any:
            for index in range(40):
                yield frame(index, 60 + index, size=(120, 160), rate=100.0)
                time.sleep(0.01)

    def noticed(image: Any, snapshot: Any, *_: Any) -> Any:
        if snapshot.frame is not None:
            drawn.append((float(image[60, 100, 0]), image is snapshot.frame.image))
        return image

    monkeypatch.setattr("coabench.live.stage.draw", noticed)
    monkeypatch.setattr(job, "open_source", lambda spec, note: Cam(spec, note))
    backbone = Gated()
    backbone.free = True
    asks = asker(backbone)
    equipment = job.Equipment((asks,), Slow((10, 80, 50, 110)), (asks.identity,), "gated")
    monkeypatch.setattr(job, "equip", lambda *_: equipment)
    monkeypatch.setattr("coabench.live.stage.REPORT", 0.0)
    keep = {"record": tmp_path / "a.avi", "log": tmp_path / "a.jsonl"}
    job.webcam(job.Session(window=False, draw_on=draw_on, settings=Settings(min_face=1), **keep), print)  # type: ignore
    gauges = [line for line in log(tmp_path / "a.jsonl")[1] if line.get("kind") == "gauges"]
    assert [*gauges[0]] == ["kind", "time", "processor", "memory", "gpu", "gpu_memory"]
    assert len(drawn) > 10
    assert [shade for shade, _ in drawn] == sorted(shade for shade, _ in drawn)
    assert all(fits for _, fits in drawn) is (draw_on == "looked")
    shown = [round(float(each.image.mean())) for each in open_source(str(tmp_path / "a.avi"), print).frames()]
    if draw_on == "looked":  # at most one frame in five was looked at; each is shown at its own time
        assert len(set(shown)) < 20 < len(shown)
    for number, shade in enumerate(shown):
        assert shade <= 60 + number + 2


def test_plates_keep_their_place_within_a_film_and_not_from_photo_to_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memories: list[Any] = []

    class Photos(Source):
        fps = 10.0

        def frames(self) -> Any:
            for index, scene in enumerate((0, 0, 1)):
                yield Frame(grey(90, 240, 180), index / 10, index, scene=scene)

    def noticed(image: Any, snapshot: Any, marks: Any, seats: Any) -> Any:
        memories.append(seats)
        return image

    monkeypatch.setattr("coabench.live.stage.draw", noticed)
    monkeypatch.setattr(job, "open_source", lambda spec, note: Photos(spec, note))
    backbone = Gated()
    backbone.free = True
    asks = asker(backbone)
    equipment = job.Equipment((asks,), FixedFaces((10, 10, 50, 40)), (asks.identity,), "gated")
    monkeypatch.setattr(job, "equip", lambda *_: equipment)
    job.webcam(job.Session(window=False, settings=Settings(min_face=1), record=tmp_path / "a.avi"), print)
    first, second, third = memories
    assert first is second
    assert third is not second


def test_a_recording_leaves_out_what_the_user_paused_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bright: list[float] = []
    pressed: list[float] = []

    class Glass:
        def show(self, image: Any) -> None:
            if image[120, 220, 0] > 100:  # where no text is
                bright.append(time.monotonic())

        def pressed(self) -> str | None:
            if len(bright) < 10:
                return None
            if len(pressed) == 1:
                time.sleep(0.5)
            elif len(pressed) == 2:
                return "end" if len(bright) > 20 else None
            pressed.append(time.monotonic())
            return "pause"

        def close(self) -> None:
            return

    class Cam(Source):
        live, fps = True, 50.0

        def frames(self) -> Any:
            began = time.monotonic()
            yield Frame(grey(0, 240, 180), 0.0, 0)
            time.sleep(1.0)  # a camera that stalls
            for index in range(1, 10**6):
                seen.append(time.monotonic() - began)
                yield Frame(grey(200, 240, 180), seen[-1], index)
                time.sleep(0.02)

    seen: list[float] = []
    monkeypatch.setattr(job, "check_display", lambda: None)
    monkeypatch.setattr(job, "Window", Glass)
    monkeypatch.setattr(job, "open_source", lambda spec, note: Cam(spec, note))
    backbone = Gated()
    backbone.free = True
    asks = asker(backbone)
    equipment = job.Equipment((asks,), FixedFaces((10, 10, 50, 40)), (asks.identity,), "gated")
    monkeypatch.setattr(job, "equip", lambda *_: equipment)
    monkeypatch.setattr(gaps, "LONG", 0.8)
    keep = {"record_clean": tmp_path / "a.avi", "log": tmp_path / "a.jsonl"}
    job.webcam(job.Session(settings=Settings(min_face=1), **keep), print)  # type: ignore[arg-type]
    stall, pause = [line for line in log(tmp_path / "a.jsonl")[1] if line.get("kind") == "gap"]
    assert (stall["time"], stall["why"], pause["why"]) == (0.0, "no frames", "paused")
    assert stall["seconds"] == pytest.approx(seen[0], abs=0.1)
    assert pause["seconds"] == pytest.approx(pressed[1] - pressed[0], abs=0.3)
    shown = [float(frame.image.mean()) > 100 for frame in open_source(str(tmp_path / "a.avi"), print).frames()]
    assert 45 <= shown.index(True) <= seen[0] * 50 + 1  # the camera's second is kept
    assert len(shown) <= (seen[-1] - (pressed[1] - pressed[0])) * 50 + 3


@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="xvfb-run is not installed")
@pytest.mark.parametrize("ending", ["end", "mouse"])
def test_the_window_under_a_virtual_display(
    environment: dict[str, str], tmp_path: Path, home: Path, ending: str
) -> None:
    """A folder of images stays on the screen until the window is to close."""
    for attempt in range(4):  # without a window manager Qt sometimes never shows its window to a busy X server
        folder = tmp_path / str(attempt)
        session_in_a_window(environment, folder, home, ending)
        with Image.open(folder / "screen.png") as screen:
            shown = np.asarray(screen.convert("RGB")).astype(int)
        if shown.any():
            break
    check_the_window(folder, shown)


def session_in_a_window(environment: dict[str, str], folder: Path, home: Path, ending: str) -> None:
    (folder / "faces").mkdir(parents=True)
    picture = np.full((240, 320, 3), 20, np.uint8)
    picture[60:160, 100:200] = 220
    Image.fromarray(picture).save(folder / "faces" / "0.png")
    command = "webcam --source faces --backbone scripted:a --detector brightest --set noise=no --log out.jsonl"
    (folder / "keys.py").write_text(KEYS)
    number = str(1000 + os.getpid() % 30000)  # two that look for a free one at once may both take it
    server = ["xvfb-run", "-a", "-n", number, "-s", "-screen 0 800x600x24"]
    result = subprocess.run(
        [*server, sys.executable, "keys.py", *command.split(), ending],
        cwd=folder,
        env={**environment, "XDG_CONFIG_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "QFontDatabase" not in result.stderr


def check_the_window(folder: Path, shown: Any) -> None:
    _, answers = log(folder / "out.jsonl")
    assert len(answers) == 1
    still = next(folder.glob("stills/*/still000000.png"))
    assert (still.parent / answers[0]["crop"]).is_file()
    recorded = next(folder.glob("stills/*/recording1.mp4"), None)
    assert recorded is None  # nothing new came while it recorded
    outline = abs(shown - np.array(face_colour(1))).sum(axis=2) < 40
    assert outline.sum() > 100  # of the face
    assert (shown[..., 0] > 180).sum() > 1000  # the face itself


KEYS = """
'''Presses keys in the window of a session, by the way that OpenCV hears of them.'''
import itertools, sys, threading, time
from pathlib import Path
from coabench.live import window
from coabench.live.overlay.colours import face_colour

patience = iter(range(40))  # half a second each: a busy machine draws late
script = iter(["details", "details", "still", "record", "record", "pause", "pause", sys.argv.pop()])

class Pressing(window.Window):
    began = None

    def pressed(self):
        global script
        found = super().pressed()
        assert found is None
        if not Path("out.jsonl").exists() or Path("out.jsonl").read_text().count(chr(10)) < 2:
            return None
        self.began = self.began or time.monotonic()
        if time.monotonic() - self.began < 0.5:
            return None
        self.began = time.monotonic()
        asked = next(script)
        if asked == "mouse":
            self._cv2.destroyAllWindows()
            return super().pressed()
        if asked == "still":
            from PIL import ImageGrab
            shown = ImageGrab.grab().convert("RGB")
            shown.save("screen.png")
            colours = dict((colour, n) for n, colour in shown.getcolors(1 << 24))
            painted = face_colour(1)
            outline = sum(n for c, n in colours.items() if sum(abs(a - b) for a, b in zip(c, painted)) < 40)
            if outline <= 100 and next(patience, None) is not None:
                script = itertools.chain([asked], script)
                return None
        return asked

import coabench.live.job
coabench.live.job.Window = Pressing
from coabench.cli import main
main(sys.argv[1:])
"""


def test_help_needs_no_opencv(coabench: Run) -> None:
    result = coabench("webcam", "--help")
    assert result.returncode == 0
    assert "--no-window" in result.stdout
    code = (
        "import sys; from coabench.cli import cli; cli(['--help'], standalone_mode=False); import coabench.cli.webcam; "
    )
    code += "print([m for m in ('cv2', 'torch', 'numpy', 'PIL', 'ultralytics') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.splitlines()[-1] == "[]"
