"""From ``--transform NAME:key=value,…`` or ``--augment`` to the step that changes every image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from coabench.base.resources import out_of_memory
from coabench.detector import Landmarks
from coabench.errors import CoabenchError, JobError, UserError, with_type
from coabench.inference.preparation import Prepared
from coabench.registry.components import Component
from coabench.registry.loader import get_plugins
from coabench.registry.options import parse_component, read_parameters, spell_component
from coabench.registry.registrations import Registration
from coabench.transform import Subject, Transform, TransformRequest

if TYPE_CHECKING:
    from PIL.Image import Image

STEP = "transform"
"""What records and identities call the step."""
SEVERITY = "severity"
OPTION, AUGMENT = "--transform", "--augment"


def find_transform(text: str, option: str = OPTION) -> Component:
    """Return the transform ``NAME:key=value,…``.

    Raises:
        UserError: it cannot be read, there is none of that name, or a parameter does not fit.
    """
    name, parameters = parse_component(text, option)
    registration = get_plugins().transforms.find(name)
    factory = registration.load()
    declared = getattr(factory, "Options", Transform.Options)
    at = f"{option} {name}"
    if SEVERITY in parameters:
        return Component(registration, _of_severity(getattr(factory, "severities", ()), parameters, at))
    return Component(registration, read_parameters(declared, parameters, at))


def spell_severities(registration: Registration) -> list[str]:
    """Return how each severity of a transform is typed without ``severity=``, from the mildest."""
    name = registration.name
    return [spell_component(name, each, whole=True) for each in getattr(registration.load(), "severities", ())]


def list_severities(registration: Registration) -> str:
    """Return what the severities of a transform stand for, on one line; of one that cannot be loaded, nothing."""
    try:
        spelled = spell_severities(registration)
    except CoabenchError:
        return ""
    return " | ".join(each.partition(":")[2] for each in spelled)


def _of_severity(severities: Sequence[Any], parameters: Mapping[str, str], at: str) -> Any:
    """Return the options that ``severity=N`` stands for: a run keeps them, and never the number."""
    said = parameters[SEVERITY]
    if len(parameters) > 1:
        raise UserError(
            f"{at} has a severity and other parameters, which it stands for",
            found=", ".join(parameters),
            remedy="leave out one or the other; `coabench list transforms` has what each severity stands for",
        )
    if said not in (known := [str(number + 1) for number in range(len(severities))]):
        raise UserError(
            f"{at} has no {SEVERITY}={said}",
            expected=f"1 to {len(known)}" if known else "parameters: it has no severities",
            remedy="`coabench list transforms` has the severities of each",
        )
    return severities[int(said) - 1]


class Transforms:
    """Transforms, one after the other: a step of `coabench.inference.preparation`."""

    name = STEP

    def __init__(self, choices: Sequence[Component], seed: int) -> None:
        """Make them ready; `UserError` where one refuses its options."""
        self._choices, self._seed, self._occasion = tuple(choices), seed, ""
        self._transforms: list[Transform] = [
            choice.registration.open(TransformRequest(choice.options, seed)) for choice in choices
        ]

    def at(self, occasion: str) -> Transforms:
        """Return the same for another of the times that an image is shown: what is drawn differs."""
        other = copy(self)
        other._occasion = occasion
        return other

    def describe(self) -> tuple[Mapping[str, Any], ...]:
        """Return each with its plugin and options, in order."""
        return tuple(choice.identity() for choice in self._choices)

    @property
    def specs(self) -> list[str]:
        """How each is typed."""
        return [choice.spec for choice in self._choices]

    @property
    def spec(self) -> str:
        """How they are typed."""
        return f" {OPTION} ".join(self.specs)

    def identity(self) -> Mapping[str, Any]:
        """Return each with its plugin and options, in order. The seed is the run's."""
        return {"spec": self.spec, "transforms": list(self.describe())}

    def notes(self) -> Sequence[str]:
        return [f"{OPTION} {self.spec}: every image is changed, so the numbers are a variant's and will not be ranked"]

    def apply(self, image: Image, key: str, landmarks: Landmarks | None = None) -> Prepared:
        """Return what the transforms make of an image.

        Raises:
            SampleError: one can make nothing of it.
            JobError: one fails, or returns no image of the same size; it names the plugin.
        """
        for position, (choice, transform) in enumerate(zip(self._choices, self._transforms, strict=True)):
            # Each draws by itself: with the same numbers, what one does would depend on what another does.
            occasion = f"{self._occasion}/{position}" if self._occasion or position else ""
            image = _applied(transform, choice, image, Subject(key, self._seed, landmarks, occasion))
            landmarks = landmarks if getattr(transform, "keeps_places", False) else None
        return Prepared(image, landmarks=landmarks)


def open_transforms(texts: Sequence[str], seed: int) -> list[Transforms]:
    """Return the step of these transforms, made ready; no step where there are none."""
    return [Transforms([find_transform(text) for text in texts], seed)] if texts else []


def open_augmentation(texts: Sequence[str], seed: int) -> Transforms | None:
    """Return what changes the images of a training, made ready; None where there is nothing.

    Raises:
        UserError: one changes every image alike, as no evaluation would.
    """
    choices = [find_transform(text, AUGMENT) for text in texts]
    for choice in choices:
        if not getattr(choice.registration.load(), "varies", False):
            raise UserError(
                f"{AUGMENT} {choice.spec} changes every image alike, so that the model would see no other",
                expected="a transform that draws by chance what it does, such as random-flip",
                remedy="choose one of `coabench list transforms` that says random",
            )
    return Transforms(choices, seed) if choices else None


def _applied(transform: Transform, choice: Component, image: Image, subject: Subject) -> Image:
    try:
        made = transform.apply(image, subject)
    except Exception as error:
        if (isinstance(error, CoabenchError) and not isinstance(error, UserError)) or out_of_memory(error):
            raise
        raise _failed(choice, subject, "fails", with_type(error)) from error
    from PIL import Image as pil

    if not isinstance(made, pil.Image) or (made.size, made.mode) != (image.size, "RGB"):
        found = f"{made.mode}, {made.width}×{made.height} pixels" if isinstance(made, pil.Image) else repr(made)[:200]
        raise _failed(choice, subject, "returns another kind of image", found)
    return made


def _failed(choice: Component, subject: Subject, problem: str, found: str) -> JobError:
    plugin = choice.registration.plugin
    return JobError(
        f"the transform {choice.spec} of plugin {plugin!r} {problem} for the sample {subject.sample}",
        expected="an RGB image of the same size",
        found=found,
        remedy=f"report it to the author of {plugin!r}, or leave this transform out",
    )
