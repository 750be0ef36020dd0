"""``coabench predict`` from outside: what it answers, streams, writes, continues and refuses."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from support.films import cut_off
from support.footage import photograph
from support.process import Run
from support.runs import records

from coabench.base.locking import locked_beside
from coabench.cli import cli
from coabench.detector import Detector, DetectorRequest, Face, Pixels
from coabench.live.recording import Recording
from coabench.prediction.pictures import Picture, gathered
from coabench.registry.catalog import find_dataset
from coabench.testing import registered

SCRIPTED = ("predict", "--backbone", "scripted:a", "--detector", "brightest", "--set", "backbone.noise=false")
ANSWERS = ("prediction", "status", "reason", "turns")


def bright(path: Path, *corners: tuple[int, int], side: int = 60, shade: int = 200) -> Path:
    """Draw bright squares on a dark ground; without any there is no face."""
    picture = np.full((160, 240, 3), 20, np.uint8)
    for left, top in corners:
        picture[top : top + side, left : left + side] = shade
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)
    return path


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def untimed(path: Path) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in lines(path.read_text())]


class Talks(Detector):
    def __init__(self, request: DetectorRequest) -> None:
        print("ready")

    def detect(self, frame: Pixels) -> list[Face]:
        print("I see a face")
        return [Face((10, 10, 60, 60), 0.5)]


def test_what_plugins_print_is_not_among_the_answers(tmp_path: Path) -> None:
    photo = bright(tmp_path / "one.png", (10, 10))
    with registered("detectors", "talks", Talks):
        options = "--backbone", "tiny", "--strategy", "direct", "--detector", "talks", "--format", "jsonl"
        result = CliRunner().invoke(cli, ["predict", str(photo), *options])
    assert [answer["box"] for answer in lines(result.stdout)] == [[10, 10, 60, 60]]
    assert "I see a face" in result.stderr


@pytest.mark.parametrize("decode", ["generate", "score"])
def test_predict_and_evaluate_agree_on_the_shipped_faces(coabench: Run, tmp_path: Path, decode: str) -> None:
    options = ("--decode", decode)
    assert coabench("evaluate", *options, "--limit", 22, "--output", "run").returncode == 0
    evaluated = {record["image_sha256"]: record for record in records(tmp_path / "run")}
    (tmp_path / "faces").mkdir()
    for number, sample in enumerate(find_dataset("synthface-compound").open(None).samples("test")):
        if f"synthface-compound/{sample.id.split('/')[-1]}" in {record["id"] for record in evaluated.values()}:
            (tmp_path / "faces" / f"{number}.jpg").write_bytes(sample.image.read())
    result = coabench("predict", "faces", *options, "--faces", "none", "--batch-size", 5, "--format", "jsonl")
    assert result.returncode == 0, result.stderr
    predicted = lines(result.stdout)
    assert len(predicted) == 22
    for record in predicted:
        same = evaluated[record["image_sha256"]]
        assert [record[name] for name in ANSWERS] == [same[name] for name in ANSWERS]
        assert record["box"] is None


def test_a_photograph_is_answered_in_one_command(coabench: Run, tmp_path: Path) -> None:
    Image.fromarray(photograph()).save(tmp_path / "photo.png")
    result = coabench("predict", "photo.png", "--decode", "score", "--explain-text")
    assert result.returncode == 0, result.stderr
    head, row, *rest = result.stdout.splitlines()
    assert head.split() == ["file", "face", "expression", "answers"]
    assert row.startswith("photo.png")
    assert "1 of 1: " in row
    assert "primary " in row
    assert "secondary " in row
    assert sum("understood as" in line for line in rest) == 2
    assert any(line.strip().endswith("Happiness") for line in rest)
    assert "1 face in 1 picture" in result.stderr
    assert "what it says about people means nothing" in result.stderr


@pytest.mark.process
def test_predict_and_webcam_say_the_same_of_a_face(coabench: Run, tmp_path: Path) -> None:
    Image.fromarray(photograph()).save(tmp_path / "photo.png")
    assert coabench("predict", "photo.png", "--output", "said.jsonl").returncode == 0
    live = coabench("webcam", "--no-window", "--source", "photo.png", "--log", "live.jsonl")
    assert live.returncode == 0, live.stderr
    (said,), (_, seen) = lines((tmp_path / "said.jsonl").read_text()), lines((tmp_path / "live.jsonl").read_text())
    assert [said[name] for name in ("box", *ANSWERS)] == [seen[name] for name in ("box", *ANSWERS)]


def test_faces_are_chosen_by_size(coabench: Run, tmp_path: Path) -> None:
    bright(tmp_path / "one.png", (20, 30))
    bright(tmp_path / "none.png")
    bright(tmp_path / "small.png", (20, 30), side=20)
    result = coabench(*SCRIPTED, "one.png", "none.png", "small.png", "--format", "jsonl")
    one, none, small = lines(result.stdout)
    assert (one["box"], one["face"], one["faces"]) == ([20, 30, 80, 90], 1, 1)
    assert (none["status"], none["prediction"], none["box"], none["faces"]) == ("no-face", None, None, 0)
    assert "1 smaller than --min-face" in small["reason"]
    assert result.returncode == 0
    assert "no face found in 2 pictures" in result.stderr
    assert "--faces none" in result.stderr
    assert coabench(*SCRIPTED, "none.png").returncode == 1  # nothing was answered
    assert lines(coabench(*SCRIPTED, "small.png", "--min-face", 20, "--format", "jsonl").stdout)[0]["face"] == 1


def test_a_film_is_looked_at_every_second(coabench: Run, tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    with Recording(tmp_path / "film.mp4", 10.0) as film:
        for number in range(25):
            film.write(np.asarray(Image.open(bright(tmp_path / "x.png", (20 + number, 30)))), number / 10)
    shown = coabench(*SCRIPTED, "film.mp4").stdout.splitlines()
    assert [line.split("  ")[0].strip() for line in shown] == [
        "file",
        *(f"film.mp4 {second}.0 s" for second in range(3)),
    ]
    every = lines(coabench(*SCRIPTED, "film.mp4", "--format", "jsonl").stdout)
    assert [(each["frame"], each["time"]) for each in every] == [(0, 0.0), (10, 1.0), (20, 2.0)]
    assert coabench(*SCRIPTED, "film.mp4", "--every", 0, "--output", "all").returncode == 0
    whole = untimed(tmp_path / "all" / "predictions.jsonl")
    assert [each["frame"] for each in whole] == list(range(25))
    cut_off(tmp_path / "all" / "predictions.jsonl", 0.5)
    assert coabench(*SCRIPTED, "film.mp4", "--every", 0, "--output", "all").returncode == 0
    assert untimed(tmp_path / "all" / "predictions.jsonl") == whole
    cut_off(tmp_path / "film.mp4", 0.1)
    result = coabench(*SCRIPTED, "film.mp4", "x.png", "--format", "jsonl")
    assert result.returncode == 1
    assert [each["status"] == "error" for each in lines(result.stdout)] == [True, False]
    assert "failed: film.mp4: cannot be read" in result.stderr


def test_a_corrupt_file_is_named_and_the_others_answered(coabench: Run, tmp_path: Path) -> None:
    for number in range(4):
        bright(tmp_path / "photos" / "deep" / f"{number}.png", (20 + number, 30))
    (tmp_path / "photos" / "2b.jpg").write_bytes(b"no image")
    (tmp_path / "photos" / "notes.txt").write_text("x")
    result = coabench(*SCRIPTED, "photos", "--format", "jsonl")
    assert result.returncode == 1
    assert "not read: 1 .txt" in result.stderr
    assert "failed: photos/2b.jpg: cannot be decoded" in result.stderr
    said = lines(result.stdout)
    assert [each["status"] == "error" for each in said] == [True, False, False, False, False]
    globbed = lines(coabench(*SCRIPTED, "photos/**/*.png", "--format", "jsonl").stdout)
    assert [each["file"] for each in globbed] == [f"photos/deep/{number}.png" for number in range(4)]


def test_what_a_killed_command_wrote_is_continued(coabench: Run, tmp_path: Path) -> None:
    for number in range(6):
        bright(tmp_path / "photos" / f"{number}.png", (20 + number, 30))
    (tmp_path / "photos" / "9.png").write_bytes(b"")
    assert coabench(*SCRIPTED, "photos", "--output", "said.jsonl").returncode == 1
    whole = untimed(tmp_path / "said.jsonl")
    for share in (0.9, 0.55, 0.1):
        cut_off(tmp_path / "said.jsonl", share)
        assert coabench(*SCRIPTED, "photos", "--output", "said.jsonl").returncode == 1
        assert untimed(tmp_path / "said.jsonl") == whole
    again = coabench(*SCRIPTED, "photos", "--output", "said.jsonl")
    assert again.returncode == 1
    assert "failed: photos/9.png" in again.stderr
    bright(tmp_path / "photos" / "3.png", (90, 30))
    changed = coabench(*SCRIPTED, "photos", "--output", "said.jsonl")
    assert "photos/3.png has changed since its answer was recorded" in changed.stderr
    other = coabench(*SCRIPTED, "photos", "--output", "said.jsonl", "--margin", 0.2)
    assert other.returncode == 2
    assert "margin" in other.stderr
    assert untimed(tmp_path / "said.jsonl") == whole
    (tmp_path / "mine.jsonl").write_text("{}\n")
    assert coabench(*SCRIPTED, "photos", "--output", "mine.jsonl").returncode == 2
    assert (tmp_path / "mine.jsonl").read_text() == "{}\n"


@pytest.mark.parametrize("name", ["said.jsonl", "said.csv"])
def test_two_commands_do_not_write_one_file(coabench: Run, tmp_path: Path, name: str) -> None:
    bright(tmp_path / "a.png", (20, 30))
    command = (*SCRIPTED, "a.png", "--output", name, "--overwrite")
    with locked_beside(tmp_path / name):
        second = coabench(*command)
        assert second.returncode == 2
        assert f"another process is writing {name}" in second.stderr
        assert not (tmp_path / name).exists()
    assert coabench(*command).returncode == 0


def test_a_picture_is_whole_or_asked_about_again(coabench: Run, tmp_path: Path) -> None:
    """A write that was cut off between two faces of a picture leaves no half of it."""
    bright(tmp_path / "a.png", (20, 30))
    bright(tmp_path / "b.png", (40, 30))
    assert coabench(*SCRIPTED, "a.png", "b.png", "--output", "said.jsonl").returncode == 0
    whole = untimed(tmp_path / "said.jsonl")
    first, second = lines((tmp_path / "said.jsonl").read_text())
    kept = [first, {**second, "faces": 2}]
    (tmp_path / "said.jsonl").write_text("".join(json.dumps(each) + "\n" for each in kept))
    assert coabench(*SCRIPTED, "a.png", "b.png", "--output", "said.jsonl").returncode == 0
    assert untimed(tmp_path / "said.jsonl") == whole


def test_csv_holds_a_row_a_face(coabench: Run, tmp_path: Path) -> None:
    bright(tmp_path / "=1.png", (20, 30))
    result = coabench(*SCRIPTED, "=1.png", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert (row["file"], row["left"], row["bottom"]) == ("'=1.png", "20", "90")
    assert "primary" in row["answers"]
    (tmp_path / "2.png").write_bytes(b"no image")
    (broken,) = csv.DictReader(io.StringIO(coabench(*SCRIPTED, "2.png", "--format", "csv").stdout))
    assert "cannot be decoded" in broken["reason"]
    assert broken["answers"] == ""
    assert coabench(*SCRIPTED, "=1.png", "--output", "out.csv").returncode == 0
    assert coabench(*SCRIPTED, "=1.png", "--output", "out.csv").returncode == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("https://example.org/a.jpg",), "nothing is fetched from the network"),
        (("absent.jpg",), "there is nothing there"),
        (("*.gif",), "no file fits *.gif"),
        (("empty",), "holds no picture"),
        (("a.png", "--faces", "0"), "--faces '0' cannot be read"),
        (("a.png", "--faces", "none"), "--detector and --detector-weights do not go with it"),
        (("a.png", "--format", "csv", "--output", "x.jsonl"), "does not fit --format csv"),
        (("a.png", "--explain-text", "--format", "jsonl"), "--explain-text is for --format table"),
    ],
)
def test_mistakes_are_refused(coabench: Run, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    bright(tmp_path / "a.png", (20, 30))
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.rglob("*"))
    result = coabench(*SCRIPTED, *words)
    assert result.returncode == 2
    assert said in result.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_names_come_from_stdin_one_by_one(tmp_path: Path) -> None:
    one = bright(tmp_path / "one.png", (20, 30))
    asked = []

    def typed() -> Any:
        for word in (f"{one}\n", "\n", f"{one}\n", f"{tmp_path / 'absent.png'}\r\n"):
            asked.append(word)
            yield word

    found = gathered([], typed(), 1.0, print)
    first = next(found)
    assert isinstance(first, Picture)
    assert first.image is not None
    assert len(asked) == 1
    (absent,) = found
    assert absent.error is not None
    assert absent.error == "there is nothing there"
