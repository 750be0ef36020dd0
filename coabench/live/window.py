"""A window on the screen: shows pictures, reports keys. OpenCV's GUI stays in here."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from coabench.errors import UserError
from coabench.support.opencv import opencv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TITLE = "coabench webcam"
KEYS = {32: "pause", ord("s"): "still", ord("r"): "record", ord("d"): "details", ord("q"): "end", 27: "end"}
REMEDY = "add --no-window (with --log or --record), or --serve to see it in a browser"


def check_display() -> None:
    """Check that a window can be opened.

    OpenCV's GUI does not raise where it finds no display: it aborts the whole process. So a process of its own tries.

    Raises:
        UserError: there is no display, or this OpenCV has no windows.
    """
    if not sys.platform.startswith("linux"):
        return
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise UserError(
            "there is no display to open a window on",
            expected="the environment variable DISPLAY or WAYLAND_DISPLAY, as a desktop session sets it",
            remedy=REMEDY,
        )
    _hush_qt()
    opencv()
    trial = "import cv2; cv2.namedWindow('x', cv2.WINDOW_NORMAL); cv2.destroyAllWindows()"
    try:
        tried = subprocess.run([sys.executable, "-c", trial], capture_output=True, text=True, timeout=30, check=False)
        failed, said = tried.returncode != 0, tried.stderr
    except subprocess.TimeoutExpired:
        failed, said = True, "no answer within 30 s"
    if failed:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        relevant = [line for line in lines if "display" in line.lower() or "not implemented" in line.lower()]
        raise UserError(
            "no window can be opened",
            expected="a display that this machine can draw on, and opencv-python rather than opencv-python-headless",
            found=(relevant or lines or ["nothing"])[0],
            remedy=REMEDY,
        )


class Window:
    """The window. All calls from the main thread."""

    def __init__(self) -> None:
        _hush_qt()
        self._cv2 = opencv()
        self._shown = False
        flags = self._cv2.WINDOW_NORMAL | self._cv2.WINDOW_KEEPRATIO | self._cv2.WINDOW_GUI_NORMAL  # no tool bar
        try:
            self._cv2.namedWindow(TITLE, flags)
        except self._cv2.error:
            raise UserError(
                "no window can be opened", expected="opencv-python rather than opencv-python-headless", remedy=REMEDY
            ) from None

    def show(self, image: NDArray[np.uint8]) -> None:
        """Show an RGB picture; the first one gives the window its size."""
        if not self._shown:
            self._cv2.resizeWindow(TITLE, image.shape[1], image.shape[0])
            self._shown = True
        self._cv2.imshow(TITLE, self._cv2.cvtColor(image, self._cv2.COLOR_RGB2BGR))

    def pressed(self) -> str | None:
        """Let the window live for a moment; return what a key asks for (a value of `KEYS`), ``end`` when closed."""
        try:
            key = self._cv2.waitKey(1)
            gone = self._shown and self._cv2.getWindowProperty(TITLE, self._cv2.WND_PROP_VISIBLE) < 1
        except self._cv2.error:  # Qt's answer where the last window is gone
            gone = True
        if gone:
            return "end"
        return KEYS.get(key & 0xFF) if key >= 0 else None

    def close(self) -> None:
        """Close the window, if the user has not."""
        with suppress(self._cv2.error):
            self._cv2.destroyAllWindows()
            self._cv2.waitKey(1)


def _hush_qt() -> None:
    """Keep OpenCV's Qt from warning with every window that its wheel brings no fonts: we draw our text ourselves."""
    os.environ.setdefault("QT_LOGGING_RULES", "default.warning=false")
