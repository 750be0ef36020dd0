"""The backbone ``classifier``: a network that gives a score per basic emotion, and knows no words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from coabench.backbone import Backbone, BackboneRequest, Questions, Viewing
from coabench.base.reading import user_path
from coabench.decode import Decode
from coabench.dialogue import Answer, Question
from coabench.errors import JobError, UserError, first_line
from coabench_classifier.classes import canonical, find_classes, label_list
from coabench_classifier.network import Numbers, open_network
from coabench_classifier.picture import SQUASH, Fit, Input, filled, pixels_of
from coabench_classifier.probabilities import Output, log_probabilities

if TYPE_CHECKING:
    from PIL.Image import Image

TRIALS = (0.0, 0.5)
"""How bright the even pictures are on which a network is tried before a run begins."""


class Classifier(Backbone[Numbers]):
    """``--backbone classifier:FILE``: ``.onnx``, ``.pt`` or ``.torchscript``, run on the CPU in float32.

    It answers scored questions whose options are all emotions that it has a class for, from the query image alone,
    whatever the question says. Images go through one at a time, so that no answer depends on the batch.

    Raises:
        UserError: from the constructor, which opens the file and tries it: it cannot be read, takes anything but one
            image, or does not give one number per class.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"scores"})

    @dataclass(frozen=True)
    class Options:
        """What ``--set`` may change: the preparation of images has to be that of the network's training.

        Attributes:
            labels: a text file with the classes in the order of the outputs, one a line; by default
                ``NAME.labels.txt`` or ``labels.txt`` beside ``NAME.onnx``.
            size: the side in pixels to which images are scaled; where the file does not fix it.
            fit: what becomes of images of another shape: ``squash``, ``pad`` with black, or ``crop`` to the middle.
            layout: the order of the input's dimensions, where the file does not tell.
            channels: their order; by default ``gray`` where the file takes one, ``rgb`` otherwise.
            pixels: the value of white before normalising.
            mean, std: what is subtracted, then divided by: a number, one per channel between commas, or ``imagenet``.
            output: whether the network gives logits or probabilities.
            trust: ``torchscript`` loads TorchScript archives, which are programs.
        """

        labels: str | None = None
        size: int | None = None
        fit: Fit = SQUASH
        layout: Literal["nchw", "nhwc"] | None = None
        channels: Literal["rgb", "bgr", "gray"] | None = None
        pixels: Literal[1, 255] = 1
        mean: str = "0"
        std: str = "1"
        output: Output = "logits"
        trust: Literal["torchscript"] | None = None

    def __init__(self, request: BackboneRequest) -> None:
        self.options: Classifier.Options = request.options or self.Options()
        path = _checked(request)
        self.network = open_network(path, self.options.trust)
        self.list = label_list(path, self.options.labels)
        self.classes = find_classes(self.list)
        o = self.options
        self.input = Input.of(self.network.shape, o.size, o.layout, o.channels, o.pixels, o.mean, o.std, o.fit)
        self._notes: list[str] = []
        self._distorted = False
        self._try_out(path)

    def identity(self) -> Mapping[str, Any]:
        """Return the file's SHA-256, the classes, and how images go in and numbers come out."""
        return {
            "sha256": self.network.sha256,
            "classes": list(self.classes),
            "input": self.input.to_json(),
            "output": self.options.output,
        }

    def details(self) -> Mapping[str, Any]:
        """Return the runtime and its version, what the user trusted, and the notes."""
        squashed = [
            f"images that are not {self.input.width}:{self.input.height} are squashed, which distorts faces: "
            "--set fit=pad or --set fit=crop keeps their proportions"
        ]
        notes = [*self._notes, *(squashed if self._distorted else ())]
        return {"device": "cpu", "runtime": self.network.runtime, **self.network.facts, "notes": notes}

    def check(self, questions: Sequence[Question], decode: Decode) -> None:
        """Refuse what cannot be answered from class probabilities, and note the classes that no question offers."""
        for question in questions:
            if question.context or len(question.images) != 1:
                raise UserError(
                    f"a classifier cannot answer the question {question.name!r}",
                    expected="a question about one image, with nothing said before",
                    remedy="take --strategy top-2-pair on compound labels, top-1 on basic ones",
                )
            self._classes_of(question)
        offered = {canonical(option) for question in questions for option in question.options}
        if left_out := [name for name in self.classes if name not in offered]:
            self._notes.append(
                f"no answer of this data set: the classifier's {', '.join(left_out)}; a card whose data set shows it "
                f"lists it under labels: classes: as {_written(left_out)}"
            )

    def prepare(self, images: Sequence[Image], sample: str | None = None) -> Numbers:
        """Scale and normalise the query image: float32, (1, channels, height, width) or as the network takes it."""
        self._distorted = self._distorted or self.input.distorts(images[-1])
        return pixels_of(images[-1], self.input)

    def look(self, batch: Sequence[Numbers]) -> Classified:
        """Run the network on every image.

        Raises:
            JobError: it computes something that is no probability.
        """
        return Classified(self, [self._log_probabilities(prepared) for prepared in batch])

    def answer(self, question: Question, log_p: Mapping[str, float]) -> Answer:
        """Return the scores of a question's options, given the log-probability of each class."""
        scores = {option: log_p[name] for option, name in self._classes_of(question).items()}
        return Answer(max(scores, key=lambda option: scores[option]), scores)

    def _classes_of(self, question: Question) -> dict[str, str]:
        """Return the class that each option of a question means."""
        classes = {option: canonical(option) or "" for option in question.options}
        unknown = [option for option, name in classes.items() if name not in self.classes]
        if unknown or not classes:
            raise UserError(
                f"this classifier cannot answer the question {question.name!r}",
                expected=f"options among its classes: {', '.join(self.classes)}",
                found=f"{', '.join(unknown)}, for which it has no class" if unknown else "an open question",
                remedy=self._remedy([classes[option] for option in unknown]),
            )
        return classes

    def _remedy(self, missing: Sequence[str]) -> str:
        """Say what to do about emotions that a question offers and the classifier lacks; empty for no emotion."""
        if not missing or "" in missing:
            return "take --strategy top-2-pair on compound labels, top-1 on basic ones"
        return (
            f"where an output means it, correct that output's line in {self.list} to {' or '.join(missing)}; where "
            f"none does, it cannot be measured on this data set: pass a card without {_written(missing)} as --dataset"
        )

    def _log_probabilities(self, prepared: Numbers) -> dict[str, float]:
        values = log_probabilities(self.network(prepared), len(self.classes), self.options.output)
        if isinstance(values, str):
            raise JobError(
                "the classifier computed something that is no probability",
                found=values,
                remedy="check the file, --set output=… and how images are prepared (pixels, mean, std)",
            )
        return dict(zip(self.classes, values, strict=True))

    def _try_out(self, path: Path) -> None:
        """Refuse a network that does not run on such images or does not give what is expected of it."""
        try:
            outputs = [self.network(filled(self.input, brightness)) for brightness in TRIALS]
        except Exception as error:  # both runtimes raise many kinds
            raise UserError(
                f"{path} does not run on the images it would be given",
                expected=f"one float32 input of the shape {self.input.shape}",
                found=first_line(error),
                remedy="correct --set size=…, channels=… or layout=…, or export the network anew",
            ) from error
        wanted, classes = self.options.output, len(self.classes)
        problems = [read for output in outputs if isinstance(read := log_probabilities(output, classes, wanted), str)]
        if problems:
            raise UserError(
                f"what {path} gives cannot be read as {wanted}",
                expected=f"{classes} numbers per image, one per class"
                + (", that sum to 1" if wanted == "probabilities" else ""),
                found=problems[0],
                remedy="correct the label list, or --set output=…",
            )
        if wanted == "logits" and all(
            isinstance(log_probabilities(o, classes, "probabilities"), list) for o in outputs
        ):
            raise UserError(
                f"what {path} gives are probabilities already",
                expected="logits",
                found="numbers that are not negative and sum to 1",
                remedy="add --set output=probabilities",
            )


