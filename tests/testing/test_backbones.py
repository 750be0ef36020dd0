"""Defects of backbones, planted, are named; backbones that ship have none."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from support.planted import assert_named

from coabench.backbone import Backbone, Viewing
from coabench.dialogue import Answer
from coabench.errors import SampleError, UserError
from coabench.registry.loader import get_plugins
from coabench.registry.registrations import Registration
from coabench.testing import ScriptedBackbone, registered, tiny_run
from coabench.testing.backbones import check
from coabench.testing.findings import Finding


class Sound(Backbone[Any]):
    """Answers by how bright the query image is."""

    capabilities: ClassVar[frozenset[str]] = frozenset({"generates", "scores"})

    @dataclass(frozen=True)
    class Options:
        sharpness: float = 2.0
        note: str = ""

    def __init__(self, request: Any) -> None:
        self.options = request.options
        self.asked = 0

    def identity(self) -> dict[str, Any]:
        return {"version": 1, **asdict(self.options)}

    def prepare(self, images: Sequence[Any], sample: str | None = None) -> float:
        return images[-1].convert("L").resize((1, 1)).getpixel((0, 0)) / 255 + (0 * len(self.options.note))

    def look(self, batch: Sequence[float]) -> Viewing:
        return Seen(self, batch)

    def say(self, brightness: float, question: Any, batch: Sequence[float]) -> Answer:
        if not question.options:
            return Answer(f"{brightness:.2f}")
        weights = [
            math.exp(-self.options.sharpness * abs(i / len(question.options) - brightness))
            for i in range(len(question.options))
        ]
        scores = {o: math.log(w / sum(weights)) for o, w in zip(question.options, weights, strict=True)}
        return Answer(max(scores, key=lambda o: scores[o]), scores)

    def ask(self, batch: Sequence[float], questions: Sequence[Any], decode: str) -> list[Any]:
        return [q and self.say(b, q, batch) for b, q in zip(batch, questions, strict=True)]


class Seen(Viewing):
    def __init__(self, backbone: Sound, batch: Sequence[float]) -> None:
        self.backbone, self.batch = backbone, batch

    def ask(self, questions: Any, decode: str = "generate") -> list[Any]:
        return self.backbone.ask(self.batch, questions, decode)


class NotAsked(Sound):
    capabilities = frozenset({"generate"})


class DeclaresTraining(Sound):
    capabilities = frozenset({"generates", "trains"})


class DoesNotSayThatItQuantises(Sound):
    capabilities = frozenset({"generates", "scores", "quantises"})


class DoesNotSayThatItMultipliesIntegers(Sound):
    capabilities = frozenset({"generates", "scores", "int8"})


class OnlyGenerates(Viewing):
    """A viewing with a method per mode, but for one that its backbone declares."""

    def __init__(self, backbone: Sound, batch: Sequence[float]) -> None:
        self.backbone, self.batch = backbone, batch

    def generate(self, questions: Any) -> list[Any]:
        return self.backbone.ask(self.batch, questions, "generate")


class DeclaresScores(Sound):
    def look(self, batch: Sequence[float]) -> Viewing:
        return OnlyGenerates(self, batch)


class Generates(DeclaresScores):
    capabilities = frozenset({"generates"})


class NoDefaults(Sound):
    @dataclass(frozen=True)
    class Options:
        sharpness: float


class IdentityOfObjects(Sound):
    def identity(self) -> dict[str, Any]:
        return {"path": Path("weights")}


class IdentityAfterLoad(Sound):
    def load(self) -> None:
        self.asked = 1

    def identity(self) -> dict[str, Any]:
        return {"loaded": self.asked}


class OutsideIdentity(Sound):
    def identity(self) -> dict[str, Any]:
        return {"version": 1}


class Ignores(Sound):
    @dataclass(frozen=True)
    class Options:
        sharpness: float = 2.0
        note: str = ""
        patience: int = 3
        folder: str = "cache"


class FailsToLoad(Sound):
    def load(self) -> None:
        raise FileNotFoundError("weights.bin")


class FailsAlone(Sound):
    def ask(self, batch: Sequence[float], questions: Sequence[Any], decode: str) -> list[Any]:
        if len(batch) == 1:
            raise ValueError("expected a batch")
        return super().ask(batch, questions, decode)


class FailsWhereNothingIsAsked(Sound):
    def ask(self, batch: Sequence[float], questions: Sequence[Any], decode: str) -> list[Any]:
        return [self.say(b, q, batch) for b, q in zip(batch, questions, strict=True)]


class OldPrepare(Sound):
    def prepare(self, images: Sequence[Any]) -> float:  # type: ignore[override]
        return super().prepare(images)


class LeavesGapsOut(Sound):
    def ask(self, batch: Sequence[float], questions: Sequence[Any], decode: str) -> list[Any]:
        return [answer for answer in super().ask(batch, questions, decode) if answer]


class Sorts(Sound):
    def ask(self, batch: Sequence[float], questions: Sequence[Any], decode: str) -> list[Any]:
        return super().ask(sorted(batch), questions, decode)


class Parses(Sound):
    def say(self, brightness: float, question: Any, batch: Sequence[float]) -> Answer:
        answer = super().say(brightness, question, batch)
        return replace(answer, label=answer.response, match="mine")


class Samples(Sound):
    def say(self, brightness: float, question: Any, batch: Sequence[float]) -> Answer:
        return replace(super().say(brightness, question, batch), response=f"{random.random()}")


class Draws(Sound):
    """Draws an option by the question's draw."""

    capabilities = frozenset({"generates", "samples"})

    def ask(self, batch: Sequence[float], questions: Sequence[Any], decode: str) -> list[Any]:
        if decode != "sample":
            return super().ask(batch, questions, decode)
        return [q and self.drawn(b, q) for b, q in zip(batch, questions, strict=True)]

    def drawn(self, brightness: float, question: Any) -> Answer:
        return Answer(question.options[int(question.draw.uniform(0) * len(question.options))])


