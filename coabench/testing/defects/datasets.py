"""What may be wrong with a data set."""

from __future__ import annotations

from coabench.testing.defects.common import BAD_OPTIONS, IGNORED_OPTION, NOT_IMPORTABLE
from coabench.testing.findings import UNEXPECTED, Defect

NO_DATASET = Defect(
    "no-dataset",
    "its target is no data set",
    "jobs read needs_root and Options off the target and call it with (card, root, options)",
    "derive a class from coabench.dataset.Dataset; implement samples and verify, and set card",
)
BAD_CARD = Defect(
    "unusable-card",
    "its card cannot be used",
    "the card says what the labels are, and who may use the data",
    "correct the card; datasets_registry/README.md describes every field. Its name is the registered name",
)
FAILS = Defect(
    "fails",
    "it raises where it should give samples",
    "an exception that is no UserError is shown as a defect, without a word about what to do",
    "raise UserError with what was expected, what was found and what to do",
)
UNKNOWN_SPLIT = Defect(
    "unknown-split",
    "it does not refuse a split that is not there",
    "a misspelt --split must be reported, not crash or give no samples",
    "raise UserError, naming the splits that there are",
)
UNSTABLE_ORDER = Defect(
    "unstable-order",
    "its samples come in another order, or are others, the next time",
    "a run's log is a prefix of the data set: a resumed run would be refused, or --limit would mean something else",
    "sort what comes from folders and sets; draw only from random.Random(seed)",
)
COLLIDING_IDS = Defect(
    "colliding-ids",
    "two samples have the same id",
    "only the id distinguishes records, and runs are paired by it",
    "make ids from the split and the whole relative path of the image",
)
BAD_ID = Defect(
    "id-not-namespaced",
    "its ids do not begin with the data set's name",
    "results of several data sets are compared and joined by id",
    "make ids like NAME/test_001, NAME being the card's name",
)
BAD_SAMPLE = Defect(
    "unusable-sample",
    "a sample is not what it must be",
    "it goes into records and manifests as it is",
    "give every Sample its split, plain attributes, and an image with name, read() and size()",
)
BAD_TARGET = Defect(
    "target-not-a-label",
    "a sample's target is no label of the card",
    "metrics are computed over the labels of the card",
    "return a name from card.space.names; card.space.from_code helps with codes",
)
BAD_VOTES = Defect(
    "unusable-votes",
    "a sample's votes are not numbers of votes for labels of the card",
    "agreement with the annotators is computed from them, and a run whose votes cannot be used is refused",
    "leave votes empty where there are none; leave out votes for what is no label",
)
UNREADABLE = Defect(
    "unreadable-image",
    "an image cannot be read",
    "such samples count as errors",
    "read() returns the whole encoded file (PNG, JPEG…), the same each time, and size() its length",
)
UNSTABLE_FINGERPRINT = Defect(
    "unstable-fingerprint",
    "its fingerprint changes from one call to the next",
    "the fingerprint decides whether a run may be resumed",
    "leave fingerprint() as it is, or hash nothing but the samples in order",
)
VERIFY_RAISES = Defect(
    "verify-raises",
    "verify() raises, or returns no list of checks",
    "verify is what people call when something is wrong with their files",
    "return a list of Check with level ok, warning or error, whatever the files look like",
)
VERIFY_COMPLAINS = Defect(
    "verify-complains",
    "verify() finds errors in these files",
    "numbers on them will not be comparable",
    "repair the files, or correct the card",
    "warning",
)
BAD_IDENTITY = Defect(
    "unusable-identity",
    "its identity() cannot stand in a manifest",
    "a run's identity decides whether it may be resumed; it is compared as JSON",
    "return a dictionary of plain values: the options that change images or labels",
)
OUTSIDE_IDENTITY = Defect(
    "option-outside-identity",
    "an option changes the samples, and neither identity() nor the fingerprint does",
    "a run could be resumed with other images, and two different runs would pass as one",
    "return every option that changes images or labels from identity()",
)
DEFECTS = (
    NOT_IMPORTABLE, NO_DATASET, BAD_CARD, BAD_OPTIONS, FAILS, UNKNOWN_SPLIT, UNSTABLE_ORDER, COLLIDING_IDS, BAD_ID,
    BAD_SAMPLE, BAD_TARGET, BAD_VOTES, UNREADABLE, UNSTABLE_FINGERPRINT, VERIFY_RAISES, VERIFY_COMPLAINS,
    BAD_IDENTITY, OUTSIDE_IDENTITY, IGNORED_OPTION, UNEXPECTED,
)  # fmt: skip
