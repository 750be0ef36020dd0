"""The live probe: what is dropped, what is newest, what is stale, and how it ends."""

import gc
import threading
import time

import pytest
from support.live import FixedFaces, Gated, asker, frame
from support.process import wait_for

from coabench.dialogue import Answer, Question, Turn
from coabench.errors import UserError
from coabench.labels import Choices
from coabench.live.asker import Choice, open_asker, usable_strategies
from coabench.live.memory import vote
from coabench.live.probe import Probe
from coabench.live.rates import quantile
from coabench.live.settings import Settings
from coabench.live.snapshot import FaceAnswer, Frame, confidence
from coabench.registry import defaults

EVERY_FRAME = Settings(min_face=1)


def stepping(settings: Settings = EVERY_FRAME, *boxes: tuple[int, int, int, int]) -> Probe:
    backbone = Gated()
    backbone.free = True
    return Probe(FixedFaces(*boxes), asker(backbone), settings)


def test_while_the_model_thinks_frames_are_dropped_and_then_the_newest_is_asked_about() -> None:
    backbone = Gated()
    with Probe(FixedFaces(), asker(backbone), EVERY_FRAME) as probe:
        probe.start()
        probe.offer(frame(1, rate=1000.0))
        wait_for(lambda: backbone.seen == [[1]])
        for index in range(2, 200):
            probe.offer(frame(index, rate=1000.0))  # would hang if it waited for the model, whose gate is closed
        wait_for(lambda: (probe.snapshot().frame or frame(0)).index == 199)
        assert backbone.seen == [[1]]
        assert probe.snapshot().faces[0].answer is None
        backbone.gate.release(2)
        wait_for(lambda: len(backbone.seen) == 2)
        assert backbone.seen == [[1], [199]]
        answer = probe.snapshot().faces[0].answer
        assert answer is not None
        assert answer.frame == 1


def test_memory_is_bounded_while_the_model_hangs() -> None:
    backbone = Gated()
    with Probe(FixedFaces(), asker(backbone), EVERY_FRAME) as probe:
        probe.start()
        for index in range(3000):
            probe.offer(frame(index))
        wait_for(lambda: (probe.snapshot().frame or frame(0)).index == 2999)
        gc.collect()
        alive = sum(type(thing) is Frame for thing in gc.get_objects())  # isinstance would ask weak proxies
        assert alive <= 4, f"{alive} frames are kept"


def test_the_stages_of_a_chain_arrive_one_by_one() -> None:
    backbone = Gated()
    with Probe(FixedFaces(), asker(backbone), EVERY_FRAME) as probe:
        probe.start()
        probe.offer(frame(3))
        wait_for(lambda: probe.snapshot().faces and probe.snapshot().faces[0].asking)
        assert probe.snapshot().faces[0].turns == ()
        backbone.gate.release()
        wait_for(lambda: len(probe.snapshot().faces[0].turns) == 1)
        view = probe.snapshot().faces[0]
        assert view.asking
        assert view.turns[0].question.name == "primary"
        assert view.turns[0].answer.label == "Happiness"
        backbone.gate.release()
        wait_for(lambda: probe.snapshot().faces[0].answer)
        view = probe.snapshot().faces[0]
        assert [t.question.name for t in view.turns] == ["primary", "secondary"]
        assert not view.asking


def test_several_faces_are_one_batch_and_keep_their_answers() -> None:
    probe = stepping(EVERY_FRAME, (0, 0, 30, 30), (60, 50, 90, 80))
    picture = frame(0, value=3).image.copy()
    picture[50:80, 60:90] = 4
    answers = probe.step(Frame(picture, 0.0, 0))
    assert [(a.track, a.box, a.crop.getpixel((0, 0))) for a in answers] == [
        (1, (0, 0, 30, 30), (3, 3, 3)),
        (2, (60, 50, 90, 80), (4, 4, 4)),
    ]
    assert [a.turns[0].answer.label for a in answers] == ["Happiness", "Sadness"]
    views = probe.snapshot().faces
    assert [view.answer for view in views] == answers


def test_more_faces_than_a_batch_are_asked_about_in_turns() -> None:
    boxes = [(x, 0, x + 20, 20) for x in range(0, 120, 24)]
    backbone = Gated()
    backbone.free = True
    probe = Probe(FixedFaces(*boxes), asker(backbone), Settings(min_face=1, batch=2))
    answers = probe.step(frame(0))
    assert sorted(a.track for a in answers) == [1, 2, 3, 4, 5]
    assert [len(batch) for batch in backbone.seen] == [2, 2, 1]


