"""OpenCV, imported where it is used, and quiet: its errors become ours."""

from __future__ import annotations

import os
from types import ModuleType

from coabench.errors import UserError, with_type

SILENT = 0
"""OpenCV's level of its log at which nothing is written."""


def repairing(problem: str) -> str:
    """Return what to do where OpenCV is installed, and importing it ends with this message."""
    if ".so" not in problem:
        return "pip install --force-reinstall opencv-python"
    return (
        "install the library with the system's packages (libGL.so.1: apt install libgl1), or take the OpenCV that does "
        "without a desktop: pip uninstall -y opencv-python, then pip install opencv-python-headless"
    )


def opencv() -> ModuleType:
    """Return the module ``cv2``.

    Raises:
        UserError: it is not installed, or cannot be imported.
    """
    # Read by the library when it first opens a video; a user who wants to hear it sets them.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    quiet = os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT") == "SILENT"
    try:
        import cv2
    except Exception as error:  # two of its packages in one folder raise whatever they do
        absent = isinstance(error, ModuleNotFoundError) and error.name == "cv2"
        raise UserError(
            "OpenCV cannot be imported",
            expected="the package opencv-python, or opencv-python-headless on a machine without a screen",
            found=with_type(error),
            remedy="pip install opencv-python" if absent else repairing(str(error)),
        ) from None
    if quiet:  # it may have been imported before
        logging = getattr(cv2.utils, "logging", cv2)  # where OpenCV 5 has it, and OpenCV 4
        logging.setLogLevel(SILENT)
    return cv2
