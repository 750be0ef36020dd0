"""From ``--rewrite NAME:key=value,…`` to what rewrites every question, and reads the answers back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coabench.base.resources import out_of_memory
from coabench.dialogue import Question
from coabench.errors import CoabenchError, JobError, SampleError, UserError, with_type
from coabench.registry.components import Component
from coabench.registry.loader import get_plugins
from coabench.registry.options import parse_component, read_parameters
from coabench.rewrite import Rewrite, RewriteRequest, Rewritten

OPTION = "--rewrite"


def find_rewrite(text: str) -> Component:
    """Return the rewrite ``NAME:key=value,…``.

    Raises:
        UserError: it cannot be read, there is none of that name, or a parameter does not fit.
    """
    name, parameters = parse_component(text, OPTION)
    registration = get_plugins().rewrites.find(name)
    declared = getattr(registration.load(), "Options", Rewrite.Options)
    return Component(registration, read_parameters(declared, parameters, f"{OPTION} {name}"))


class Rewrites:
    """Rewrites, one after the other; none leave every question as it is."""

    def __init__(self, texts: Sequence[str], seed: int) -> None:
        """Make them ready; `UserError` where one cannot be found or refuses its options."""
        self.choices = [find_rewrite(text) for text in texts]
        self._rewrites: list[Rewrite] = [
            choice.registration.open(RewriteRequest(choice.options, seed)) for choice in self.choices
        ]

    def identity(self) -> tuple[Mapping[str, Any], ...] | None:
        """Return each with its plugin and options, in order; None where there are none."""
        return tuple({"spec": choice.spec, **choice.identity()} for choice in self.choices) or None

    def notes(self, questions: Sequence[Question]) -> list[str]:
        """Return what the user of a run should know.

        Args:
            questions: those that the strategy asks.
        """
        if not self.choices:
            return []
        spec = f" {OPTION} ".join(choice.spec for choice in self.choices)
        said = f"{OPTION} {spec}: every question is rewritten: the numbers are a variant's and will not be ranked"
        return [said, *self.remarks(questions)]

    def remarks(self, questions: Sequence[Question]) -> list[str]:
        """Return what the rewrites say of themselves, and which of the questions stay as they are."""
        if not self.choices:
            return []
        said = [note for rewrite in self._rewrites for note in getattr(rewrite, "notes", tuple)()]
        still = [q.name for q in questions if self._apply(q).question == q]
        return [*said, f"{OPTION} leaves these questions as they are: {', '.join(still)}"] if still else said

    def check(self, questions: Sequence[Question], strategy: str) -> list[Question]:
        """Return the questions as they will be asked.

        Args:
            questions: those that the strategy of this name asks, as far as they are known before a run.

        Raises:
            UserError: one cannot be rewritten, or nothing changes.
        """
        for choice, rewrite in zip(self.choices, self._rewrites, strict=True):
            if getattr(rewrite, "needs_options", False) and not any(q.options for q in questions):
                raise UserError(
                    f"{OPTION} {choice.spec}: strategy {strategy!r} asks open questions, which have no options",
                    remedy=f"leave {OPTION} {choice.registration.name} out, or choose another --strategy",
                )
        before = list(questions)
        for choice, rewrite in zip(self.choices, self._rewrites, strict=True):
            after = [_one(choice, rewrite, question).question for question in before]
            if after == before:
                raise UserError(
                    f"{OPTION} {choice.spec} changes no question of strategy {strategy!r}",
                    found=before[0].prompt[:300] if before else "no question",
                    remedy=f"correct or leave out {OPTION} {choice.registration.name}",
                )
            before = after
        return before

    def __call__(self, question: Question) -> Rewritten:
        """Return what is asked instead, and what its words mean to the strategy.

        Raises:
            SampleError: it is a question that could not be foreseen, and cannot be rewritten.
            JobError: a rewrite fails, or loses an option; it names the plugin.
        """
        try:
            return self._apply(question)
        except UserError as error:
            raise SampleError(f"the question cannot be rewritten: {error.problem}") from None

    def _apply(self, question: Question) -> Rewritten:
        asked = Rewritten(question)
        for choice, rewrite in zip(self.choices, self._rewrites, strict=True):
            made = _one(choice, rewrite, asked.question)
            worded = dict.fromkeys((*made.question.recognised, *made.question.options))
            now = {shown: made.labels.get(shown, shown) for shown in worded}
            back = {earlier: shown for shown, earlier in now.items()}
            labels = {shown: asked.labels.get(earlier, earlier) for shown, earlier in now.items()}
            spellings = {text: back[option] for text, option in asked.spellings.items()}
            asked = Rewritten(made.question, labels, {**spellings, **made.spellings})
        return asked


def _one(choice: Component, rewrite: Rewrite, question: Question) -> Rewritten:
    """Return what one rewrite makes of a question, checked."""
    if getattr(rewrite, "needs_options", False) and not question.options:
        return Rewritten(question)
    try:
        made = rewrite.rewrite(question)
    except Exception as error:
        if isinstance(error, CoabenchError) or out_of_memory(error):
            raise
        raise _failed(choice, question, "fails", with_type(error)) from error
    if not isinstance(made, Rewritten):
        raise _failed(choice, question, "returns something else than a Rewritten", repr(made)[:200])
    for name in ("options", "recognised"):
        came, worded = getattr(question, name), getattr(made.question, name)
        if sorted(made.labels.get(option, option) for option in worded) != sorted(came):
            raise _failed(choice, question, f"changes the {name}", f"{list(worded)} for {list(came)}")
    if not {*made.spellings.values()} <= {*made.question.recognised, *made.question.options}:
        raise _failed(choice, question, "has spellings of what is no option", repr(dict(made.spellings))[:200])
    return made


def _failed(choice: Component, question: Question, problem: str, found: str) -> JobError:
    plugin = choice.registration.plugin
    return JobError(
        f"the rewrite {choice.spec} of plugin {plugin!r} {problem} for the question {question.name!r}",
        expected="a Rewritten whose options and recognised labels are those of the question, each once",
        found=found,
        remedy=f"report it to the author of {plugin!r}, or leave this rewrite out",
    )