def test_the_time_before_an_answer_is_split_into_detection_wait_and_model() -> None:
    class Slow(FixedFaces):
        def detect(self, frame):  # type: ignore[no-untyped-def]
            time.sleep(0.05)
            return super().detect(frame)

    class Sleepy(Gated):
        def look(self, batch):  # type: ignore[no-untyped-def]
            time.sleep(0.03)
            return super().look(batch)

    backbone = Sleepy()
    backbone.free = True
    boxes = [(x, 0, x + 20, 20) for x in range(0, 72, 24)]
    probe = Probe(Slow(*boxes), asker(backbone), Settings(min_face=1, batch=1))
    answers = probe.step(frame(0))
    assert all(answer.detect >= 0.05 and answer.seconds >= 0.03 for answer in answers)
    assert all(0.03 * place <= answer.wait for place, answer in enumerate(answers))  # for the faces before it
    rates = probe.snapshot().rates
    assert rates.detect == answers[0].detect
    assert rates.wait == sorted(answer.wait for answer in answers)[1]


def test_a_crop_is_cut_from_the_frame_of_its_box() -> None:
    """The detector is slower than the camera: what it found in one frame must not be cut from the next."""
    going, went = threading.Semaphore(0), threading.Semaphore(0)

    class Slow(FixedFaces):
        def detect(self, frame):  # type: ignore[no-untyped-def]
            went.release()
            going.acquire()
            return super().detect(frame)

    backbone = Gated()
    backbone.free = True
    with Probe(Slow(), asker(backbone), EVERY_FRAME) as probe:
        probe.start()
        probe.offer(frame(1))
        went.acquire()
        probe.offer(frame(2))
        probe.offer(frame(3))
        going.release()
        wait_for(lambda: backbone.seen == [[1]])
        went.acquire()
        going.release()
        wait_for(lambda: backbone.seen == [[1], [3]])
        going.release(5)


def test_every_leaves_a_pause_between_questions_about_a_face() -> None:
    probe = stepping(Settings(every=0.5, min_face=1))
    asked = [a.frame for i in range(20) for a in probe.step(frame(i))]
    assert asked == [0, 5, 10, 15]


def test_in_order_nothing_is_dropped_and_the_same_frames_give_the_same_answers() -> None:
    def run() -> list[tuple[object, ...]]:
        probe = stepping()
        answers = [a for i in range(20) for a in probe.step(frame(i))]
        return [(a.frame, a.time, a.track, a.box, a.turns, a.prediction) for a in answers]

    first = run()
    assert [row[0] for row in first] == list(range(20))
    assert first == run()


def test_the_smoothed_label_is_a_vote_and_the_answer_stays_raw() -> None:
    probe = stepping(Settings(smooth=3, min_face=1))
    delivered: list[FaceAnswer] = []
    probe.listen(delivered.append)
    shown = []
    for index in range(6):
        probe.step(frame(index))
        shown.append(probe.snapshot().faces[0].smoothed)
    raw = [a.prediction.label for a in delivered]
    assert len(set(raw)) > 1
    assert shown == [vote(raw[max(0, i - 2) : i + 1]) for i in range(6)]
    assert stepping().snapshot().faces == ()


def test_a_face_is_merged_into_an_earlier_one_with_what_was_answered_about_it() -> None:
    detector, backbone = FixedFaces((0, 0, 30, 30)), Gated()
    backbone.free = True
    probe = Probe(detector, asker(backbone), Settings(min_face=1, every=10.0))
    probe.step(frame(0))
    detector.boxes = ((80, 60, 110, 90),)
    (answer,) = probe.step(frame(1))
    assert answer.track == 2
    probe.merge(2, 1)
    assert probe.step(frame(2)) == []  # it was asked about, and is not again
    seen = probe.snapshot()
    assert [face.track for face in seen.faces] == [1]
    assert seen.faces[0].answer == answer


def test_vote() -> None:
    assert vote(["a", "b", "a"]) == "a"
    assert vote(["a", "b"]) == "b"
    assert vote(["a", None, None]) == "a"
    assert vote([None]) is None
    assert vote([]) is None


