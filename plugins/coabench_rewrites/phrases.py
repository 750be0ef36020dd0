"""What is said around a question."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from coabench.dialogue import Question
from coabench.errors import UserError
from coabench.rewrite import Rewrite, RewriteRequest, Rewritten
from coabench_rewrites.listing import in_texts

PLEASE, THANKS = "Please help me with this picture.", "Thank you."


class Preamble(Rewrite):
    """Begins the chat with a sentence, as a system prompt does; every model takes it, for it stands before the first
    question and not in a role of its own."""

    @dataclass(frozen=True)
    class Options:
        """*text*: the sentence."""

        text: str = "You are an expert in facial expressions."

    def __init__(self, request: RewriteRequest) -> None:
        super().__init__(request)
        if not self.options.text.strip():
            raise UserError("--rewrite preamble has no text", remedy="write preamble:text=…, or leave it out")

    def rewrite(self, question: Question) -> Rewritten:
        text = self.options.text.strip()
        if not question.context:
            return Rewritten(replace(question, prompt=f"{text} {question.prompt}"))
        first, *rest = question.context
        return Rewritten(replace(question, context=(replace(first, text=f"{text} {first.text}"), *rest)))


class Polite(Rewrite):
    """Asks every question of the chat politely."""

    @dataclass(frozen=True)
    class Options:
        """*style*: a sentence before the question, one after it, or both."""

        style: Literal["please", "thanks", "both"] = "both"

    def rewrite(self, question: Question) -> Rewritten:
        before = "" if self.options.style == "thanks" else f"{PLEASE} "
        after = "" if self.options.style == "please" else f" {THANKS}"
        return Rewritten(in_texts(question, lambda text: f"{before}{text}{after}"))
