"""OpenCV, imported where it is used, and quiet: its errors become ours."""

from __future__ import annotations

import os
from types import ModuleType

from coabench.errors import UserError

SILENT = 0
"""OpenCV's level of its log at which nothing is written."""


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
    except ImportError as error:
        raise UserError(
            "OpenCV cannot be imported",
            expected="the package opencv-python, or opencv-python-headless on a machine without a screen",
            found=str(error),
            remedy="pip install opencv-python",
        ) from None
    if quiet:  # it may have been imported before
        logging = getattr(cv2.utils, "logging", cv2)  # where OpenCV 5 has it, and OpenCV 4
        logging.setLogLevel(SILENT)
    return cv2
