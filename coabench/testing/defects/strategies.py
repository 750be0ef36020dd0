"""What may be wrong with a strategy."""

from __future__ import annotations

from coabench.testing.defects.common import BAD_OPTIONS, IGNORED_OPTION, NOT_IMPORTABLE
from coabench.testing.findings import UNEXPECTED, Defect

MOST_QUESTIONS = 500
"""A strategy that asks more about one sample is taken to never end."""

NO_STRATEGY = Defect(
    "no-strategy",
    "its target does not make a strategy",
    "the engine calls converse, right_answers and identity, and reads name, exemplars and parser",
    "derive from coabench.strategy.Strategy, implement converse and identity, and set name",
)
BAD_IDENTITY = Defect(
    "unusable-identity",
    "its identity() cannot stand in a manifest",
    "a run's identity decides whether it may be resumed; it is compared as JSON, before anything is asked",
    "return a dictionary of plain values that is the same for the same strategy, in every process",
)
RAISES = Defect(
    "raises",
    "it raises while it asks",
    "an exception ends the whole run",
    "conclude with Prediction.invalid(reason), or raise UserError where the label space itself does not fit",
)
RAISES_ON_UNPARSED = Defect(
    "raises-on-unparsed-answer",
    "it raises when an answer could not be understood",
    "models say what they like; an answer without a label must count as wrong, not end the run",
    "where answer.label is None, return Prediction.invalid('unparsed-…') or ask again",
)
NO_PREDICTION = Defect(
    "no-prediction",
    "it does not return a usable Prediction",
    "a record needs a label of the task, or none with the reason why",
    "return Prediction(label) with a label of task.labels, or Prediction.invalid('one-word')",
)
GUESSES = Defect(
    "label-from-nothing",
    "it predicts a label although no answer could be understood",
    "a guess counts as an answer, and the number of invalid answers hides how often the model failed",
    "return Prediction.invalid('unparsed-…') where nothing was understood",
)
NEVER_ENDS = Defect(
    "never-ends",
    f"it asks more than {MOST_QUESTIONS} questions about one sample",
    "the run would never end",
    "bound the number of questions, also where answers cannot be understood",
)
BAD_QUESTION = Defect(
    "unusable-question",
    "it asks a question that cannot be asked",
    "a backbone relies on what coabench.dialogue says of a question",
    "give every question a prompt, options without repetitions, and only images that the sample has",
)
UNSTEADY = Defect(
    "unsteady-questions",
    "with the same answers it asks or concludes something else",
    "a run could not be repeated, and a resumed one would not equal an unbroken one",
    "draw from random.Random(seed) made in converse, and keep nothing between samples",
)
SHARED_STATE = Defect(
    "shared-state",
    "samples that are asked about side by side disturb one another",
    "a batch is asked about in lock-step: what one sample said would leak into another",
    "keep what belongs to a sample in local variables of converse, never on self",
)
UNTEACHABLE = Defect(
    "unusable-right-answers",
    "its right_answers cannot be learned from",
    "coabench train asks the strategy what the right answers are",
    "return answers from question.options; an empty list where a sample teaches nothing",
)
BAD_NAME = Defect(
    "name-differs",
    "its name is not what the user types",
    "runs, leaderboards and adapters are grouped by it",
    "set name to the registered name, with :variant where there is one",
)
DEFECTS = (
    NOT_IMPORTABLE, NO_STRATEGY, BAD_OPTIONS, BAD_IDENTITY, BAD_NAME, RAISES, RAISES_ON_UNPARSED, NO_PREDICTION,
    GUESSES, NEVER_ENDS, BAD_QUESTION, UNSTEADY, SHARED_STATE, UNTEACHABLE, IGNORED_OPTION, UNEXPECTED,
)  # fmt: skip
