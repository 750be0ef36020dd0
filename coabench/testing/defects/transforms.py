"""What may be wrong with a transform."""

from __future__ import annotations

from coabench.testing.defects.common import BAD_OPTIONS, IGNORED_OPTION, NOT_IMPORTABLE
from coabench.testing.findings import UNEXPECTED, Defect

NO_TRANSFORM = Defect(
    "no-transform",
    "its target does not make a transform",
    "the bench calls it with a TransformRequest, and then apply(image, subject)",
    "derive from coabench.transform.Transform and implement apply",
)
FAILS = Defect(
    "fails",
    "it raises while it changes an image",
    "the run ends",
    "allow for images of every size; raise SampleError where nothing can be made of one",
)
NO_IMAGE = Defect(
    "no-image",
    "what it returns is no RGB image of the same size",
    "a backbone would be shown something else than was measured, or the run ends",
    "return a PIL image of mode RGB, as large as the one that came",
)
WRITES = Defect(
    "writes-to-image",
    "it writes to the image",
    "the same pixels may be shown elsewhere",
    "work on a copy",
)
UNSTEADY = Defect(
    "unsteady-pixels",
    "the same image of the same sample becomes another",
    "a run could not be continued nor repeated",
    "draw from subject.random() only, and keep nothing from one image to the next; it is called in several threads",
)
UNBOUNDED = Defect(
    "unbounded-option",
    "a value that it cannot use is no UserError",
    "the user sees a defect where a word about the right values would do",
    "give the option bounds: Annotated[float, between(0, 10)], from coabench.base.schema",
)
DEFECTS = (
    NOT_IMPORTABLE, NO_TRANSFORM, BAD_OPTIONS, FAILS, NO_IMAGE, WRITES, UNSTEADY, UNBOUNDED, IGNORED_OPTION, UNEXPECTED,
)  # fmt: skip
