"""What all viewers share: one probe, one strategy, and the seat: the right to send frames, of one viewer at a time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from coabench.base.worker_thread import WorkerThread
from coabench.errors import CoabenchError, JobError, UserError
from coabench.live.agreement import NAMES
from coabench.live.asker import Asker, usable_strategies
from coabench.live.beside import summarise
from coabench.live.browser.clock import Clock
from coabench.live.browser.frames import MAX_BYTES, Sent, read_frame
from coabench.live.browser.messages import Seat, answered, prompted
from coabench.live.browser.people import People
from coabench.live.equipment import Equipment
from coabench.live.gauges import GaugeReader
from coabench.live.probe import Probe
from coabench.live.prompt import LONGEST, ask_freely, check_prompt, refusal
from coabench.live.snapshot import FaceAnswer, Frame, Snapshot
from coabench.live.sources import Note
from coabench.registry.blame import contained
from coabench.registry.loader import get_plugins
from coabench.web.address import BoundAddress

BETWEEN = 10.0
"""Seconds of the source that lie between two viewers, so that no face of one is taken for a face of the other."""
WIDTH = 640
"""The longer side, in pixels, of the frames that the page sends."""
FRAMES_PER_SECOND = 15.0
"""How many the page sends at most."""
IDLE = 60.0
"""Seconds without a frame after which the seat is free again."""
WAITING = 256
"""Answers that wait for a slow viewer at most; older ones are dropped."""
VIEWERS = 32
"""Browsers that may be connected at once."""
VIEWERS_PER_NETWORK = 8
"""The same for one address, or one IPv6 network."""


CHOICES = {"every": ("0", "0.25", "0.5", "1", "2", "5", "10"), "smooth": ("1", "3", "5", "9", "15")}
"""The settings that a viewer may change, and to what: seconds between two questions, answers that vote."""


class SharedSession:
    """The probe behind the page. All methods but `add_answer` are called in the thread of the web server.

    Only the viewer in the seat sends frames and sees faces: there is one detector and one model, and no viewer
    should see the face of another.

    Attributes:
        ended: why the server ends; None while it runs.
        in_use: what answers now: backbone, model, adapter and so on.
        switching: the strategy that is being made ready, if any.
        answerers: those who are asked: name, and what they are in words.
        offered: which of those that are offered answers.
        prompting: whether a free question is under way.
        prompt_refused: why none can be asked; None where one can.
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
        self.switching: str | None = None
        self.gauges, self.people = GaugeReader(), People()
        self._viewers = Counter[str]()
        self._probe, self._equipment, self._askers = probe, equipment, list(equipment.askers)
        self._first_asker, self._record, self._prompts = equipment.askers[0], record, prompts
        self._strategies = _strategies(equipment.askers[0])
        self.in_use, self.answerers = _in_use(self._asker), _answerers(equipment.askers)
        self.offered = next(iter(equipment.offers), None)
        self.prompting = False
        self.prompt_refused = self._refusal()
        self._holder: object | None = None
        self._clock = Clock(0.0)
        self._first = self._frames = 0
        self._last_frame = 0.0
        self._answers: deque[dict[str, Any]] = deque(maxlen=WAITING)
        self._switcher = WorkerThread("switch")
        self._decoder = WorkerThread("decode")

    def about(self) -> dict[str, Any]:
        """Return the first message to a viewer."""
        return {
            "type": "hello",
            **self.in_use,
            "labels": list(self._asker.space.names),
            "strategies": list(self._strategies),
            "answerers": self.answerers,
            "offers": list(self._equipment.offers),
            "settings": CHOICES,
            "prompt": {"longest": LONGEST},
            "remote_backbone": any(type(each.backbone).remote for each in self._askers),
            "keeps": self.keeps,
            "limits": {
                "width": WIDTH,
                "frames_per_second": FRAMES_PER_SECOND,
                "bytes": MAX_BYTES,
            },
        }

    @property
    def _asker(self) -> Asker:
        return self._askers[0]

    def enter(self, network: str) -> bool:
        """Count a viewer from a network; return False, and count nothing, where too many are there."""
        if self._viewers[network] >= VIEWERS_PER_NETWORK or self._viewers.total() >= VIEWERS:
            return False
        self._viewers[network] += 1
        return True

    def exit(self, network: str) -> None:
        """A viewer from a network has gone."""
        self._viewers -= Counter([network])  # drops the network with its last viewer

    # -- the seat -----------------------------------------------------------------------------------------------------

    def seat(self, viewer: object) -> Seat:
        """Return how the seat looks to a viewer."""
        if self._holder is None:
            return "free"
        return "yours" if self._holder is viewer else "taken"

    def take(self, viewer: object) -> None:
        """Give the seat to a viewer; `UserError` where another one has it."""
        seat = self.seat(viewer)
        if seat == "taken":
            raise UserError(
                "somebody else is connected",
                expected="one camera at a time",
                remedy="wait until they stop, or stop the other page",
            )
        if seat == "free":
            self._holder = viewer
            self._clock = Clock(self._clock.last + BETWEEN)
            self._first, self._last_frame = self._frames, time.monotonic()
            self._answers.clear()
            self.people.forget()

    def leave(self, viewer: object) -> None:
        """Free the seat if the viewer has it."""
        if self._holder is viewer:
            self._holder = None

    def free_idle(self) -> None:
        """Free the seat of a viewer who has sent nothing for long."""
        if self._holder is not None and time.monotonic() - self._last_frame > IDLE:
            self._holder = None

    # -- frames and answers -------------------------------------------------------------------------------------------

    async def decode(self, message: bytes) -> Sent:
        """Return the frame in a message; decoded in a thread of its own, one after the other.

        Raises:
            BadFrame: it is none, or exceeds a limit.
        """
        return await asyncio.wrap_future(self._decoder.submit(lambda: read_frame(message)))

    def offer(self, sent: Sent) -> int:
        """Hand a frame of the viewer in the seat to the probe; return its index there."""
        index = self._frames
        self._frames += 1
        self._last_frame = time.monotonic()
        self._probe.offer(Frame(sent.image, self._clock.time(sent.captured), index, scene=self._first))
        return index

    @property
    def captured(self) -> float:
        """When the newest frame was taken, by the clock of the viewer in the seat."""
        return self._clock.captured(self._clock.last)

    def snapshot(self) -> Snapshot:
        """Return what the probe shows."""
        return self._probe.snapshot()

    def of_seat(self, index: int) -> bool:
        """Whether the viewer in the seat has sent the frame of this index."""
        return index >= self._first

    def add_answer(self, answer: FaceAnswer) -> None:
        """Keep an answer for the viewer in the seat. Called in the probe's thread; never fails, or it would end it."""
        if self._holder is not None and self.of_seat(answer.frame):
            self._answers.append(answered(answer, self._clock.captured(answer.time)))

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

    # -- the strategy -------------------------------------------------------------------------------------------------

    @property
    def strategy(self) -> str:
        """The strategy that asks, as the page's list names it."""
        return self._asker.strategy.name

    async def switch(self, kind: str, name: str) -> None:
        """Ask with another ``strategy``, or another one of the ``offer``, from now on. Weights may have to be loaded.

        Raises:
            CoabenchError: it is not on the list, another switch is under way, or it cannot be made ready.
        """
        # Only what is on the list: a name of the viewer's choice could be any file of this machine.
        known: Mapping[str, Any] = self._strategies if kind == "strategy" else self._equipment.offers
        if name not in known:
            raise UserError(f"there is no such {kind}", expected=", ".join(known), remedy="choose another")
        if self.switching is not None:
            raise UserError("another one is being made ready", found=self.switching, remedy="wait for it")
        self.switching = name
        try:
            other = await asyncio.wrap_future(self._switcher.submit(lambda: self._opened(kind, known[name])))
            self._probe.switch(other)
            self._askers[0] = other
            self.offered = name if kind == "offer" else self.offered
            self.in_use, self.answerers = _in_use(other), _answerers(self._askers)
            self.prompt_refused = self._refusal()
            self._note_change(kind, name)
        except CoabenchError:
            raise
        except Exception as error:
            self.note(f"{name} could not be made ready: {type(error).__name__}: {error}")
            raise JobError(f"{name} could not be made ready", found=type(error).__name__) from error
        finally:
            self.switching = None

    @contained()
    def _opened(self, kind: str, chosen: Any) -> Asker:
        """Return a loaded asker: the one that asks with another strategy, or an offer with the strategy that asks."""
        if kind == "strategy":
            return self._asker.with_strategy(chosen)
        kept = self._strategies.get(self.strategy)
        other = self._first_asker.variant(**{**({"strategy": kept} if kept else {}), **chosen})
        for asker in self._askers:
            other.share_weights(asker)
        other.load()
        return other

    # -- settings, and questions in a viewer's own words --------------------------------------------------------------

    def set(self, name: str, value: str) -> None:
        """Change a setting to one of the values that are offered; `UserError` for any other."""
        if value not in CHOICES.get(name, ()):
            known = ", ".join(f"{key}={', '.join(values)}" for key, values in CHOICES.items())
            raise UserError("there is no such setting", expected=known, remedy="choose one of these")
        kind = type(getattr(self._probe.settings, name))
        self._probe.settings = replace(self._probe.settings, **{name: kind(value)})
        self._note_change(name, value)

    @property
    def settings(self) -> dict[str, str]:
        """The settings that a viewer can change, each as `CHOICES` spells it."""
        return {name: f"{getattr(self._probe.settings, name):g}" for name in CHOICES}

    def _note_change(self, name: str, value: str) -> None:
        identity = self._equipment.identify(self._asker, self._probe.settings)
        self._record("change", {"changed": name, "to": value, "answerer": NAMES[0], "identity": identity})

    def _refusal(self) -> str | None:
        return refusal(self._asker) if self._prompts else "this session takes no questions of your own"

    async def prompt(self, text: str) -> dict[str, Any]:
        """Ask about the faces that are seen now, in the viewer's words; return the message with what was said.

        Raises:
            CoabenchError: it cannot be asked, no face is seen, or another one is under way.
        """
        if self.prompt_refused is not None:
            raise UserError("no free question can be asked", found=self.prompt_refused)
        if self.prompting:
            raise UserError("another question is being answered", remedy="wait for it")
        asker, text = self._asker, check_prompt(self._asker, text)
        look = self._probe.look()
        if look is None or not self.of_seat(look.frame.index):
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
        return prompted(said, self._clock.captured(look.frame.time))


def _answerers(askers: Sequence[Asker]) -> list[dict[str, str]]:
    return [{"name": name, "about": about} for name, about in summarise(askers).items()]


def _in_use(asker: Asker) -> dict[str, Any]:
    """Return what answers, for the head of the page; each strategy may have an adapter of its own."""
    backbone = asker.identity.backbone
    return {
        "backbone": backbone.name,
        "model": backbone.model,
        "adapter": backbone.adapter,
        "device": asker.backbone.details().get("device"),
        "decode": asker.identity.decode,
    }


def _strategies(asker: Asker) -> Mapping[str, str]:
    """Return what a viewer may switch to: name -> what `Asker.with_strategy` takes.

    Strategies with exemplars are left out where no data set was named that they could come from.
    """
    specs = [
        f"{name}:{variant}" if variant else name
        for name, registration in get_plugins().strategies.items()
        for variant in registration.details.get("variants") or (None,)
    ]
    known = {asker.strategy.name: str(asker.choice.strategy)}
    for spec, strategy in usable_strategies(specs, asker.choice.exemplars_from is not None):
        known.setdefault(strategy.name, spec)
    return dict(sorted(known.items()))