class DrawsTheSame(Draws):
    def drawn(self, brightness: float, question: Any) -> Answer:
        return Answer(question.options[0])


class DrawsFromOneGenerator(Draws):
    def drawn(self, brightness: float, question: Any) -> Answer:
        return Answer(random.choice(question.options))


class NormalisesOverTheBatch(Sound):
    def say(self, brightness: float, question: Any, batch: Sequence[float]) -> Answer:
        return super().say(brightness - sum(batch) / len(batch) + 0.5, question, batch)


class Pads(Sound):
    """Lets the longest question of the batch change the answers to the others."""

    def ask(self, batch: Sequence[float], questions: Sequence[Any], decode: str) -> list[Any]:
        longest = max((len(q.prompt) for q in questions if q), default=0)
        shifted = [b + (len(q.prompt) - longest) / 9 if q else b for b, q in zip(batch, questions, strict=True)]
        return super().ask(shifted, questions, decode)


class Remembers(Sound):
    def look(self, batch: Sequence[float]) -> Viewing:
        self.seen = list(batch)
        return Seen(self, batch)

    def ask(self, batch: Sequence[float], questions: Sequence[Any], decode: str) -> list[Any]:
        answers = super().ask(self.seen, questions, decode)
        prompts = Counter(q.prompt for q in questions if q)
        if len(prompts) == 1 and "emotion" in next(iter(prompts)):
            self.seen = [1 - b for b in self.seen]
        return answers


class NoScores(Sound):
    def say(self, brightness: float, question: Any, batch: Sequence[float]) -> Answer:
        return replace(super().say(brightness, question, batch), scores=None)


class OtherOrder(Sound):
    def say(self, brightness: float, question: Any, batch: Sequence[float]) -> Answer:
        answer = super().say(brightness, question, batch)
        return replace(answer, scores=dict(sorted((answer.scores or {}).items(), key=lambda item: item[1])))


class Scores(Sound):
    value: ClassVar[Any] = staticmethod(math.exp)

    def say(self, brightness: float, question: Any, batch: Sequence[float]) -> Answer:
        answer = super().say(brightness, question, batch)
        return replace(answer, scores={o: type(self).value(s) for o, s in (answer.scores or {}).items()})


class Probabilities(Scores):
    """Returns the probabilities themselves."""


class Logits(Scores):
    value = staticmethod(lambda score: score / 9)


class Infinite(Scores):
    value = staticmethod(lambda score: -math.inf)


class Singles(Scores):
    @staticmethod
    def value(score: float) -> Any:
        import numpy as np

        return np.float32(score)


class Crashes(Sound):
    def say(self, brightness: float, question: Any, batch: Sequence[float]) -> Answer:
        raise IndexError("list index out of range")


class NeedsAnExemplar(Sound):
    def prepare(self, images: Sequence[Any], sample: str | None = None) -> float:
        assert len(images) == 1
        return super().prepare(images)


