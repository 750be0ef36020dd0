"""Files and folders under names that are no UTF-8, or do harm where they are shown: every job works on them."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from support.faces_trees import face
from support.process import Run
from support.runs import manifest, records

import coabench as api
from coabench.base.files import write_text
from coabench.base.names import require_utf8, to_file, to_hash
from coabench.errors import UserError

NAMES = (
    b"caf\xe9.jpg", "café.jpg".encode(), "cafe\u0301.jpg".encode(), b"line\nbreak.jpg", b"tab\t.jpg",
    b"\x1b[31mred.jpg", "bidi\u202egpj.jpg".encode(), b"quote'\".jpg", b"<script>alert(1)<%2fscript>.jpg", b"-v.jpg",
    b"dots...jpg", b"100%s.jpg", b"=cmd().jpg", b" blank .jpg", b"pipe|.jpg", b"n" * 251 + b".jpg",
)  # fmt: skip
"""One that is no UTF-8, two that differ in their normal form alone, and so on."""
ODD = "x\udce9\x1b[31m"
"""What stands in the name of every option."""
LABELS = ("Happiness", "Sadness")
CARD = """
name: odd
loader: faces
splits: [test, train]
labels: {classes: [{name: Happiness}, {name: Sadness}]}
options:
  files: "{split}/{label}/*.jpg"
  label: label
  values: {Happiness: Happiness, Sadness: Sadness, "na\\udcefve": Sadness}
"""
MODEL = ("--backbone", "tiny", "--adapter", "none", "--strategy", "direct")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data root with these names, one class folder that is no UTF-8, and the card in a file that is none either."""
    root = tmp_path / f"data{ODD}"
    try:
        for split in ("test", "train"):
            for number, name in enumerate(NAMES):
                folder = root / split / LABELS[number % 2]
                folder.mkdir(parents=True, exist_ok=True)
                (folder / os.fsdecode(name)).write_bytes(face(LABELS[number % 2], number, "JPEG"))
            (root / split / "na\udcefve").mkdir()
            (root / split / "na\udcefve" / "1.jpg").write_bytes(face("Sadness", 99, "JPEG"))
    except OSError as error:
        pytest.skip(f"this file system has no such names: {error}")
    (root / f"{ODD}.yaml").write_text(CARD)
    return root


def from_data(data: Path) -> tuple[object, ...]:
    return ("--dataset", data / f"{ODD}.yaml", "--data-root", data)


