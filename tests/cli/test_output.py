"""Where what is printed goes: a full disk is reported, a closed pipe is not."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from support.process import Run
from support.special_files import SPECIAL, posix

full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


@full
@pytest.mark.process
@pytest.mark.parametrize("buffering", ["", "1"])
def test_a_full_disk_under_standard_output_is_reported(environment: dict[str, str], buffering: str) -> None:
    command = [sys.executable, "-m", "coabench", "list", "--format", "json"]
    with Path("/dev/full").open("w") as target:
        result = subprocess.run(
            command, stdout=target, stderr=subprocess.PIPE, text=True, check=False,
            env={**environment, "PYTHONUNBUFFERED": buffering},
        )  # fmt: skip
    assert result.returncode == 1
    assert result.stderr.startswith("Error: standard output cannot be written\n")
    assert "Exception ignored" not in result.stderr


@pytest.mark.process
def test_a_closed_pipe_is_quiet(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "coabench", "list", "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@full
def test_a_full_disk_under_a_page_is_reported(coabench: Run, tmp_path: Path) -> None:
    import resource

    run = ("evaluate", "--backbone", "scripted:a", "--dataset", "drawn", "--output", "out")
    assert coabench(*run).returncode == 0
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        results = [coabench("report", "out", "--output", "page.html"), coabench("leaderboard", ".", "--output", "x")]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    for result in results:
        assert result.returncode in (1, 2)
        assert "cannot be written" in result.stderr
        assert "File too large" in result.stderr
    assert not (tmp_path / "page.html").exists()


@posix
@pytest.mark.parametrize("kind", ["pipe", "socket"])
@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize(
    "line",
    [
        "power --classes 5,5 --uar 0.6",
        "predict face.png --backbone scripted:a --faces none --overwrite --format csv",
        "predict face.png --backbone scripted:a --faces none --overwrite",
    ],
)
def test_what_is_no_file_is_not_replaced(coabench: Run, tmp_path: Path, kind: str, linked: bool, line: str) -> None:
    """As the superuser a page written to ``/dev/stdout`` would take the place of that device."""
    suffix = ".csv" if "csv" in line else ".jsonl"
    there = SPECIAL[kind][0](tmp_path / f"there{suffix}")
    before = there.stat()
    Image.new("RGB", (40, 40)).save(tmp_path / "face.png")
    (tmp_path / f"link{suffix}").symlink_to(there)
    result = coabench(*line.split(), "--output", f"link{suffix}" if linked else there.name)
    assert result.returncode == 2, result.stderr
    assert "cannot be written" in result.stderr
    assert f"a {kind}, not a file" in result.stderr
    assert (there.stat().st_mode, there.stat().st_ino) == (before.st_mode, before.st_ino)


@posix
def test_a_link_to_a_file_stays_a_link(coabench: Run, tmp_path: Path) -> None:
    (tmp_path / "target.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("target.txt")
    assert coabench("power", "--classes", "5,5", "--uar", "0.6", "--output", "link.txt").returncode == 0
    assert (tmp_path / "link.txt").is_symlink()
    assert "What this test set can show" in (tmp_path / "target.txt").read_text()


def test_no_output_takes_the_place_of_what_a_run_or_a_training_holds(coabench: Run, tmp_path: Path) -> None:
    evaluate = ("evaluate", "--backbone", "scripted:a", "--dataset", "drawn", "--output", "out")
    assert coabench(*evaluate).returncode == 0
    (tmp_path / "adapter").mkdir()
    for name in ("training.json", "adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / "adapter" / name).write_text("{}")
    (tmp_path / "link.json").symlink_to("out/run.json")
    card = tmp_path / "card.yaml"
    card.write_text("name: mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    run = "a file of the run in"
    for line, why in {
        "report out --output out/run.json": run,
        "report out --output out/predictions.jsonl": run,
        "report out --output link.json": run,
        "compare out out --format html --output out/metrics.json": run,
        "leaderboard . --output out/parts/0.jsonl": run,
        "power --classes 5,5 --output out/metrics.json": run,
        "explain out --output out/metrics.html": run,
        "predict face.png --backbone scripted:a --overwrite --output out/predictions.jsonl": run,
        "predict face.png --backbone scripted:a --overwrite --output out": run,
        "calibrate out --save out/metrics.json": run,
        "leaderboard . --output adapter/training.json": "a file of the training in",
        "adapters card adapter --output adapter/adapter_model.safetensors": "a file of the adapter in",
        "report out --images --dataset card.yaml --output card.yaml": "a file that this command reads",
        "power --dataset card.yaml --output ./card.yaml": "a file that this command reads",
    }.items():
        result = coabench(*line.split())
        assert result.returncode == 2, (line, result.stderr)
        assert why in result.stderr, (line, result.stderr)
        assert "choose another" in result.stderr
        assert "Traceback" not in result.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    for _ in range(2):  # a page beside them is replaced
        assert coabench("report", "out", "--output", "out/report.html").returncode == 0
