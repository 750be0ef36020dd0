"""A backbone whose answer depends on the query image and the question, and on nothing else."""

import hashlib
import os
import time
from dataclasses import asdict, dataclass
from math import log

from coabench.backbone import Backbone, Viewing
from coabench.dialogue import Answer
from coabench.errors import JobError, OutOfMemory


class Scripted(Backbone):
    capabilities = frozenset({"generates", "scores"})

    @dataclass(frozen=True)
    class Options:
        delay: float = 0.0
        slow_after: int = 0
        """Answer so many times before the delay sets in."""
        always: str = ""
        """Say this, whatever is asked."""
        crash_after: int = -1
        fits: int = 1000
        """So many samples at a time fit into the memory."""
        noise: bool = True
        """Now and then say something that is no label."""

    def __init__(self, request):
        self.model, self.options, self.asked = request.model, request.options, 0
        self.notes = ["a script, not a model"]

    def remember(self, folder):
        if os.environ.get("SCRIPTED_MEMORY"):
            folder.mkdir(exist_ok=True)
            (folder / "asked").touch()

    def load(self):
        if os.environ.get("SCRIPTED_NO_LOAD"):
            raise RuntimeError("the weights are gone")
        self.notes.append("its script was read")

    def identity(self):
        return {"weights": self.model or "none", "always": self.options.always, "noise": self.options.noise}

    def details(self):
        return {"device": "cpu", "options": asdict(self.options), "notes": list(self.notes)}

    def look(self, batch):
        return Seen(self, batch)


class Seen(Viewing):
    def __init__(self, backbone, batch):
        self.backbone, self.batch = backbone, batch

    def generate(self, questions):
        return self.answers(questions, self.response)

    def score(self, questions):
        return self.answers(questions, self.scores)

    def answers(self, questions, answer):
        options = self.backbone.options
        if len(self.batch) > options.fits:
            raise OutOfMemory("the memory is full", remedy="lower --batch-size")
        self.backbone.asked += 1
        if self.backbone.asked > options.slow_after:
            time.sleep(options.delay)
        if self.backbone.asked == options.crash_after:
            raise JobError("the machine is on fire", remedy="put it out")
        if os.environ.get("SCRIPTED_DEFECT"):
            raise ZeroDivisionError("a defect")
        return [
            None if q is None else answer(q, digest_of(images[-1], q))
            for images, q in zip(self.batch, questions, strict=True)
        ]

    def scores(self, question, digest):
        weights = [1 + digest[i] for i in range(len(question.options))]
        scores = {o: log(w / sum(weights)) for o, w in zip(question.options, weights, strict=True)}
        return Answer("", scores, prompt_tokens=7)

    def response(self, question, digest):
        options = question.options or ("whatever it is",)
        chosen = options[digest[0] % len(options)]
        if self.backbone.options.noise and digest[1] % 8 == 0:
            chosen = "I see \x1b[31mred\x1b[0m <b>things</b>"
        return Answer(self.backbone.options.always or chosen, prompt_tokens=7, cached_tokens=3, new_tokens=2)


def digest_of(image, question):
    texts = [question.prompt, *(m.text for m in question.context)]
    return hashlib.sha256(image.tobytes() + "\n".join(texts).encode()).digest()
