"""A question in anybody's own words about the faces in the picture. It is no evaluation, and never counted as one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from coabench.base.names import to_file
from coabench.base.text import safe
from coabench.decode import GENERATE
from coabench.detector import Box
from coabench.dialogue import Question
from coabench.errors import SampleError, UserError
from coabench.labels import Choices
from coabench.live.asker import Asker
from coabench.live.snapshot import Look

LONGEST = 500
"""Characters of a question."""
RESPONSE = 4000
"""Characters of a response that are kept."""


@dataclass(frozen=True)
class Prompted:
    """What was said to a free question about one face.

    Attributes:
        frame: index of the frame; *time*: its time.
        track, box: see `coabench.live.snapshot.FaceAnswer`.
        error: why there is no response, if there is none.
        seconds: from the crops to the responses.
    """

    text: str
    frame: int
    time: float
    track: int
    box: Box
    response: str
    error: str | None
    seconds: float

    def record(self) -> dict[str, Any]:
        """Return it as the log has it, in a line of its own kind; JSON-serialisable."""
        return {
            "text": self.text,
            "evaluated": False,
            "frame": self.frame,
            "time": round(self.time, 6),
            "track": self.track,
            "box": list(self.box),
            "response": self.response,
            "error": self.error,
            "seconds": round(self.seconds, 6),
        }


def refusal(asker: Asker) -> str | None:
    """Return why a backbone cannot be asked freely; None where it can."""
    if GENERATE.needs not in type(asker.backbone).capabilities:
        return f"{asker.identity.backbone.name} answers with scores or classes alone, not in words"
    return None


def check_prompt(asker: Asker, text: str) -> str:
    """Return a question as it is asked.

    Raises:
        UserError: it is empty or too long, or the backbone cannot answer in words, or not this.
    """
    text = to_file(text.strip()).decode()  # no lone surrogate, which no tokenizer takes
    if not text or len(text) > LONGEST:
        raise UserError(
            "a question cannot be asked",
            expected=f"1 to {LONGEST} characters",
            found=f"{len(text)}",
            remedy="write a shorter one" if text else "write one",
        )
    if (why := refusal(asker)) is not None:
        raise UserError("no free question can be asked", found=why, remedy="choose another --backbone")
    asker.backbone.check((_question(text),), GENERATE.name)
    return text


def ask_freely(asker: Asker, look: Look, text: str) -> list[Prompted]:
    """Ask about each crop of a look; the responses are what the backbone says, unparsed."""
    started = time.perf_counter()
    backbone, usable, errors = asker.backbone, dict[int, Any](), dict[int, str]()
    for i, crop in enumerate(look.crops):
        try:
            usable[i] = backbone.prepare([crop])
        except SampleError as error:
            errors[i] = str(error)
    responses: dict[int, str] = {}
    if usable:
        viewing = backbone.look(list(usable.values()))
        for i, answer in zip(usable, viewing.ask([_question(text)] * len(usable), GENERATE.name), strict=True):
            if isinstance(answer, SampleError) or answer is None:
                errors[i] = str(answer or "no answer")
            else:
                responses[i] = answer.response[:RESPONSE]
    seconds = time.perf_counter() - started
    return [
        Prompted(text, look.frame.index, look.frame.time, track.id, track.box, responses.get(i, ""),
                 errors.get(i) and safe(errors[i], 200), seconds)
        for i, track in enumerate(look.tracks)
    ]  # fmt: skip


def _question(text: str) -> Question:
    return Question(text, Choices(()), name="prompt")