class Classified(Viewing):
    """A batch of classified images."""

    def __init__(self, backbone: Classifier, log_p: Sequence[Mapping[str, float]]) -> None:
        self._backbone = backbone
        self._log_p = log_p

    def score(self, questions: Questions) -> list[Answer | None]:
        """Answer from what was computed once.

        Raises:
            UserError: a question that is not over classes it has.
        """
        return [
            None if question is None else self._backbone.answer(question, log_p)
            for question, log_p in zip(questions, self._log_p, strict=True)
        ]


def _written(names: Sequence[str]) -> str:
    """Return the lines of a card that list classes."""
    return ", ".join(f"- {{name: {name}}}" for name in names)


def _checked(request: BackboneRequest) -> Path:
    """Return the file, once it is clear that the rest of the request makes sense for a classifier."""
    if not request.model:
        raise UserError(
            "the backbone classifier needs a file",
            expected="--backbone classifier:FILE.onnx, FILE.pt or FILE.torchscript",
            remedy="for instance --backbone classifier:models/resnet18.onnx",
        )
    for option, value, known in (
        ("--adapter", request.adapter, (None,)),
        ("--device", request.device, ("auto", "cpu")),
        ("--dtype", request.dtype, ("auto", "float32")),
    ):
        if value not in known:
            raise UserError(
                f"the backbone classifier cannot do {option} {value}",
                expected="no adapter, the CPU and float32",
                remedy=f"leave {option} away",
            )
    return user_path(request.model)
