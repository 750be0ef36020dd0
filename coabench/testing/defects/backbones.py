"""What may be wrong with a backbone."""

from __future__ import annotations

from coabench.testing.defects.common import BAD_OPTIONS, IGNORED_OPTION, NOT_IMPORTABLE
from coabench.testing.findings import UNEXPECTED, Defect

NO_BACKBONE = Defect(
    "no-backbone",
    "its target is no backbone",
    "jobs read capabilities, Options and default_adapter off the target, and then make it",
    "derive a class from coabench.backbone.Backbone; implement identity and look",
)
BAD_CAPABILITIES = Defect(
    "unusable-capabilities",
    "its capabilities are not what it can do",
    "they decide which strategies and which --decode it is offered with",
    "set capabilities to a frozenset of generates, scores, samples, trains, quantises, int8; implement what it says",
)
BAD_IDENTITY = Defect(
    "unusable-identity",
    "its identity() cannot stand in a manifest",
    "a run's identity decides whether it may be resumed; it is asked for before load() and compared as JSON",
    "return a dictionary of plain values from identity(), callable before load() and the same after it",
)
OUTSIDE_IDENTITY = Defect(
    "option-outside-identity",
    "an option changes answers, and identity() stays the same",
    "a run could be resumed with other settings, and two different runs would pass as one",
    "put every option that can change an answer into identity()",
)
FAILS = Defect(
    "fails",
    "it raises where it should answer",
    "an exception ends the whole run",
    "answer, or return a SampleError for the one sample that cannot be asked about",
)
OLD_PREPARE = Defect(
    "prepare-takes-no-sample",
    "prepare cannot be called with a sample's id",
    "runs call prepare(images, sample)",
    "declare it as prepare(self, images, sample=None)",
)
MISALIGNED = Defect(
    "misaligned-answers",
    "answers do not stand where their questions stand",
    "one sample would get another's answer",
    "return a list as long as the questions: an Answer (or a SampleError) for each, None where there was none",
)
PARSES = Defect(
    "parses",
    "it reads labels itself",
    "every backbone must be read by the same parser, or numbers cannot be compared",
    "return the raw text as response, and leave label and match alone",
)
UNSTEADY = Defect(
    "unsteady-answers",
    "the same question about the same image gets another answer",
    "a run could not be repeated, and a resumed one would not equal an unbroken one",
    "decode greedily, draw sampled answers by the seed of Question.draw alone, and set every seed that is left",
)
IGNORES_DRAW = Defect(
    "ignores-draw",
    "a sampled answer does not depend on its draw",
    "every sampled dialogue would say the same, and their vote would pass for certainty",
    "draw each token by temperature, top_p and seed of Question.draw; coabench.support.sampling.draw_tokens does",
)
BATCH = Defect(
    "depends-on-batch",
    "an answer depends on what else is in the batch",
    "numbers would change with --batch-size and after a resume",
    "mask the padding, pad on the left for generation, and take no statistics over the batch; in half precision near "
    "ties may fall either way, so check with --dtype float32",
)
HISTORY = Defect(
    "depends-on-earlier-questions",
    "an answer depends on what was asked before",
    "what a question rests on is its context, and nothing else; strategies could not be compared",
    "let each question begin from what was seen, and not from where the last question ended",
)
NO_SCORES = Defect(
    "no-scores",
    "a scored question gets no scores for its options, in their order",
    "the label is the option that scores best; a run stops where scores are missing",
    "return scores={option: log-probability} with exactly the options of the question, in their order",
)
NOT_LOG = Defect(
    "not-log-probabilities",
    "its scores are no natural-log probabilities",
    "calibration and pair-scores compute with them as such",
    "return finite numbers of at most 0 whose exponentials add up to at most 1",
)
BAD_TRAINEE = Defect(
    "unusable-trainee",
    "its trainee cannot be used",
    "it declares trains, and coabench train would fail, or train something else",
    "let groups and unused name modules, parts begin the name of every parameter, encode count its tokens, and collate "
    "return labels with -100 where nothing is learnt",
)
LOSS = Defect(
    "unusable-loss",
    "the loss of two samples is not the sum of their losses",
    "what is learnt would depend on what else is in the micro-batch",
    "return the summed loss divided by num_items_in_batch, and mask the padding",
)
DEFECTS = (
    NOT_IMPORTABLE, NO_BACKBONE, BAD_CAPABILITIES, BAD_OPTIONS, BAD_IDENTITY, OUTSIDE_IDENTITY, FAILS, OLD_PREPARE,
    MISALIGNED, PARSES, UNSTEADY, IGNORES_DRAW, BATCH, HISTORY, NO_SCORES, NOT_LOG, IGNORED_OPTION, BAD_TRAINEE, LOSS,
    UNEXPECTED,
)  # fmt: skip