def test_an_answer_grows_old_and_stale() -> None:
    probe = stepping(Settings(min_face=1, stale_after=2.0, every=100.0))
    probe.step(frame(0))
    ages = {now: probe.snapshot(now).faces[0] for now in (0.0, 1.5, 10.0)}
    assert [view.age for view in ages.values()] == [0.0, 1.5, 10.0]
    assert [view.stale for view in ages.values()] == [False, False, True]


def test_by_default_an_answer_is_stale_when_the_next_should_have_come() -> None:
    probe = stepping(Settings(min_face=1, every=3.0))
    probe.step(frame(0))
    answer = probe.snapshot().faces[0].answer
    assert answer is not None
    late = answer.time + answer.seconds + 3.0
    assert not probe.snapshot(late - 0.01).faces[0].stale
    assert probe.snapshot(late + 0.01).faces[0].stale


def test_an_answer_about_a_face_that_moved_on_is_stale() -> None:
    detector = FixedFaces((0, 0, 40, 40))
    backbone = Gated()
    backbone.free = True
    probe = Probe(detector, asker(backbone), Settings(min_face=1, every=100.0))
    for index in range(5):
        detector.boxes = ((20 * index, 0, 20 * index + 40, 40),)
        probe.step(frame(index, rate=1000.0))
        assert len(probe.snapshot().faces) == 1
        assert probe.snapshot().faces[0].track == 1
        assert probe.snapshot().faces[0].stale is (index >= 2)
    detector.boxes = ((500, 500, 501, 501),)
    assert probe.step(frame(5, rate=1000.0))  # another face
    assert probe.snapshot().faces[0].stale  # the first one is remembered for a while, where it was


def test_small_faces_are_left_out_and_the_largest_can_be_chosen() -> None:
    boxes = [(0, 0, 10, 10), (20, 0, 60, 40), (70, 0, 120, 50)]
    assert [a.track for a in stepping(Settings(min_face=20), *boxes).step(frame(0))] == [2, 3]
    assert [a.box for a in stepping(Settings(min_face=1, faces=1), *boxes).step(frame(0))] == [boxes[2]]


def test_a_frame_without_a_face_is_counted_and_nothing_is_asked() -> None:
    probe = stepping(Settings(min_face=1000))
    assert probe.step(frame(0)) == []
    assert probe.snapshot().faces == ()
    assert probe.snapshot().rates.faceless == 1


def test_a_crop_that_the_backbone_cannot_use_is_an_error_answer_and_the_rest_is_asked() -> None:
    probe = stepping(EVERY_FRAME, (0, 0, 30, 30), (60, 50, 90, 80))
    picture = frame(0, value=13).image.copy()
    picture[50:80, 60:90] = 4
    bad, good = probe.step(Frame(picture, 0.0, 0))
    assert (bad.prediction.status, bad.prediction.reason) == ("error", "the number 13 brings bad luck")
    assert bad.outcome == "error"
    assert [t.answer.label for t in good.turns][:1] == ["Sadness"]


@pytest.mark.parametrize("part", ["detector", "backbone", "listener"])
def test_a_failing_thread_ends_the_probe_with_its_error(part: str) -> None:
    backbone, detector = Gated(), FixedFaces()
    backbone.free = True

    def fail(*_: object) -> None:
        raise ZeroDivisionError(part)

    probe = Probe(detector, asker(backbone), EVERY_FRAME)
    if part == "detector":
        detector.detect = fail  # type: ignore[method-assign,assignment]
    elif part == "backbone":
        backbone.error = ZeroDivisionError(part)
    else:
        probe.listen(fail)
    with probe:
        probe.start()
        probe.offer(frame(0))

        def failed() -> bool:
            try:
                probe.check()
            except ZeroDivisionError as error:
                return str(error) == part
            return False

        wait_for(failed)
        with pytest.raises(ZeroDivisionError, match=part):
            probe.offer(frame(1))
    assert probe.close()


def test_close_leaves_a_hanging_inference_behind_and_drops_its_answer() -> None:
    backbone = Gated()
    probe = Probe(FixedFaces(), asker(backbone), EVERY_FRAME)
    delivered: list[FaceAnswer] = []
    probe.listen(delivered.append)
    probe.start()
    probe.offer(frame(0))
    wait_for(lambda: backbone.seen)
    assert not probe.close()
    backbone.gate.release(10)
    wait_for(probe.close)
    assert delivered == []
    assert len(backbone.seen) == 1


