"""What may be wrong with a detector."""

from __future__ import annotations

from coabench.testing.defects.common import BAD_OPTIONS, IGNORED_OPTION, NOT_IMPORTABLE
from coabench.testing.findings import UNEXPECTED, Defect

NO_DETECTOR = Defect(
    "no-detector",
    "its target does not make a detector",
    "the webcam calls it with a DetectorRequest, and then detect(frame)",
    "derive from coabench.detector.Detector and implement detect; raise UserError where it cannot be made ready",
)
FAILS = Defect(
    "fails",
    "it raises while it looks at a frame",
    "the webcam ends",
    "return an empty list where there is no face, whatever the size of the frame",
)
NO_FACES = Defect(
    "no-list-of-faces",
    "what it returns is no list of Face",
    "boxes are cut out and drawn as they come",
    "return a list of coabench.detector.Face; clipped() makes one",
)
OUTSIDE = Defect(
    "box-outside-frame",
    "a box is not inside the frame",
    "what is cut out of the frame would be empty or of another region",
    "clip boxes with coabench.detector.clipped, and leave out what it returns None for",
)
BAD_SCORE = Defect(
    "score-out-of-range",
    "a score is not within 0…1",
    "thresholds and colours take it as such",
    "scale the score into 0…1; clipped() cuts off what is left",
)
BAD_LANDMARKS = Defect(
    "bad-landmarks",
    "landmarks of a face are not five points",
    "crops are aligned by the eyes, the nose and the corners of the mouth",
    "state five pairs of finite numbers, in the order of coabench.detector.Landmarks, or None",
)
UNSORTED = Defect(
    "unsorted-faces",
    "the most confident face does not come first",
    "who wants one face takes the first",
    "sort by score, highest first",
)
UNSTEADY = Defect(
    "unsteady-faces",
    "the same frame gives other faces",
    "a recording could not be replayed; tracking comes after detection",
    "keep nothing from one frame to the next",
)
WRITES = Defect(
    "writes-to-frame",
    "it writes to the frame",
    "the same pixels are shown, cut and recorded",
    "work on a copy",
)
PRINTS = Defect(
    "prints",
    "it prints while it looks",
    "standard output is for data, and there are thirty frames a second",
    "silence the library, or write to logging",
)
BAD_CHECK = Defect(
    "unusable-availability",
    "its check of what is missing here fails",
    "coabench list calls it, and auto skips what it refuses",
    "return None, or a coabench.detector.Unavailable with reason and remedy",
)
DEFECTS = (
    NOT_IMPORTABLE, NO_DETECTOR, BAD_CHECK, BAD_OPTIONS, FAILS, NO_FACES, OUTSIDE, BAD_SCORE, BAD_LANDMARKS, UNSORTED,
    UNSTEADY, WRITES, PRINTS, IGNORED_OPTION, UNEXPECTED,
)  # fmt: skip
