"""What viewers share: places, and the thread in which frames are decoded."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from support.event_loop import run
from support.live import FixedFaces, Gated, asker, frame
from support.process import wait_for

from coabench.backbone import Viewing
from coabench.dialogue import Answer, Question
from coabench.errors import JobError, UserError
from coabench.live.asker import Asker
from coabench.live.browser import Permissions, Serving, prepare, session
from coabench.live.browser.frames import Sent
from coabench.live.equipment import Equipment
from coabench.live.probe import Probe
from coabench.live.settings import Settings

LONG = 60.0
"""Seconds after which a test gives up."""


@pytest.fixture
def logged() -> list[tuple[str, Any]]:
    return []


@pytest.fixture
def shared(logged: list[tuple[str, Any]]) -> Iterator[session.SharedSession]:
    for package in ("starlette", "uvicorn", "websockets"):
        pytest.importorskip(package)
    asks = asker(Gated())
    record = lambda kind, data: logged.append((kind, data))  # noqa: E731
    with prepare(Serving("127.0.0.1:0")) as address, Probe(FixedFaces(), asks, Settings()) as probe:
        yield session.SharedSession(
            probe, Equipment((asks,), FixedFaces(), (asks.identity,), "gated"), address, [], print, record
        )


def test_frames_are_decoded_one_at_a_time_while_others_are_served(
    shared: session.SharedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[bytes] = []
    go_on = threading.Event()

    def slow(message: bytes) -> bytes:
        begun.append(message)
        assert go_on.wait(LONG)
        return message

    monkeypatch.setattr(session, "read_frame", slow)

    async def scenario() -> None:
        frames = [asyncio.create_task(shared.decode(message)) for message in (b"first", b"second")]
        async with asyncio.timeout(LONG):
            while not begun:
                await asyncio.sleep(0.01)  # the event loop is free
        assert begun == [b"first"]
        go_on.set()
        assert await asyncio.gather(*frames) == [b"first", b"second"]

    run(scenario())


class Wordy(Gated):
    """Answers a free question with it, and more than once only if it may."""

    def look(self, batch: Sequence[Any]) -> Viewing:
        if self.error is not None:
            raise self.error
        backbone = self

        class Saying(Viewing):
            def generate(self, questions: Sequence[Question | None]) -> list[Answer]:
                if not backbone.free:
                    backbone.gate.acquire()
                return [Answer(f"{q.prompt} {v}" if not q.options else q.options[0])
                        for q, v in zip(questions, batch, strict=True) if q]  # fmt: skip

        return Saying()


@contextmanager
def asking(backbone: Gated, **more: Any) -> Iterator[tuple[session.SharedSession, list[tuple[str, Any]], Probe]]:
    """A session with a face in its picture, whose viewer has the seat; and what it records."""
    recorded: list[tuple[str, Any]] = []
    backbone.free = True
    asks = asker(backbone)
    equipment = Equipment((asks,), FixedFaces(), (asks.identity,), "gated", **more.pop("equipped", {}))  # type: ignore[arg-type]
    with prepare(Serving("127.0.0.1:0")) as address, Probe(FixedFaces(), asks, Settings(min_face=1)) as probe:
        shared = session.SharedSession(
            probe, equipment, address, [], print, lambda kind, data: recorded.append((kind, data)), **more
        )
        probe.listen(shared.add_answer)
        probe.start()
        shared.take("viewer")
        shared.offer(Sent(1, 0.0, frame(5).image))
        wait_for(lambda: probe.look() and probe.snapshot().faces[0].answer)
        yield shared, recorded, probe


def test_a_free_question_is_answered_recorded_apart_and_counted_nowhere() -> None:
    with asking(Wordy()) as (shared, recorded, probe):
        before = probe.snapshot()
        message = run(shared.prompt("  why? "))
        assert message["text"] == "why?"
        assert message["responses"] == [{"track": 1, "response": "why? 5", "error": None}]
        ((kind, line),) = recorded
        assert (kind, line["text"], line["evaluated"], line["track"], line["answerer"]) == (
            "prompt",
            "why?",
            False,
            1,
            "A",
        )
        after = probe.snapshot()
        assert (after.rates.answers, after.rates.labels) == (before.rates.answers, before.rates.labels)
        assert after.faces[0].answer == before.faces[0].answer


def test_free_questions_that_cannot_be_asked() -> None:
    backbone = Wordy()
    with asking(backbone) as (shared, recorded, probe):
        for text, problem in (("", "cannot be asked"), ("x" * 501, "1 to 500 characters")):
            with pytest.raises(UserError, match=problem):
                run(shared.prompt(text))
        backbone.error = ZeroDivisionError("a defect")
        with pytest.raises(JobError, match="could not be answered"):
            run(shared.prompt("why?"))
        backbone.error = None
        probe.check()  # a viewer's words end nothing
        assert run(shared.prompt("why?"))["responses"]
        assert run(shared.prompt("why \ud800?"))["text"] == "why \\ud800?"  # which no tokenizer takes
        shared.seating.leave("viewer")
        shared.take("another viewer")
        with pytest.raises(UserError, match="no face to ask about"):  # the last one's face is nobody else's
            run(shared.prompt("why?"))
        assert len(recorded) == 2


def test_free_questions_are_refused_where_the_session_or_the_backbone_takes_none() -> None:
    class Scoring(Wordy):
        capabilities = frozenset({"scores"})

    for backbone, more, why in (
        (Wordy(), {"permissions": Permissions(prompts=False)}, "takes no questions"),
        (Scoring(), {}, "not in words"),
    ):
        with asking(backbone, **more) as (shared, recorded, _):  # type: ignore[arg-type]
            assert why in (shared.prompt_refused or "")
            with pytest.raises(UserError, match=why):
                run(shared.prompt("why?"))
            assert recorded == []


def test_only_what_is_offered_can_be_set_or_chosen() -> None:
    offers = {"equipped": {"offers": {"first": {}}}}
    with asking(Wordy(), **offers) as (shared, recorded, probe):
        for name, value in (
            ("every", "0.3"),
            ("smooth", "1000000000"),
            ("faces", "1"),
            ("margin", "x"),
            ("__class__", "1"),
        ):
            with pytest.raises(UserError, match="no such setting"):
                shared.set(name, value)
        for kind in ("strategy", "offer"):
            with pytest.raises(UserError, match=f"no such {kind}"):
                run(shared.answerers.switch(kind, "/etc/passwd"))
        assert recorded == []
        shared.set("smooth", "5")
        shared.set("every", "0.25")
        assert (probe.settings.smooth, probe.settings.every) == (5, 0.25)
        assert shared.settings == {"every": "0.25", "smooth": "5"}
        assert [(kind, line["changed"], line["to"]) for kind, line in recorded] == [
            ("change", "smooth", "5"),
            ("change", "every", "0.25"),
        ]
        assert recorded[-1][1]["identity"]["settings"]["smooth"] == 5


def test_the_adapter_is_the_one_of_the_strategy(
    shared: session.SharedSession, logged: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_strategy(asks: Asker, spec: str) -> Asker:
        other = asker(Gated(), spec)
        other.identity = replace(other.identity, backbone=replace(other.identity.backbone, adapter=f"shipped/{spec}"))
        return other

    monkeypatch.setattr(Asker, "with_strategy", with_strategy)
    assert shared.answerers.in_use["adapter"] is None
    run(shared.answerers.switch("strategy", "direct"))
    assert (shared.answerers.strategy, shared.answerers.in_use["adapter"]) == ("direct", "shipped/direct")
    ((kind, change),) = logged
    assert (kind, change["changed"], change["to"]) == ("change", "strategy", "direct")
    assert change["identity"]["backbone"]["adapter"] == "shipped/direct"


class Fails:
    """A detector on the list that does not work."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def open(self) -> Any:
        raise self.error


