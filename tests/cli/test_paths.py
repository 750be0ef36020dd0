"""Every option that names a path: what is no file there is refused in words, with exit code 2, and nothing waits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.process import Run
from support.special_files import SPECIAL, posix

pytestmark = pytest.mark.process  # of a detector

COMMANDS = {
    "card": "evaluate --dataset X.yaml --data-root .",
    "prompt file": "evaluate --strategy X.yaml --limit 1",
    "sheet": "sweep X.yaml --dry-run",
    "labels": "score plain.csv --labels X.yaml",
    "card to show": "datasets show X.yaml",
    "table": "score X.csv --dataset synthface-compound",
    "rows": "score X.jsonl --dataset synthface-compound",
    "samples": "score plain.csv --like X",
    "data root": "evaluate --dataset raf-db-basic --data-root X",
    "set": "evaluate --dataset synthface-basic --data-root X.jpg",
    "adapter": "evaluate --adapter X.bin --limit 1",
    "model": "evaluate --backbone tiny:X.bin --limit 1",
    "network": "evaluate --backbone classifier:X.pt --limit 1",
    "log": "evaluate --backbone replay:X.jsonl --limit 1",
    "output": "evaluate --limit 1 --output X.bin",
    "run": "report X.bin",
    "runs": "leaderboard X.bin",
    "page": "leaderboard . --output X.bin",
    "two runs": "compare X.bin X.bin",
    "photo": "predict X.jpg --output X.jsonl",
    "predictions": "predict plain.jpg --output X.jsonl",
    "calibration": "calibrate X.json --apply plain.csv",
    "film": "webcam --source X.mp4 --no-window",
    "picture": "webcam --source X.jpg --no-window",
    "weights": "webcam --source plain.jpg --no-window --detector-weights X.pt",
    "stills": "webcam --source plain.jpg --no-window --stills X.bin",
    "certificates": "evaluate --backbone openai:m --set base_url=https://127.0.0.1:1/v1 --set ca_file=X.pem --limit 1",
    "set to make": "synthface make X.bin --subset basic --per-class-train 0 --per-class-test 1",
    "sheet to draw": "synthface sheet X.png --persons 1",
    "crops": "webcam --source plain.jpg --no-window --crops X.bin",
    "answers": "webcam --source plain.jpg --no-window --log X.jsonl",
    "recording": "webcam --source plain.jpg --no-window --record X.mp4",
}


@posix
@pytest.mark.parametrize("kind", ["pipe", "link to itself", "long name"])
def test_a_path_that_is_no_file_is_refused_in_words(kind: str, coabench: Run, tmp_path: Path) -> None:
    (tmp_path / "plain.csv").write_text("")
    (tmp_path / "plain.jpg").write_text("")
    make: Callable[[Path], Path] = SPECIAL[kind][0]
    for command, line in COMMANDS.items():
        word = next(word for word in line.split() if "X" in word)
        suffix = Path(word).suffix
        path = tmp_path / f"{command.replace(' ', '-')}{suffix}"
        name = make(path).name
        result = coabench(*[each.replace(f"X{suffix}", name) for each in line.split()])
        assert result.returncode == 2, (line, result.stderr)
        assert any(said.startswith("Error: ") for said in result.stderr.splitlines()), (line, result.stderr)
        assert "defect" not in result.stderr, (line, result.stderr)


@pytest.mark.parametrize("name", ["~nobody-of-that-name/x", "a\0b"])
def test_a_name_that_no_file_can_have_is_refused(name: str, coabench: Run) -> None:
    for line in ("evaluate --strategy X.yaml", "evaluate --backbone tiny:X", "evaluate --adapter X", "score X.csv"):
        result = coabench(*[word.replace("X", name) for word in line.split()])
        assert result.returncode == 2, result.stderr
        assert "defect" not in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("webcam", "--no-window", "--source", "rtp://anna:s3cr3t-pass@host/x?token=s3cr3t-pass"),
        ("evaluate", "--backbone", "transformers:https://anna:s3cr3t-pass@host/x"),
        ("list", "https://anna:s3cr3t-pass@host/x"),
    ],
)
def test_no_error_repeats_a_password_of_an_address(words: tuple[str, ...], coabench: Run) -> None:
    result = coabench(*words)
    assert result.returncode == 2
    assert "s3cr3t" not in result.stdout + result.stderr
