"""Side by side: what answers about the same crop, what is shared, and how agreement is counted."""

import json
from pathlib import Path

import pytest
from PIL import Image
from support.live import FixedFaces, Gated, asker, frame
from support.process import Run, wait_for

from coabench.errors import UserError
from coabench.live.agreement import Agreement, AgreementTally
from coabench.live.asker import Choice, open_asker
from coabench.live.beside import describe, open_beside, summarise
from coabench.live.probe import Probe
from coabench.live.settings import Settings
from coabench.live.snapshot import FaceAnswer
from coabench.live.together import ask_together, load_askers

ONE = Settings(min_face=1, smooth=1)


def crop(value: int) -> Image.Image:
    return Image.new("RGB", (8, 8), (value, value, value))


def test_those_that_share_a_backbone_look_once_and_answer_as_alone() -> None:
    backbone, other = Gated(), Gated()
    backbone.free = other.free = True
    askers = [asker(backbone), asker(other, "direct"), asker(backbone, "direct")]
    turns: list[tuple[int, int, str]] = []
    crops = [crop(3), crop(13), crop(4)]  # the second brings bad luck
    together = ask_together(askers, crops, lambda k, i, turn: turns.append((k, i, turn.question.name)))
    assert (backbone.seen, other.seen) == ([[3, 4]], [[3, 4]])
    for k, answered in enumerate(together):
        alone = ask_together([askers[k]], crops)[0]
        assert answered.outcomes == alone.outcomes
        assert [i for who, i, _ in turns if who == k][:2] == [0, 2]
    assert [one.outcomes[1].prediction.status for one in together if one.outcomes[1].prediction] == ["error"] * 3


def test_every_answerer_speaks_about_the_same_crop_in_order() -> None:
    backbone = Gated()
    backbone.free = True
    probe = Probe(FixedFaces(), asker(backbone), ONE, [asker(backbone, "direct")])
    said: list[FaceAnswer] = []
    probe.listen(said.append)
    for index in range(3):
        assert probe.step(frame(index, value=3 + index)) == said[-2:]
    assert [(a.frame, a.answerer, a.strategy) for a in said[:2]] == [
        (0, "A", "chain-of-affect:corrected"),
        (0, "B", "direct"),
    ]
    assert all(a.crop is b.crop and a.name == b.name for a, b in zip(said[::2], said[1::2], strict=True))
    snapshot = probe.snapshot()
    (face,) = snapshot.faces
    (opinion,) = face.beside
    assert (face.answer, opinion.answer, opinion.name) == (said[-2], said[-1], "B")
    labels = [(a.prediction.label, b.prediction.label) for a, b in zip(said[::2], said[1::2], strict=True)]
    assert opinion.differs == (labels[-1][0] is None or labels[-1][0] != labels[-1][1])
    agreed = sum(a is not None and a == b for a, b in labels)
    assert snapshot.agreements == (Agreement("A", "B", 3, agreed),)
    assert (snapshot.rates.answers, [rates.answers for rates in snapshot.beside]) == (3, [3])


def test_answers_of_one_crop_appear_together() -> None:
    """Or what differs between two frames would look like a difference between two answerers."""
    first, second = Gated(), Gated()
    first.free = True
    with Probe(FixedFaces(), asker(first), ONE, [asker(second, "direct")]) as probe:
        probe.start()
        probe.offer(frame(3))
        wait_for(lambda: second.seen)
        (face,) = probe.snapshot().faces
        assert (face.answer, face.asking, len(face.turns)) == (None, True, 2)
        second.gate.release()
        wait_for(lambda: probe.snapshot().faces[0].answer)
        assert probe.snapshot().faces[0].beside[0].answer is not None


def test_agreement_is_counted_per_pair_and_no_label_agrees_with_none() -> None:
    tally = AgreementTally(3)
    assert [pair.share for pair in tally.agreements()] == [None] * 3
    for labels in (["a", "a", "b"], ["a", "b", "b"], [None, None, "b"], ["a", "a", "a"]):
        tally.answered(labels)
    shares = {pair.first + pair.second: pair.share for pair in tally.agreements()}
    assert shares == {"AB": 0.5, "AC": 0.25, "BC": 0.5}


def test_what_differs_is_said_and_weights_are_shared_where_nothing_of_the_backbone_does() -> None:
    first = open_asker(Choice())
    beside = open_beside(first, ["strategy=chain-of-affect:published", "strategy=direct, adapter=none"])
    load_askers([first, *beside])
    assert beside[0].backbone is first.backbone
    assert beside[1].backbone is not first.backbone
    assert describe(beside[1]).endswith("no adapter · direct")
    assert next(iter(summarise([first, *beside]).values())).endswith("chain-of-affect:corrected")


@pytest.mark.parametrize(
    ("specs", "problem"),
    [
        (["direct"], "cannot be read"),
        (["strategy="], "cannot be read"),
        (["labels=raf-db-compound"], "unknown key 'labels'"),
        (["strategy=direct,strategy=rank"], "says something twice"),
        (["load=2bit"], "there is no load '2bit'"),
        (["decode=scroe"], "--beside 'decode=scroe': there is no decode 'scroe'"),
        (["decode=scroe"], "correct --beside"),
        (["strategy=chain-of-affect"], "answers as A does"),
        (["strategy=direct", "strategy=direct"], "answers as B does"),
        (["strategy=direct", "decode=score", "strategy=rank"], "3 times"),
        (["strategy=nonesuch"], "nonesuch"),
        (["adapter=nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_named(specs: list[str], problem: str) -> None:
    with pytest.raises(UserError) as refused:
        open_beside(open_asker(Choice()), specs)
    assert problem in str(refused.value)


@pytest.mark.process
def test_a_folder_is_answered_side_by_side(coabench: Run, tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    for number in range(3):
        Image.new("RGB", (50, 40), (200, 200, 150 + 40 * number)).save(tmp_path / "faces" / f"{number}.png")
    words = ("--no-window", "--backbone", "scripted:a", "--detector", "none", "--source", "faces", "--crops", "crops")
    result = coabench("webcam", *words, "--beside", "strategy=direct", "--log", "out.jsonl", "--record", "out.mp4")
    assert result.returncode == 0, result.stderr
    header, *answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert header["identity"]["strategy"]["name"] == "chain-of-affect:corrected"
    assert header["beside"]["B"]["strategy"]["name"] == "direct"
    assert [(a["frame"], a["answerer"]) for a in answers] == [(n, who) for n in range(3) for who in "AB"]
    assert len(list((tmp_path / "crops").iterdir())) == 3
    agreed = sum(
        a["prediction"] == b["prediction"] is not None for a, b in zip(answers[::2], answers[1::2], strict=True)
    )
    assert f"A = B          {agreed} of 3" in result.stdout