def succeeded(done: CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "\u202e" not in done.stdout + done.stderr
    return done.stdout


def test_every_job_works_on_them(coabench: Run, data: Path, tmp_path: Path) -> None:
    run, rescored = tmp_path / "runs" / f"a{ODD}", tmp_path / "runs" / f"b\n{ODD}"
    succeeded(coabench("evaluate", *MODEL, *from_data(data), "--output", run))
    assert "already complete" in coabench("evaluate", *MODEL, *from_data(data), "--output", run).stderr

    written = records(run)
    assert {os.fsencode(Path(record["image"]).name) for record in written} == {*NAMES, b"1.jpg"}
    assert all((data / record["image"]).is_file() for record in written), "a log finds its images again"
    assert len({record["id"] for record in written}) == len(NAMES) + 1
    assert {record["status"] for record in written} <= {"ok", "invalid"}
    assert str(run) in manifest(run)["sessions"][0]["command"]

    succeeded(coabench("score", run, "--parser", "lenient", "--output", rescored))
    replayed = ("evaluate", "--backbone", f"replay:{run}", "--strategy", "direct", *from_data(data))
    succeeded(coabench(*replayed, "--output", tmp_path / "replayed"))
    assert [r["prediction"] for r in records(tmp_path / "replayed")] == [r["prediction"] for r in written]

    rows = "".join(json.dumps({"id": r["id"], "prediction": r["target"]}) + "\n" for r in written)
    (tmp_path / f"{ODD}.jsonl").write_text(rows)
    scored = ("score", tmp_path / f"{ODD}.jsonl", *from_data(data), "--output", tmp_path / "runs" / "c")
    assert "100.00%" in succeeded(coabench(*scored))

    page = tmp_path / f"{ODD}.html"
    succeeded(coabench("report", run, "--images", *from_data(data), "--output", page))
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg") == len(written)
    assert "<script>alert" not in text
    assert "\u202e" not in text
    assert "caf\\udce9" in text

    succeeded(coabench("compare", run, rescored))
    verified = coabench("datasets", "verify", data / f"{ODD}.yaml", "--data-root", data)
    assert f"{2 * len(written)} decoded in full" in verified.stdout
    assert "\x1b" not in verified.stdout


def test_a_run_in_such_a_folder_is_in_every_table(coabench: Run, data: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / f"a{ODD}"
    succeeded(coabench("evaluate", *MODEL, *from_data(data), "--output", run))
    for format in ("table", "markdown", "latex", "html"):
        shown = succeeded(coabench("leaderboard", run.parent, "--format", format))
        assert "udce9" in shown, format
    rows = csv.DictReader(io.StringIO(succeeded(coabench("leaderboard", run.parent, "--format", "csv"))))
    assert next(rows)["name"] == r"ax\udce9\x1b[31m"
    assert json.loads(succeeded(coabench("leaderboard", run.parent, "--format", "json")))[0]["name"] == run.name
    table = api.load_runs(run.parent)
    assert len(api.load_records(table["source"][0])) == len(NAMES) + 1
    assert table["uar"].dtype == float


def test_a_training_learns_from_them(coabench: Run, data: Path, tmp_path: Path) -> None:
    settings = ("--steps", "1", "--batch-size", "2", "--dev", "0", "--strategy", "one-shot")
    refused = coabench("train", *from_data(data), *settings, "--output", tmp_path / ODD)
    assert refused.returncode == 2
    assert "no UTF-8" in refused.stderr
    assert not (tmp_path / ODD).exists()
    adapter = tmp_path / "a\n\x1b[31m\u202e%"
    succeeded(coabench("train", *from_data(data), *settings, "--output", adapter))
    assert len(json.loads((adapter / "training.json").read_text())["learnt"]["hashes"]) == len(NAMES) + 1


@pytest.mark.process
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no encoding of names but UTF-8")
def test_the_locale_makes_no_difference(coabench_process: Run, data: Path, tmp_path: Path) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    for name, variables in {"utf8": {"PYTHONUTF8": "1"}, "c": plain}.items():
        done = coabench_process("evaluate", *MODEL, *from_data(data), "--output", f"{name}/é{ODD}", **variables)
        assert done.returncode == 0, done.stderr
    utf8, c = (tmp_path / name / f"é{ODD}" for name in ("utf8", "c"))
    assert [r["id"] for r in records(c)] == [r["id"] for r in records(utf8)]
    assert manifest(c)["identity"] == manifest(utf8)["identity"]
    board = coabench_process("leaderboard", tmp_path, "--format", "json", **plain)
    assert {row["name"] for row in json.loads(board.stdout)} == {f"utf8/é{ODD}", f"c/é{ODD}"}


def test_what_a_stream_cannot_show_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    from coabench.cli import main

    stream = io.TextIOWrapper(io.BytesIO(), "latin-1", write_through=True)
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(SystemExit) as end:
        main(["list", "strategies"])
    assert end.value.code == 0
    assert rb"\u2013" in stream.buffer.getvalue()  # type: ignore[attr-defined]


def test_a_name_of_255_bytes_is_written(tmp_path: Path) -> None:
    write_text(tmp_path / ("n" * 255), "x")
    assert [path.name for path in tmp_path.iterdir()] == ["n" * 255]


def test_bytes_of_a_text() -> None:
    assert to_file("é\udce9") == b"\xc3\xa9\\udce9"
    assert json.loads(to_file('"\udce9"')) == "\udce9"
    assert to_hash("\udce9") != to_hash("\\udce9")
    with pytest.raises(UserError, match="no UTF-8"):
        require_utf8(Path("caf\udce9"), "--output")
