"""Words that stand in files and mean something to the code: statuses, a split, an attribute."""

from typing import Final

OK: Final = "ok"
INVALID: Final = "invalid"
ERROR: Final = "error"
STATUSES: Final = (OK, INVALID, ERROR)
"""The status of a record: it has a label; the answer has none; the sample could not be used."""

RUNNING: Final = "running"
COMPLETE: Final = "complete"
STOPPED: Final = "stopped"
FAILED: Final = "failed"
"""The status of a run or a training: at work (or killed), finished, ended by a signal, ended by an error."""

TRAIN: Final = "train"
"""The split to learn from, and to draw exemplars from."""

SUBJECT: Final = "subject"
"""The attribute that says which person an image shows."""

FIGURE_FORMATS: Final = ("percent", "number")
"""How a headline figure may be printed: a proportion in percent, or the number as it is."""
