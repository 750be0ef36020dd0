"""The Backbone interface: look at the images of a batch once, then answer any number of questions about them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from coabench.decode import Decode, mode_of
from coabench.dialogue import Answer, Question, Turn
from coabench.errors import SampleError, UserError
from coabench.recipe import Load, Preset

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image
    from torch import nn

Prepared = TypeVar("Prepared")


@dataclass(frozen=True)
class BackboneRequest:
    """What the user asked for; a backbone's factory is called with it.

    Attributes:
        model: what stands after the colon of ``--backbone NAME:MODEL`` (a folder, a hub id), or None.
        adapter: a folder or hub id, or None for none.
        device: ``auto``, or a torch device such as ``cpu`` or ``cuda:0``.
        dtype: ``auto``, ``float32``, ``bfloat16``, ``float16``, or ``int8`` for backbones that declare ``int8``.
        options: an instance of the backbone's `Backbone.Options`, filled from ``--set``.
        load: ``8bit`` or ``4bit``, for backbones that declare ``quantises``; None to keep weights in *dtype*.
    """

    model: str | None = None
    adapter: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    options: Any = None
    load: Load | None = None


Questions = Sequence[Question | None]
"""One optional question per sample of a batch: None where a sample has no question pending."""

Answers = Sequence[Answer | SampleError | None]
"""The answers in the order of the questions: None where there was none, a `SampleError` where this one sample cannot be
asked about."""


class Viewing:
    """A batch of samples that has been looked at. Questions about it share what the looking has computed.

    It has a method per decode mode (`coabench.decode.MODES`); a backbone implements those whose capability it declares.
    An answer must not depend on what else is in the batch.
    """

    def restart(self) -> None:
        """Forget what was asked: dialogues of another run begin, whose answers must be those of a new viewing.

        What depends on the images alone may be kept, so that they are looked at once. Override it where questions leave
        anything else behind.
        """
        return

    def generate(self, questions: Questions) -> Answers:
        """Answer by free greedy generation."""
        return self.ask(questions, "generate")

    def score(self, questions: Questions) -> Answers:
        """Give each option of a question its natural-log probability."""
        return self.ask(questions, "score")

    def sample(self, questions: Questions) -> Answers:
        """Answer with every token drawn at random, as `Question.draw` says.

        The draw's seed alone decides what is random: the same question with the same draw has the same answer, whatever
        was asked before. `coabench.support.sampling.draw_tokens` draws so.
        """
        return self.ask(questions, "sample")

    def ask(self, questions: Questions, decode: Decode = "generate") -> Answers:
        """Answer in a mode, by the method of that name. Plugins written before there was one override this instead.

        Raises:
            UserError: there is no such mode, the backbone has no answers in it, or a question lacks the options for it.
        """
        mode = mode_of(decode)
        for question in questions if mode.scored else ():
            if question is not None and not question.options:
                raise UserError(
                    "a question without options cannot be scored",
                    found=question.prompt,
                    remedy="use --decode generate, or give the strategy's question options",
                )
        answer = getattr(type(self), mode.name)
        if answer is getattr(Viewing, mode.name):
            raise UserError(
                f"this backbone cannot answer with --decode {mode.name}",
                expected=f"a backbone that {mode.needs}",
                remedy="choose another --decode, --strategy or --backbone",
            )
        answers: Answers = answer(self, questions)
        return answers


class Trainee(ABC):
    """What `coabench train` needs of a backbone: its module, and how training turns become the module's input.

    Attributes:
        module: called with what `collate` returns, and with ``num_items_in_batch`` where its ``accepts_loss_kwargs`` is
            true; returns ``{"loss": …}``, the summed loss divided by that number. PEFT wraps it for LoRA.
        groups: part (``language``, ``projector``, ``vision``…) -> full names of the modules that LoRA may wrap.
        parts: part -> what the names of its parameters begin with; the first that fits counts.
        unused: names of modules that no answer depends on; they stay as they are, even in full fine-tuning.
        weighs: whether the loss of a turn is multiplied by its `Turn.weight`; ``--balance loss`` needs it, and
            ``--objective grpo``, with weights below 0 too.
        averaged: whether coabench 0.1.0 averaged the loss of every micro-batch by itself; what it began so ends so.
    """

    module: nn.Module
    groups: Mapping[str, Sequence[str]]
    parts: Mapping[str, str]
    unused: Sequence[str] = ()
    weighs: bool = False
    averaged: bool = False

    @abstractmethod
    def encode(self, prepared: Any, turns: Sequence[Turn]) -> Any:
        """Return the turns about one sample (prepared as for `Backbone.look`) as one example; it has ``tokens``.

        The answer to learn is the response of each turn. Called in worker processes where there are some.
        """

    @abstractmethod
    def collate(self, examples: Sequence[Any]) -> dict[str, Any]:
        """Return the module's keyword arguments for some examples, ``labels`` among them: a tensor, -100 for none."""

    def activations(self, example: Any, width: int, checkpointing: bool) -> int:
        """Estimate the bytes that training keeps of one example until the backward pass, at *width* bytes a number."""
        return 0

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the module, fully fine-tuned, as a checkpoint that this backbone opens as its model."""

    def extras(self) -> Mapping[str, str]:
        """Return further text files of the published adapter layout: name -> content."""
        return {}


class Backbone(ABC, Generic[Prepared]):
    """A model that looks at images and answers questions about them.

    The constructor takes a `BackboneRequest` and only checks it: paths, files, names, an adapter that does not fit
    as far as can be seen without weights (`UserError`). `load` brings in the weights. Between the two the run
    directory is opened, so that a mistake is found before minutes of loading.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"generates"})
    """Which of ``generates``, ``scores``, ``samples``, ``trains``, ``quantises``, ``int8`` this backbone can do."""

    remote: ClassVar[bool] = False
    """Whether images leave this machine; `coabench webcam` then asks for the user's explicit consent."""

    timed: ClassVar[bool] = True
    """Whether the time that answers take says something about it; it does not where they are only looked up."""

    check_keeps_nothing: ClassVar[bool] = False
    """Whether `check` only refuses. Then one loaded backbone answers runs of different strategies and decode modes, as
    one that has no `check` of its own does."""

    presets: ClassVar[Mapping[str, Preset]] = {}
    """Training recipes by name; where the user names none, the one named as the objective, or ``default``."""

    @dataclass(frozen=True)
    class Options:
        """The options that ``--set key=value`` may change, with their defaults; override in a subclass."""

    @dataclass(frozen=True)
    class TrainingOptions:
        """Further options of ``--set`` that concern training alone; override in a subclass."""

    @classmethod
    def default_adapter(cls, model: str | None, strategy: str) -> Path | None:
        """Return the adapter that ships for this model and strategy, taken where the user names none."""
        return None

    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """Return everything about this backbone that can change an answer, JSON-serialisable.

        The run's identity contains it: weights, adapter, dtype, options. Callable before `load`. What depends on the
        trained weights alone stands under ``adapter``, or ``checkpoint`` where a whole model was trained: runs over
        seeds are known by all else.
        """

    def details(self) -> Mapping[str, Any]:
        """Return what is worth recording but changes no answer: device, library versions, notes for the user."""
        return {}

    def check(self, questions: Sequence[Question], decode: Decode) -> None:
        """Refuse (`UserError`) a strategy whose questions it cannot answer; called before `load`.

        Args:
            questions: what the strategy asks when every answer is the first option.
            decode: what the user chose; `Question.mode` says what that means for a question.
        """
        return

    def remember(self, folder: Path) -> None:
        """Keep in *folder* what a resumed run should not have to ask again; called before `load`, by runs only.

        Where a process carries out several runs with the same weights it is called for each, and `load` for the first.

        The folder is the run's own and may not exist yet. It is deleted when the run is complete.
        """
        return

    def load(self) -> None:
        """Bring in the weights. Called once, before the first `look`; may raise `UserError`."""
        return

    def prepare(self, images: Sequence[Image], sample: str | None = None) -> Prepared:
        """Turn the images of one sample (exemplars first, the query last) into what `look` takes.

        Called in background threads, ahead of `look`. Raises `SampleError` for images that cannot be used.

        Args:
            images: RGB.
            sample: its id, where the images belong to a data set; only for looking up what was recorded of it.
        """
        return images  # type: ignore[return-value]

    def prompt_tokens(self, prepared: Prepared, questions: Sequence[Question]) -> int | None:
        """Count the tokens of questions about one prepared sample, images included; None where it cannot tell.

        Callable before `load`, for estimates: `coabench sweep --dry-run` adds them up.
        """
        return None

    @abstractmethod
    def look(self, batch: Sequence[Prepared]) -> Viewing:
        """Look at a batch of prepared samples."""

    def close(self) -> None:
        """End what was started for a run. Called when `coabench.evaluate` is over, however it ends."""
        return

    def trainee(self, options: Any) -> Trainee:
        """Return what training needs; for backbones that declare ``trains``.

        Called before `load`, which fills the module's parameters: names and shapes must be known by then.

        Args:
            options: an instance of the backbone's `TrainingOptions`.
        """
        raise NotImplementedError