class Works:
    """One that finds another face."""

    def open(self) -> Any:
        return FixedFaces((70, 20, 120, 90)), {"name": "works"}


def test_a_detector_that_fails_says_so_and_the_old_one_goes_on() -> None:
    gone = UserError("its weights are gone", found="nothing", remedy="get them")
    errors = {"broken": gone, "defect": ZeroDivisionError("a defect")}
    detectors = {**{name: Fails(error) for name, error in errors.items()}, "works": Works()}
    with asking(Gated(), equipped={"detectors": detectors}) as (shared, recorded, probe):
        for name in errors:
            with pytest.raises(JobError, match=f"detector {name} could not be made ready, .* goes on") as failed:
                run(shared.detectors.switch(name))
            assert (failed.value.found == "its weights are gone: nothing") == (name == "broken")
        with pytest.raises(UserError, match="no such detector"):
            run(shared.detectors.switch("/etc/passwd"))
        assert recorded == []
        assert shared.switching is None
        shared.offer(Sent(2, 100.0, frame(6).image))
        wait_for(lambda: probe.snapshot().frame.index == 1)  # type: ignore[union-attr]
        assert probe.snapshot().faces[0].box == (10, 10, 60, 60)

        run(shared.detectors.switch("works"))
        shared.offer(Sent(3, 200.0, frame(7).image))
        wait_for(lambda: probe.snapshot().frame.index == 2)  # type: ignore[union-attr]
        assert (70, 20, 120, 90) in [face.box for face in probe.snapshot().faces]
        ((kind, line),) = recorded
        assert (kind, line["changed"], line["to"]) == ("change", "detector", "works")
        assert line["identity"]["detector"] == {"name": "works"}
        shared.close()
