"""Checks of a rewrite: every label is there again, and the same question always becomes the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from coabench.dialogue import Message, Question
from coabench.errors import UserError
from coabench.labels import Choices
from coabench.registry.registrations import Registration
from coabench.rewrite import Rewrite, RewriteRequest, Rewritten
from coabench.testing.check import Check, Checks
from coabench.testing.defects import rewrites as defects
from coabench.testing.findings import Finding
from coabench.testing.options import check_read
from coabench.testing.spaces import BASIC, COMPOUND


def questions() -> dict[str, Question]:
    """Return questions of several kinds, by what they are."""

    def text(labels: Choices) -> str:
        quoted = [f"'{label}'" for label in labels]
        return f"Select an emotion label from the following options: {', '.join(quoted[:-1])}, or {quoted[-1]}."

    basic, compound = BASIC.basic, COMPOUND.names
    rest = basic - basic[0]
    second = (
        f"The primary emotion conveyed by this image was {basic[0]}. Please select the next most strongly felt emotion "
        f"from the following options: {', '.join(rest[:-1])}, or {rest[-1]}."
    )
    shown = (Message("user", text(basic), (0,)), Message("assistant", basic[0]))
    return {
        "a question": Question(text(basic), basic),
        "compound labels": Question(text(compound), compound),
        "a second question": Question(second, rest, basic, "secondary"),
        "a question after an exemplar": Question(text(basic), basic, images=(1,), context=shown),
        "an open question": Question("Which action units can you see?", Choices()),
        "a question without a list": Question("What does the face show?", basic),
    }


def check(
    rewrite: str | Registration | Callable[[RewriteRequest], Rewrite],
    *,
    assignments: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Check a rewrite and return what is wrong with it.

    Args:
        rewrite: the name it is registered under, its registration, or the target itself.
        assignments: its parameters, as typed.
    """
    return _Checks(rewrite, assignments).result()


class _Checks(Checks):
    kind, part = "rewrites", "rewrite"

    def checks(self) -> Iterator[Check]:
        self.factory = self.load()
        self.read_options(getattr(self.factory, "Options", Rewrite.Options))
        self.rewrite = self.make(self.defaults)
        self.need_methods(defects.NO_REWRITE, self.rewrite, "rewrite")
        yield from (self.labels, self.chat, self.options)

    def make(self, options: Any) -> Rewrite:
        made: Rewrite = self.attempt(defects.NO_REWRITE, self.factory, RewriteRequest(options, 7), allowed=UserError)
        return made

    def labels(self) -> None:
        """Rewrite every question, by another rewrite again."""
        other = self.make(self.defaults)
        for what, question in questions().items():
            made, again = self.made(self.rewrite, what, question), self.made(other, what, question)
            self.need(made == again, defects.UNSTEADY, what)
            for name in ("options", "recognised") if made else ():
                came, worded = getattr(question, name), getattr(made and made.question, name)
                labels = [made.labels.get(option, option) for option in worded] if made else []
                self.need(sorted(labels) == sorted(came), defects.LOSES, f"{what}: {labels} for {list(came)}")

    def chat(self) -> None:
        """A question and the same one about an exemplar are asked alike."""
        made = self.made(self.rewrite, "chat", questions()["a question after an exemplar"])
        if made is not None and made.question.context:
            asked, exemplar = made.question.prompt, made.question.context[0].text
            self.need(asked in exemplar or exemplar in asked, defects.LEAVES_CHAT, f"{exemplar!r} and {asked!r}"[:300])

    def options(self) -> None:
        """An option that is never read does nothing."""

        def use(options: Any) -> None:
            rewrite = self.make(options)
            for what, question in questions().items():
                self.made(rewrite, what, question)

        check_read(self, self.defaults, use)

    def made(self, rewrite: Rewrite, what: str, question: Question) -> Rewritten | None:
        """Return the rewritten question; None where the rewrite refuses it, or leaves open questions alone."""
        if getattr(rewrite, "needs_options", False) and not question.options:
            return None
        try:
            made = self.attempt(defects.FAILS, rewrite.rewrite, question, allowed=UserError)
        except UserError:
            return None
        if not isinstance(made, Rewritten):
            self.fail(defects.NO_REWRITTEN, f"{what}: {made!r}"[:200])
        return made
