"""What all viewers share: one probe, those who answer, the seat, and the faces of the viewer who has it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from coabench.base.worker_thread import WorkerThread
from coabench.errors import CoabenchError, JobError, UserError
from coabench.live.agreement import NAMES
from coabench.live.browser.answerers import Answerers
from coabench.live.browser.choices import CHOICES, change, spell
from coabench.live.browser.frames import MAX_BYTES, Sent, read_frame
from coabench.live.browser.messages import answered, prompted
from coabench.live.browser.people import People
from coabench.live.browser.places import Places
from coabench.live.browser.seating import Seating
from coabench.live.equipment import Equipment
from coabench.live.gaps import Gaps
from coabench.live.gauges import GaugeReader
from coabench.live.probe import Probe
from coabench.live.prompt import LONGEST, ask_freely, check_prompt, refusal
from coabench.live.snapshot import FaceAnswer, Snapshot
from coabench.live.sources import Note
from coabench.web.address import BoundAddress

WIDTH = 640
"""The longer side, in pixels, of the frames that the page sends."""
FRAMES_PER_SECOND = 15.0
"""How many the page sends at most."""
WAITING = 256
"""Answers that wait for a slow viewer at most; older ones are dropped."""


class SharedSession:
    """The probe behind the page. All methods but `add_answer` are called in the thread of the web server.

    Only the viewer in the seat sends frames and sees faces: there is one detector and one model, and no viewer
    should see the face of another.

    Attributes:
        ended: why the server ends; None while it runs.
        places: for viewers, with or without the seat.
        seating: who has the seat; given by `take`.
        people: the faces of that viewer.
        answerers: those who are asked.
        prompting: whether a free question is under way.
    """

    def __init__(
        self,
        probe: Probe,
        equipment: Equipment,
        address: BoundAddress,
        keeps: Sequence[str],
        note: Note,
        record: Callable[[str, Mapping[str, Any]], None] = lambda kind, data: None,
        prompts: bool = True,
    ) -> None:
        self.address, self.note, self.keeps = address, note, list(keeps)
        self.ended: str | None = None
        self.prompting = False
        self.places, self.seating, self.people, self.gauges = Places(), Seating(), People(), GaugeReader()
        self.answerers = Answerers(probe, equipment, note, self._note_change)
        self._probe, self._equipment, self._record, self._prompts = probe, equipment, record, prompts
        self._gaps = Gaps(record)
        self._answers: deque[dict[str, Any]] = deque(maxlen=WAITING)
        self._decoder = WorkerThread("decode")

    def about(self) -> dict[str, Any]:
        """Return the first message to a viewer."""
        return {
            "type": "hello",
            **self.answerers.in_use,
            "labels": list(self.answerers.first.space.names),
            "strategies": list(self.answerers.strategies),
            "answerers": self.answerers.about,
            "offers": list(self.answerers.offers),
            "settings": CHOICES,
            "prompt": {"longest": LONGEST},
            "remote_backbone": self.answerers.remote,
            "keeps": self.keeps,
            "limits": {
                "width": WIDTH,
                "frames_per_second": FRAMES_PER_SECOND,
                "bytes": MAX_BYTES,
            },
        }

    def take(self, viewer: object) -> None:
        """Give the seat to a viewer; `UserError` where another one has it."""
        if self.seating.take(viewer):
            self._answers.clear()
            self.people.forget()

    # -- frames and answers -------------------------------------------------------------------------------------------

    async def decode(self, message: bytes) -> Sent:
        """Return the frame in a message; decoded in a thread of its own, one after the other.

        Raises:
            BadFrame: it is none, or exceeds a limit.
        """
        return await asyncio.wrap_future(self._decoder.submit(lambda: read_frame(message)))

    def offer(self, sent: Sent) -> int:
        """Hand a frame of the viewer in the seat to the probe; return its index there."""
        frame = self.seating.frame(sent)
        self._gaps.frame(frame.time)
        self._probe.offer(frame)
        return frame.index

    def snapshot(self) -> Snapshot:
        """Return what the probe shows."""
        return self._probe.snapshot()

    def add_answer(self, answer: FaceAnswer) -> None:
        """Keep an answer for the viewer in the seat. Called in the probe's thread; never fails, or it would end it."""
        if self.seating.taken and self.seating.sent(answer.frame):
            self._answers.append(answered(answer, self.seating.captured(answer.time)))

    def answers(self) -> list[dict[str, Any]]:
        """Return the answers since the last call."""
        taken = []
        with suppress(IndexError):
            while True:
                taken.append(self._answers.popleft())
                self.people.meet(taken[-1]["track"])
        return taken

    def identify(self, command: Mapping[str, str]) -> None:
        """Name a face, or merge it into an earlier one; `UserError` where that cannot be."""
        track = self.people.find(command["track"])
        if command["type"] == "name":
            said = self.people.name(track, command["name"])
            facts: dict[str, Any] = {"track": track, "name": self.people.names.get(track)}
        else:
            into = self.people.find(command["into"])
            said = self.people.merge(track, into, {face.track for face in self.snapshot().faces})
            self._probe.merge(track, into)
            facts = {"track": track, "into": into}
        self._record("note", {"text": said, **facts})

    # -- settings, and questions in a viewer's own words --------------------------------------------------------------

    def set(self, name: str, value: str) -> None:
        """Change a setting to one of the values that are offered; `UserError` for any other."""
        self._probe.settings = change(self._probe.settings, name, value)
        self._note_change(name, value)

    @property
    def settings(self) -> dict[str, str]:
        """The settings that a viewer can change, each as `CHOICES` spells it."""
        return spell(self._probe.settings)

    def _note_change(self, name: str, value: str) -> None:
        identity = self._equipment.identify(self.answerers.first, self._probe.settings)
        self._record("change", {"changed": name, "to": value, "answerer": NAMES[0], "identity": identity})

    @property
    def prompt_refused(self) -> str | None:
        """Why no free question can be asked; None where one can."""
        return refusal(self.answerers.first) if self._prompts else "this session takes no questions of your own"

    async def prompt(self, text: str) -> dict[str, Any]:
        """Ask about the faces that are seen now, in the viewer's words; return the message with what was said.

        Raises:
            CoabenchError: it cannot be asked, no face is seen, or another one is under way.
        """
        if self.prompt_refused is not None:
            raise UserError("no free question can be asked", found=self.prompt_refused)
        if self.prompting:
            raise UserError("another question is being answered", remedy="wait for it")
        asker, text = self.answerers.first, check_prompt(self.answerers.first, text)
        look = self._probe.look()
        if look is None or not self.seating.sent(look.frame.index):
            raise UserError("there is no face to ask about", remedy="ask when one is in the picture")
        self.prompting = True
        try:
            said = await asyncio.wrap_future(self._probe.between(lambda: ask_freely(asker, look, text)))
        except CoabenchError:
            raise
        except Exception as error:
            self.note(f"a question of a viewer could not be answered: {type(error).__name__}: {error}")
            raise JobError("the question could not be answered", found=type(error).__name__) from error
        finally:
            self.prompting = False
        for one in said:
            self._record("prompt", {"answerer": NAMES[0], "backbone": asker.identity.backbone.name, **one.record()})
        return prompted(said, self.seating.captured(look.frame.time))
