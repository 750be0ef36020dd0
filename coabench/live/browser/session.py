"""What all viewers share: one probe, those who answer, the seat, and the faces of the viewer who has it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

from coabench.base.worker_thread import WorkerThread
from coabench.errors import CoabenchError, JobError, UserError
from coabench.live.agreement import NAMES
from coabench.live.browser.answerers import Answerers
from coabench.live.browser.choices import CHOICES, change, spell
from coabench.live.browser.detectors import Detectors
from coabench.live.browser.frames import MAX_BYTES, Sent, read_frame
from coabench.live.browser.messages import answered, prompted
from coabench.live.browser.people import People
from coabench.live.browser.pictures import pack
from coabench.live.browser.places import Places
from coabench.live.browser.player import Player, Watched
from coabench.live.browser.seating import Seating
from coabench.live.browser.serving import USUAL, Permissions
from coabench.live.browser.uploads import MAX_BYTES as FILM_BYTES
from coabench.live.browser.uploads import PIECE
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
        detectors: what finds the faces.
        player: what is looked at: the viewer's camera, or a source of this machine in its place.
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
        permissions: Permissions = USUAL,
    ) -> None:
        self.address, self.note, self.keeps = address, note, list(keeps)
        self.ended: str | None = None
        self.prompting = False
        self.places, self.seating, self.people, self.gauges = Places(), Seating(), People(), GaugeReader()
        self.answerers = Answerers(probe, equipment, note, self._note_change)
        self.detectors = Detectors(probe, equipment, note, self._note_change)
        self.player = Player(permissions, self.seating, self._say, self._watch)
        self._probe, self._record, self._prompts = probe, record, permissions.prompts
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
            "detectors": list(self.detectors.offers),
            "settings": CHOICES,
            "prompt": {"longest": LONGEST},
            "sources": {"film": self.player.films, "address": self.player.addresses.allowed},
            "remote_backbone": self.answerers.remote,
            "keeps": self.keeps,
            "limits": {
                "width": WIDTH,
                "frames_per_second": FRAMES_PER_SECOND,
                "bytes": MAX_BYTES,
                "film": FILM_BYTES,
                "piece": PIECE,
            },
        }

    def take(self, viewer: object) -> None:
        """Give the seat to a viewer; `UserError` where another one has it."""
        if self.seating.take(viewer):
            self._forget()

    def leave(self, viewer: object) -> None:
        """Free the seat if a viewer has it; what this machine reads for them is closed, and their film deleted."""
        self.seating.leave(viewer)
        self._vacate()

    def free_idle(self) -> None:
        """Free the seat of a viewer of whom nothing was heard for long."""
        self.seating.free_idle()
        self._vacate()

    def _vacate(self) -> None:
        if not self.seating.taken:
            self.player.back()

    def _forget(self) -> None:
        self._answers.clear()
        self.people.forget()

    def close(self) -> None:
        """End what was opened for viewers, once the probe is closed."""
        self.player.close()
        self.detectors.close()

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

    async def picture(self) -> bytes | None:
        """Hand the next frame of this machine's source to the probe, and return it for the page, once one is due.

        It is packed in the thread that decodes frames.
        """
        frame = self.player.next(1 / FRAMES_PER_SECOND)
        if frame is None:
            return None
        self._gaps.frame(frame.time)
        self._probe.offer(frame)
        captured = self.seating.captured(frame.time)
        packed = await asyncio.wrap_future(self._decoder.submit(lambda: pack(frame, captured, WIDTH)))
        return packed if self.seating.sent(frame.index) else None

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

    def _say(self, text: str) -> None:
        """Say what happened to a source, and log it."""
        self.note(text)
        self._record("note", {"text": text})

    def _watch(self, watched: Watched) -> None:
        """Something else is looked at: what was known of the faces before is forgotten."""
        self._forget()
        self._gaps = Gaps(self._record)
        self._note_change("source", watched.name, frame=watched.since)

    def _note_change(self, name: str, value: str, **more: Any) -> None:
        cut, found_by = asdict(self._probe.settings), self.detectors.about
        identity = replace(self.answerers.first.identity, detector=found_by, settings=cut).to_json()
        self._record("change", {"changed": name, "to": value, **more, "answerer": NAMES[0], "identity": identity})

    @property
    def switching(self) -> str | None:
        """What is being made ready, if anything."""
        return self.answerers.switching or self.detectors.switching or self.player.opening

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
