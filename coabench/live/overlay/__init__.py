"""What a probe knows, drawn onto a copy of a frame: boxes, numbers, plates of text.

Read in this order: `picture` (what is drawn, in which order), `words` (what is said), `placement` (where a plate
goes), `seats` (where it was in the frame before), `plates` (text on its backing), `bars` (of options), `fonts` (in any
script), `strokes` (boxes and lines), `colours` (one table of them, which the page of the browser mode has, too).
``browser/overlay.js`` draws the same there.
"""

from __future__ import annotations

from coabench.live.overlay.fonts import font_warnings
from coabench.live.overlay.picture import draw
from coabench.live.overlay.seats import Seats
from coabench.live.overlay.words import Marks

__all__ = ["Marks", "Seats", "draw", "font_warnings"]