PLANTED: list[tuple[Any, str, str]] = [
    (object, "no-backbone", "has no capabilities"),
    (NotAsked, "unusable-capabilities", "frozenset({'generate'})"),
    (DeclaresTraining, "unusable-capabilities", "does not implement trainee"),
    (DeclaresScores, "unusable-capabilities", "it declares scores, and its viewing has no method score"),
    (NoDefaults, "unusable-options", "without a default: sharpness"),
    (IdentityOfObjects, "unusable-identity", "Path"),
    (IdentityAfterLoad, "unusable-identity", "before load: {'loaded': 0}, after it: {'loaded': 1}"),
    (DoesNotSayThatItQuantises, "option-outside-identity", "load=8bit"),
    (DoesNotSayThatItMultipliesIntegers, "option-outside-identity", "dtype=int8"),
    (OutsideIdentity, "option-outside-identity", "'sharpness'"),
    (Ignores, "ignored-option", "'patience' is never read; 'folder' is never read"),
    (FailsToLoad, "fails", "FileNotFoundError: weights.bin (test_backbones.py, line "),
    (FailsAlone, "fails", "expected a batch"),
    (FailsWhereNothingIsAsked, "fails", "'NoneType' object has no attribute 'options'"),
    (Crashes, "fails", "IndexError"),
    (NeedsAnExemplar, "fails", "with an exemplar image: AssertionError"),
    (OldPrepare, "prepare-takes-no-sample", "positional argument"),
    (LeavesGapsOut, "misaligned-answers", "5 questions, 4 answers"),
    (Sorts, "misaligned-answers", "one by one and at once"),
    (Parses, "parses", "match = 'mine'"),
    (Samples, "unsteady-answers", "for image 0"),
    (DrawsFromOneGenerator, "unsteady-answers", "for image"),
    (DrawsTheSame, "ignores-draw", "16 times 'Surprise'"),
    (NormalisesOverTheBatch, "depends-on-batch", "alone and in a batch"),
    (Pads, "depends-on-batch", "beside other questions"),
    (Remembers, "depends-on-earlier-questions", "for image"),
    (NoScores, "no-scores", "scores None"),
    (OtherOrder, "no-scores", "options ["),
    (Probabilities, "not-log-probabilities", "greater than 0"),
    (Logits, "not-log-probabilities", "exponentials add up to"),
    (Infinite, "not-log-probabilities", "not finite"),
    (Singles, "not-log-probabilities", "no plain number"),
]


@pytest.mark.parametrize(("planted", "name", "seen"), PLANTED, ids=lambda value: getattr(value, "__name__", None))
def test_a_planted_defect_is_named(planted: Any, name: str, seen: str) -> None:
    assert_named(check(planted), name, seen)


def test_a_sound_backbone_has_no_finding() -> None:
    assert check(Sound) == []
    assert check(Generates) == []
    assert check(Draws) == []
    assert check(ScriptedBackbone()) == []


class RefusesOne(Sound):
    """Takes no image that is much wider than high, and says so."""

    def prepare(self, images: Sequence[Any], sample: str | None = None) -> float:
        if images[-1].width > 2 * images[-1].height:
            raise SampleError("too wide")
        return super().prepare(images)


class OnlyTwoOptions(Sound):
    def check(self, questions: Sequence[Any], decode: str) -> None:
        if any(len(question.options) != 2 or question.context for question in questions):
            raise UserError("it only chooses between two")

    def say(self, brightness: float, question: Any, batch: Sequence[float]) -> Answer:
        assert len(question.options) == 2
        return super().say(brightness, question, batch)


class OneDependsOnTheOther(Sound):
    @dataclass(frozen=True)
    class Options:
        sharpness: float = 2.0
        shift: bool = False
        by: float = 0.3

    def identity(self) -> dict[str, Any]:
        options = asdict(self.options)
        return options if options["shift"] else {"sharpness": options["sharpness"]}

    def prepare(self, images: Sequence[Any], sample: str | None = None) -> float:
        return sum(images[-1].getpixel((9, 9))) / 765 + (self.options.by if self.options.shift else 0)


class Remembering(Sound):
    """An option that only runs have a use for."""

    @dataclass(frozen=True)
    class Options:
        sharpness: float = 2.0
        note: str = ""
        keep: bool = True

    def remember(self, folder: Path) -> None:
        if self.options.keep:
            folder.mkdir(exist_ok=True)


class Weightless(Sound):
    """Has no weights, and says so to those who ask for a precision."""

    def __init__(self, request: Any) -> None:
        if request.dtype != "auto":
            raise UserError("it has no weights", remedy="leave --dtype out")
        super().__init__(request)


@pytest.mark.parametrize("backbone", [Weightless, Remembering, RefusesOne, OnlyTwoOptions, OneDependsOnTheOther])
def test_a_refusal_with_a_reason_is_no_defect(backbone: Any) -> None:
    assert [str(finding) for finding in check(backbone)] == []


