"""From a question to the body of a request."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from coabench.decode import Mode
from coabench.dialogue import Message, Question
from coabench.sampling import Draw

Constraint = Literal["none", "structured_outputs", "guided_choice", "regex", "grammar", "json_schema"]
DIALECTS: tuple[Constraint, ...] = ("structured_outputs", "guided_choice", "regex", "grammar", "json_schema")
"""The dialects in the order in which ``auto`` tries them: where a schema is the last, no white space pads an answer."""
Detail = Literal["auto", "low", "high"]
LengthField = Literal["max_tokens", "max_completion_tokens"]
Body = dict[str, Any]
FIELD = "answer"
"""The one field of the object that ``json_schema`` asks for."""

_LIMITING = dict.fromkeys(
    ("structured_outputs", "guided_choice", "guided_regex", "guided_json", "guided_grammar", "regex", "ebnf", "grammar",
     "json_schema", "response_format"),
    "say it with --set constrain=DIALECT",
)  # fmt: skip
_FIXED = dict.fromkeys(
    ("model", "messages", "n", "stream", "stream_options", "logprobs", "top_logprobs", "prompt_logprobs",
     "add_generation_prompt", "continue_final_message", "echo", "tools", "tool_choice", "functions"),
    "leave it away",
)  # fmt: skip
_SAMPLING = dict.fromkeys(("temperature", "top_p"), "say it with --decode sample")
_LENGTH = dict.fromkeys(("max_tokens", "max_completion_tokens"), "say it with --set max_tokens=N")
OWN: Mapping[str, str] = {**_FIXED, **_SAMPLING, **_LENGTH, "seed": "say it with --set seed=N", **_LIMITING}
"""The fields of a request that are set here or would change how the reply is read, and what to do instead."""


def messages_of(chat: Sequence[Message], images: Sequence[str], detail: Detail | None) -> list[Body]:
    """Return a chat in the protocol's words: images before the text of their message, text alone as a string.

    Args:
        images: ``data:`` URLs, which the messages show by index.
    """
    return [_message(message, images, detail) for message in chat]


def _message(message: Message, images: Sequence[str], detail: Detail | None) -> Body:
    if not message.images:
        return {"role": message.role, "content": message.text}
    how = {} if detail is None else {"detail": detail}
    shown = [{"type": "image_url", "image_url": {"url": images[i], **how}} for i in message.images]
    return {"role": message.role, "content": [*shown, {"type": "text", "text": message.text}]}


def constraint(question: Question, dialect: Constraint) -> Body:
    """Return the fields that limit a generated answer to the question's options, in a server's dialect."""
    options = list(question.options)
    if not options:
        return {}
    match dialect:
        case "none":
            return {}
        case "structured_outputs":
            return {"structured_outputs": {"choice": options}}
        case "guided_choice":
            return {"guided_choice": options}
        case "regex":
            return {"regex": "(" + "|".join(map(_escaped, options)) + ")"}
        case "grammar":
            return {"grammar": "root ::= " + " | ".join(json.dumps(o, ensure_ascii=False) for o in options)}
        case "json_schema":
            schema = {
                "type": "object",
                "properties": {FIELD: {"type": "string", "enum": options}},
                "required": [FIELD],
                "additionalProperties": False,
            }
            form = {"name": FIELD, "strict": True, "schema": schema}
            return {"response_format": {"type": "json_schema", "json_schema": form}}


def _escaped(option: str) -> str:
    """Return an option as a regular expression that every dialect reads alike: spaces stay as they are."""
    return re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", option)


def without_images(body: Body) -> Body:
    """Return a request with its texts alone."""
    messages = [
        m if isinstance(m["content"], str) else {**m, "content": m["content"][-1]["text"]} for m in body["messages"]
    ]
    return {**body, "messages": messages}


def scoring(top_logprobs: int, length_field: LengthField) -> Body:
    """Return the fields that ask for the likeliest first tokens."""
    return {length_field: 1, "logprobs": True, "top_logprobs": top_logprobs}


def continued(body: Body, text: str, length_field: LengthField) -> Body:
    """Return the request that tells the probabilities of a chat's tokens, the last of which begin its answer.

    Args:
        body: a chat that waits for the answer.
        text: what the answer begins with.
    """
    said = {"role": "assistant", "content": text}
    how = {"add_generation_prompt": False, "continue_final_message": True, "prompt_logprobs": 0, length_field: 1}
    return {**body, "messages": [*body["messages"], said], **how}


def drawing(draw: Draw, seed: int | None) -> Body:
    """Return the fields that say how an answer is drawn.

    Args:
        seed: is added to that of the draw, within the 31 bits that every server takes; None to send none.
    """
    body: Body = {"temperature": draw.temperature}
    if draw.top_p < 1:  # some servers take one of the two only
        body["top_p"] = draw.top_p
    return body if seed is None else {**body, "seed": (draw.seed + seed) % 2**31}


def limited(question: Question, mode: Mode, dialect: Constraint) -> bool:
    """Whether the answer to a question was asked to be one of its options."""
    return not mode.scored and dialect != "none" and bool(question.options)
