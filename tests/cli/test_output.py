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