def test_one_that_sends_images_away_is_not_asked_unless_that_is_allowed() -> None:
    class Remote(Crashes):
        remote = True

    [finding] = check(Remote)
    assert (finding.defect.level, finding.evidence) == ("unchecked", "it sends images away")
    assert "--backbone Remote:MODEL" in finding.defect.remedy
    assert_named(check(Remote, remote=True), "fails")


def unchecked(findings: Sequence[Finding]) -> list[str]:
    return [finding.evidence for finding in findings if finding.defect.level == "unchecked"]


def test_the_tiny_model_conforms() -> None:
    assert [str(finding) for finding in check("tiny")] == []


@pytest.mark.parametrize("name", sorted({*get_plugins().backbones} - {"tiny"}))
def test_backbones_that_need_a_model_say_so(name: str) -> None:
    [finding] = check(name)
    assert finding.defect.level == "unchecked"
    assert f"--backbone {name}:" in finding.defect.remedy


def test_a_log_that_is_replayed_has_nothing_to_say_to_other_questions(tmp_path: Path) -> None:
    tiny_run(tmp_path / "run")
    assert unchecked(check("replay")) == [
        "the backbone replay needs a log; expected --backbone replay:RUN, the directory of a run or its "
        "predictions.jsonl"
    ]
    [message] = unchecked(check("replay", str(tmp_path / "run")))
    assert message.startswith("it takes none of the questions of this check")


def test_a_registered_target_that_cannot_be_imported() -> None:
    assert_named(check(Registration("gone", "absent_library:Gone", "mine", "1")), "not-importable", "absent_library")
    with registered("backbones", "here", Sound):
        assert check("here") == []


def test_a_classifier_conforms(tmp_path: Path) -> None:
    """It takes questions about its classes only, and one image; it refuses others with a reason."""
    pytest.importorskip("onnx")
    from support.colour_net import write_onnx

    write_onnx(tmp_path / "net.onnx")
    assert [str(finding) for finding in check("classifier", str(tmp_path / "net.onnx"))] == []


class Trainable(Sound):
    """Has a linear layer to train."""

    capabilities = frozenset({"generates", "scores", "trains"})
    changes: ClassVar[dict[str, Any]] = {}

    def trainee(self, options: Any) -> Any:
        import torch

        from coabench.backbone import Trainee

        class Module(torch.nn.Module):
            accepts_loss_kwargs = True

            def __init__(self) -> None:
                super().__init__()
                self.head = torch.nn.Linear(1, 7)

            def forward(self, seen: Any, labels: Any, num_items_in_batch: float) -> dict[str, Any]:
                centred = seen - seen.mean() if "centred" in changes else seen
                loss = torch.nn.functional.cross_entropy(self.head(centred), labels[:, -1], reduction="sum")
                return {"loss": loss / num_items_in_batch}

        @dataclass
        class Example:
            seen: float
            label: int
            tokens: int = 2

        changes = self.changes

        class TrainedHead(Trainee):
            groups: ClassVar[dict[str, Any]] = changes.get("groups", {"language": ["head"]})
            parts: ClassVar[dict[str, Any]] = changes.get("parts", {"language": "head."})

            def __init__(self) -> None:
                torch.manual_seed(0)
                self.module = Module()

            def encode(self, prepared: float, turns: Sequence[Any]) -> Any:
                label = list(turns[0].question.options).index(turns[0].answer.response)
                return Example(prepared, label, changes.get("tokens", 2))

            def collate(self, examples: Sequence[Any]) -> dict[str, Any]:
                labels = torch.tensor([[-100, e.label] for e in examples])
                if "no labels" in changes:
                    labels[:] = -100
                return {"seen": torch.tensor([[9 * e.seen] for e in examples]), "labels": labels}

            def save(self, folder: Path) -> None: ...

        return TrainedHead()


@pytest.mark.parametrize(
    ("changes", "name", "seen"),
    [
        ({"groups": {"language": ["tail"]}}, "unusable-trainee", "no modules of these names: tail"),
        ({"groups": {}}, "unusable-trainee", "groups name no module"),
        ({"parts": {"vision": "tower."}}, "unusable-trainee", "parameters of no part: head.weight, head.bias"),
        ({"tokens": None}, "unusable-trainee", "tokens of the examples: [None, None]"),
        ({"no labels": True}, "unusable-trainee", "no label is learnt"),
        ({"centred": True}, "unusable-loss", "together"),
    ],
)
def test_what_training_needs(changes: dict[str, Any], name: str, seen: str) -> None:
    class Changed(Trainable):
        pass

    assert [str(finding) for finding in check(Trainable)] == []
    Changed.changes = changes
    assert_named(check(Changed), name, seen)
