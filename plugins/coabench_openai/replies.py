"""From what a server sent to an answer."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from coabench.base.json import FOREIGN, parse_json
from coabench.base.text import safe
from coabench.decode import Mode
from coabench.dialogue import Answer, Question
from coabench.errors import JobError, SampleError
from coabench.support.redaction import Redaction
from coabench_openai.requests import FIELD
from coabench_openai.scores import first_token_scores

BEGINNING = 4096
"""How many characters of a body are looked at for what to show of it."""
MOST = 10**9
"""Tokens: a number above it is no count."""
ROUNDED = 0.01
"""By how much the rounding in a server may raise a log-probability above 0, and a sum of probabilities above 1."""
NEVER = -1e9
"""The log-probability of what has the probability 0."""
LONGEST_NAME = 300


class Malformed(Exception):
    """A reply that is none: half of one, or without an answer."""


@dataclass(frozen=True)
class Reply:
    """A reply that was read.

    Attributes:
        answer: or why there is none for this sample.
        served: the name of the model that the server says has answered.
        whole: whether the model has said what it wanted to: it did not refuse, and was not cut off.
        fingerprint: the server's ``system_fingerprint``: what it runs on, in a word of its own.
        cut: whether it was cut off.
    """

    answer: Answer | SampleError
    served: str | None
    whole: bool = True
    fingerprint: str | None = None
    cut: bool = False

    @property
    def empty(self) -> bool:
        """Whether the answer was cut off, or says nothing."""
        return self.cut or (isinstance(self.answer, Answer) and not self.answer.response.strip())

    def fits(self, question: Question, mode: Mode) -> bool:
        """Whether it answers a question that was asked in a mode."""
        if isinstance(self.answer, SampleError):
            return True
        scores, wanted = self.answer.scores or {}, list(question.options) if mode.scored else []
        return list(scores) == wanted and all(map(math.isfinite, scores.values()))

    def without(self, secrets: Redaction) -> Self:
        """Return the reply cleared of secrets."""
        answer = self.answer
        if isinstance(answer, SampleError):
            answer = SampleError(secrets.text(answer.problem))
        else:
            answer = replace(answer, response=secrets.text(answer.response))
        served, fingerprint = (None if said is None else secrets.text(said) for said in (self.served, self.fingerprint))
        return replace(self, answer=answer, served=served, fingerprint=fingerprint)


def read_reply(data: Any, question: Question, mode: Mode) -> Reply:
    """Read a chat completion.

    Raises:
        Malformed: it has no answer in it.
        JobError: scores were asked for, and the server serves no log-probabilities.
    """
    choice = _first(data)
    message = choice.get("message")
    if not isinstance(message, Mapping):
        raise Malformed("an answer without a message")
    reply, finish = _header(data), choice.get("finish_reason")
    bare = _counted(data.get("usage"))
    try:
        if finish == "content_filter":
            raise SampleError("the server's content filter withheld the answer")
        if mode.scored:
            scores = first_token_scores(question.options, _likeliest(choice))
            best = max(scores, key=lambda option: scores[option])
            return replace(reply, answer=replace(bare, response=best, scores=scores))
        text, said = _text(message)
        reply = replace(reply, whole=said and finish != "length", cut=finish == "length")
        if reply.cut and not text.strip():
            cut = f"the answer was cut off after {bare.new_tokens} tokens, before it began: raise --set max_tokens=…"
            return replace(reply, answer=SampleError(cut))
        return replace(reply, answer=replace(bare, response=text))
    except SampleError as error:
        return replace(reply, answer=error)


@dataclass(frozen=True)
class PromptToken:
    """A token of a prompt: its id, its text, and its natural-log probability after those before it."""

    number: int
    text: str
    log_probability: float


@dataclass(frozen=True)
class PromptReply:
    """What a server tells of a prompt.

    Attributes:
        reply: its answer has the numbers of tokens alone.
        tokens: those of the prompt, without the first, of which nothing is told; None where the server tells none.
    """

    reply: Reply
    tokens: tuple[PromptToken, ...] | None

    @property
    def numbers(self) -> tuple[int, ...]:
        """The ids of the tokens."""
        return tuple(token.number for token in self.tokens or ())


def read_prompt(data: Any) -> PromptReply:
    """Read a chat completion that was asked for ``prompt_logprobs: 0``.

    Raises:
        Malformed: what it tells is none.
    """
    choice = _first(data)
    told = data.get("prompt_logprobs", choice.get("prompt_logprobs"))
    reply = replace(_header(data), answer=_counted(data.get("usage")))
    if not isinstance(told, list) or not told:
        return PromptReply(reply, None)
    return PromptReply(reply, tuple(map(_prompt_token, told[1:])))


def _prompt_token(entry: Any) -> PromptToken:
    try:
        ((number, about),) = entry.items()
        return PromptToken(int(number), str(about["decoded_token"]), log_probability(about["logprob"], number))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Malformed(f"{_shown(entry)}, which is no token of a prompt") from None


def ending_of(data: Any) -> str | None:
    """Return the text of the token with which the model ended an answer; None where the server tells none."""
    choice = _first(data)
    try:
        last = choice["logprobs"]["content"][-1]["token"]
    except (KeyError, IndexError, TypeError):
        return None
    return last if choice.get("finish_reason") == "stop" and isinstance(last, str) else None


def _header(data: Mapping[str, Any]) -> Reply:
    """Return a reply without an answer: what the server says of itself."""

    def named(field: str) -> str | None:
        value = data.get(field)
        return safe(value, LONGEST_NAME) if isinstance(value, str) and value else None

    return Reply(Answer(""), named("model"), fingerprint=named("system_fingerprint"))


def log_probability(value: Any, token: Any) -> float:
    """Return a natural-log probability; `Malformed` where it is none."""
    if type(value) not in (int, float) or not value <= ROUNDED:  # nor NaN
        raise Malformed(f"{_shown(value)}, which is no log-probability, of the token {_shown(token)}")
    return float(max(value, NEVER))


def unwrapped(text: str) -> str:
    """Return what an answer in the form of ``json_schema`` says; any other text as it is."""
    try:
        data = parse_json(text, FOREIGN)
    except ValueError:
        return text
    value = data.get(FIELD) if isinstance(data, dict) and len(data) == 1 else None
    return value if isinstance(value, str) else text


def error_text(body: str, data: Any) -> str:
    """Return what a server says went wrong, on one line that a terminal can show.

    Args:
        data: the JSON of the body, or None.
    """
    if isinstance(data, dict):
        for name in ("error", "detail", "message"):
            if value := data.get(name):
                inner = value.get("message") if isinstance(value, dict) else None
                return safe(inner or (value if isinstance(value, str) else json.dumps(value)), 300)
    if is_page(body):
        title = re.search(r"<title[^>]*>(.*?)</title>", body[:BEGINNING], re.IGNORECASE | re.DOTALL)
        return "an HTML page" + (f" titled {beginning(title[1], 100)!r}" if title else "")
    return beginning(body, 300)


def beginning(text: str, limit: int) -> str:
    """Return the beginning of a text on one line that a terminal can show."""
    return safe(" ".join(text[:BEGINNING].split()), limit) or "nothing"


def is_page(body: str) -> bool:
    """Whether a body is HTML."""
    return body.lstrip()[:200].casefold().startswith(("<!doctype", "<html", "<head", "<body"))


def _first(data: Any) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise Malformed(f"JSON that is no chat completion: {_shown(data)}")
    choices = data.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Malformed("a reply without choices")
    return choices[0]


def _text(message: Mapping[str, Any]) -> tuple[str, bool]:
    """Return what was said, and whether it is an answer and no refusal. An answer may be empty."""
    content, refusal = message.get("content"), message.get("refusal")
    if isinstance(content, list):  # in parts
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    if content is not None and not isinstance(content, str):
        raise Malformed(f"an answer that is no text: {_shown(content)}")
    return (refusal, False) if not content and isinstance(refusal, str) and refusal else (content or "", True)


def _likeliest(choice: Mapping[str, Any]) -> list[tuple[str, float]]:
    try:
        first = choice["logprobs"]["content"][0]
        listed = [(entry["token"], entry["logprob"]) for entry in first["top_logprobs"]]
    except (KeyError, IndexError, TypeError):
        listed = []
    if not listed:
        raise JobError(
            "the server tells no log-probabilities, which --decode score needs",
            expected="choices[0].logprobs.content[0].top_logprobs",
            found="an answer without them",
            remedy="use --decode generate, or a server that serves top_logprobs (vLLM, SGLang, llama.cpp, OpenAI)",
        )
    if strange := [token for token, _ in listed if not isinstance(token, str)]:
        raise Malformed(f"a log-probability of the token {_shown(strange[0])}, which is no text")
    tokens = [(token, log_probability(value, token)) for token, value in listed]
    if (total := math.fsum(math.exp(min(value, 0.0)) for _, value in tokens)) > 1 + ROUNDED:
        raise Malformed(f"probabilities of first tokens that add up to {total:.2f}")
    return tokens


def _shown(value: Any) -> str:
    return safe(json.dumps(value), 100)


def _counted(usage: Any) -> Answer:
    """Return an answer without words, with the numbers of tokens; 0 where the server gives none."""
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return Answer(
        "",
        prompt_tokens=_count(usage.get("prompt_tokens")),
        cached_tokens=_count(cached),
        new_tokens=_count(usage.get("completion_tokens")),
    )


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST else 0
