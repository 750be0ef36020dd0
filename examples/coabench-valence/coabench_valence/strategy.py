"""The strategy: ask for the valence, then for the arousal, then which of the labels that fit both."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import yaml
from coabench.dialogue import Prediction, Question
from coabench.labels import Choices
from coabench.strategy import Strategy

from coabench_valence.circumplex import AROUSALS, VALENCES, arousals, valences

PROMPTS = Path(__file__).with_name("prompts.yaml")


class ValenceArousal(Strategy):
    """Variants: ``both`` (the default), and ``valence``, which leaves the second question out."""

    @dataclass(frozen=True)
    class Options:
        narrow: bool = True  # --set narrow=no offers every label in the end, whatever was answered before

    def __init__(self, request):
        self.variant = request.variant or "both"
        self.name = f"valence-arousal:{request.variant}" if request.variant else "valence-arousal"
        self.narrow = request.options.narrow
        text = PROMPTS.read_text(encoding="utf-8")
        self.prompts, self.sha256 = yaml.safe_load(text), sha256(text.encode()).hexdigest()

    def converse(self, task):
        valence = yield self.ask("valence", task, VALENCES, valences=listed(VALENCES))
        if valence.label is None:
            return Prediction.invalid("unparsed-valence")
        answers = [] if valence.label == "neither" else [valence.label]
        arousal = None
        if self.variant == "both":
            prompt = "arousal" if answers else "neither"
            arousal = yield self.ask(
                "arousal", task, AROUSALS, prompt, valence=valence.label, arousals=listed(AROUSALS)
            )
            if arousal.label is None:
                return Prediction.invalid("unparsed-arousal")
            answers.append(arousal.label)
        labels = self.labels(task, valence.label, arousal and arousal.label)
        impression = " and ".join(answers) or "neither pleasant nor unpleasant"
        answer = yield self.ask("label", task, labels, impression=impression, labels=", ".join(labels))
        if answer.label is None:
            return Prediction.invalid("unparsed-label")
        return Prediction(answer.label, details={"offered": len(labels)})

    def ask(self, name, task, options, prompt=None, **words):
        text = self.prompts[prompt or name].format(**words)
        return Question(text, Choices(options), name=name, images=(task.query,))

    def labels(self, task, valence, arousal):
        """Return the labels that fit the answers; all of them where that leaves no choice."""
        fitting = [
            label
            for label in task.labels
            if valence in valences(emotions_of(label, task))
            and (arousal is None or arousal in arousals(emotions_of(label, task)))
        ]
        return fitting if self.narrow and len(fitting) > 1 else list(task.labels)

    def right_answers(self, question, task, target):
        """What coabench train teaches. Of a mixture both may be right; then the question itself is not taught."""
        emotions = emotions_of(target, task)
        if question.name == "valence":
            return [valence for valence in VALENCES if valence in valences(emotions)]
        if question.name == "arousal":
            return [arousal for arousal in AROUSALS if arousal in arousals(emotions)]
        return super().right_answers(question, task, target)

    def identity(self):
        return {"version": 1, "prompts": self.sha256}  # the bench adds the options


def emotions_of(label, task):
    """Return the two emotions of a compound label, the one of a basic label."""
    return task.space.pair_of(label) or (label,)


def listed(words):
    """Return "pleasant, unpleasant, or neither"."""
    *first, last = words
    return f"{', '.join(first)}, or {last}" if len(first) > 1 else f"{first[0]} or {last}"