def test_another_strategy_takes_over_while_it_runs() -> None:
    backbone = Gated()
    with Probe(FixedFaces(), asker(backbone), EVERY_FRAME) as probe:
        delivered: list[FaceAnswer] = []
        probe.listen(delivered.append)
        probe.start()
        probe.offer(frame(0))
        wait_for(lambda: backbone.seen)
        probe.switch(asker(backbone, "direct"))
        backbone.free = True
        backbone.gate.release(10)
        wait_for(lambda: len(delivered) == 2)  # the old one is finished and delivered, but no longer shown
        assert [a.strategy for a in delivered] == ["chain-of-affect:corrected", "direct"]
        wait_for(lambda: probe.snapshot().faces[0].answer == delivered[1])
        assert len(delivered[1].turns) == 1


def test_rates_count_and_sort() -> None:
    probe = stepping()
    for index in range(7):
        probe.step(frame(index))
    rates = probe.snapshot().rates
    assert (rates.frames, rates.detections, rates.answers) == (7, 7, 7)
    assert sum(n for _, n in rates.labels) == 7
    assert rates.median is not None
    assert rates.p95 is not None
    assert 0 <= rates.median <= rates.p95
    assert rates.answers_per_second > 0


def test_quantile() -> None:
    assert quantile([], 0.5) is None
    assert quantile([1.0], 0.95) == 1.0
    assert quantile([float(n) for n in range(1, 101)], 0.95) == 95.0
    assert quantile([1.0, 2.0, 3.0], 0.5) == 2.0


def test_confidence_is_the_share_of_the_chosen_options_over_all_turns() -> None:
    question = Question("?", Choices(("a", "b")))
    even = Turn(question, Answer("", scores={"a": -1.0, "b": -1.0}, label="a"))
    sure = Turn(question, Answer("", scores={"a": 0.0, "b": -1000.0}, label="a"))
    assert confidence([even]) == 0.5
    assert confidence([even, sure, even]) == 0.25
    assert confidence([Turn(question, Answer("a", label="a"))]) is None
    assert confidence([]) is None


def test_a_strategy_with_exemplars_asks_where_they_come_from() -> None:
    with pytest.raises(UserError, match="--exemplars-from") as refused:
        open_asker(Choice(strategy="one-shot"))
    assert "chain-of-affect, direct" in str(refused.value)
    opened = open_asker(Choice(strategy="one-shot", exemplars_from="synthface-compound"))
    assert len(opened.identity.exemplars) == 11
    with pytest.raises(UserError, match=r"the exemplars of synthface-basic have labels that are not asked about"):
        open_asker(Choice(strategy="one-shot", exemplars_from="synthface-basic"))


def test_a_remote_backbone_needs_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    from coabench_tiny.backbone import Tiny

    monkeypatch.setattr(Tiny, "remote", True)
    with pytest.raises(UserError, match="--allow-remote-backbone"):
        open_asker(Choice())
    open_asker(Choice(allow_remote=True))


def test_another_strategy_shares_the_weights_only_where_the_adapter_is_the_same() -> None:
    first = open_asker(Choice())
    first.load()
    published = first.with_strategy("chain-of-affect:published")
    assert published.backbone is first.backbone
    direct = first.with_strategy("direct")
    assert direct.backbone is not first.backbone
    assert direct.identity.backbone.adapter == "shipped/direct"


def test_the_defaults_are_those_of_evaluate() -> None:
    chosen = Choice()
    assert (chosen.backbone, chosen.strategy, chosen.labels) == (defaults.BACKBONE, defaults.STRATEGY, defaults.DATASET)
    assert (chosen.device, chosen.dtype, chosen.seed) == (defaults.DEVICE, defaults.DTYPE, defaults.SEED)


def test_strategies_that_can_be_used_without_exemplars() -> None:
    """A strategy that cannot be opened withholds none of the others."""
    specs = ["direct", "no-such", "one-shot"]
    assert [spec for spec, _ in usable_strategies(specs, exemplars=False)] == ["direct"]
    assert [spec for spec, _ in usable_strategies(specs, exemplars=True)] == ["direct", "one-shot"]
