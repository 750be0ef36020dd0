"""What may be wrong with a rewrite."""

from __future__ import annotations

from coabench.testing.defects.common import BAD_OPTIONS, IGNORED_OPTION, NOT_IMPORTABLE
from coabench.testing.findings import UNEXPECTED, Defect

NO_REWRITE = Defect(
    "no-rewrite",
    "its target does not make a rewrite",
    "the bench calls it with a RewriteRequest, and then rewrite(question)",
    "derive from coabench.rewrite.Rewrite and implement rewrite",
)
FAILS = Defect(
    "fails",
    "it raises while it rewrites a question",
    "the run ends",
    "raise UserError where a question cannot be rewritten",
)
NO_REWRITTEN = Defect(
    "no-rewritten",
    "what it returns is no Rewritten",
    "the run ends",
    "return coabench.rewrite.Rewritten(question, labels, spellings)",
)
LOSES = Defect(
    "loses-labels",
    "options or recognised labels of the question are lost, doubled or new",
    "answers could not be read back as the strategy knows them, and the run ends",
    "keep each label once; say in labels what the ones in other words mean",
)
UNSTEADY = Defect(
    "unsteady-question",
    "the same question becomes another",
    "a run could not be continued nor repeated",
    "draw from the options and the request's seed only, and keep nothing from one question to the next",
)
LEAVES_CHAT = Defect(
    "leaves-chat",
    "it changes the same text otherwise in a question than in the chat before it",
    "exemplars would be asked about in other words than the image in question",
    "rewrite question.context as the prompt is rewritten",
)
DEFECTS = (
    NOT_IMPORTABLE, NO_REWRITE, BAD_OPTIONS, FAILS, NO_REWRITTEN, LOSES, UNSTEADY, LEAVES_CHAT, IGNORED_OPTION,
    UNEXPECTED,
)  # fmt: skip
