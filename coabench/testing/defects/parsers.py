"""What may be wrong with a parser."""

from __future__ import annotations

from coabench.testing.defects.common import NOT_IMPORTABLE
from coabench.testing.findings import UNEXPECTED, Defect

FAILS = Defect(
    "fails",
    "it raises while it reads a response",
    "models answer anything, and the run ends",
    "return Parsed(None, None) for what it does not understand",
)
NOT_PARSED = Defect(
    "no-parsed",
    "what it returns is neither a label with the name of a rule nor none",
    "the label and the rule stand in the record of every answer",
    "return coabench.parser.Parsed(label, match); (None, None) where there is no label",
)
NO_LABEL = Defect(
    "label-not-recognised",
    "it returns what is no label of the question",
    "the strategy concludes from labels that were offered",
    "return a value of response.spellings",
)
GUESSES = Defect(
    "guesses",
    "it reads a label off a response that has none, that names two, or that denies it",
    "what the model did not say is counted as said; an answer that is not understood is invalid",
    "match whole answers by closed rules; never search for a label anywhere in a text",
)
UNSTEADY = Defect(
    "unsteady",
    "the same response means something else the next time",
    "records must follow from the log, and a resumed run from the begun one",
    "keep nothing from one response to the next",
)
MOST_SECONDS = 0.5
"""A parser that takes longer for a long response makes a run wait; most that do are expressions that backtrack."""

SLOW = Defect(
    "slow",
    f"it takes more than {MOST_SECONDS} seconds for a response of 20,000 characters",
    "the model waits for it, and a run may have thousands of responses",
    "avoid regular expressions whose repetitions are nested",
    "warning",
)
READS_NOTHING = Defect(
    "reads-nothing",
    "it reads no label off a response that is the label and nothing else",
    "most models answer so most of the time",
    "take such a response, unless the parser is for a form in which it never appears",
    "warning",
)
DEFECTS = (NOT_IMPORTABLE, FAILS, NOT_PARSED, NO_LABEL, GUESSES, UNSTEADY, SLOW, READS_NOTHING, UNEXPECTED)
