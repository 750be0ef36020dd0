"""Which dialect a server keeps to, when it is to choose among options: asked with options that no model would say."""

from __future__ import annotations

from coabench.decode import GENERATE
from coabench.dialogue import Answer, Question
from coabench.errors import JobError
from coabench.labels import Choices
from coabench_openai.client import Client, Refused
from coabench_openai.replies import read_reply, unwrapped
from coabench_openai.requests import DIALECTS, Body, Constraint, constraint

QUESTION = Question("Which emotion does a face show?", Choices(("qzkvx", "wvbjq")), name="trial")


async def find_dialect(client: Client, plain: Body) -> Constraint:
    """Return the first dialect that the server keeps to.

    Args:
        plain: every field of a request but its messages.

    Raises:
        JobError: there is none; nothing answers, or not this model.
    """
    body = {**plain, "messages": [{"role": "user", "content": QUESTION.prompt}]}
    for dialect in DIALECTS:
        request = {**body, **constraint(QUESTION, dialect)}
        try:
            answer = (await client.post(request, lambda data: read_reply(data, QUESTION, GENERATE))).answer
        except Refused:
            continue
        if isinstance(answer, Answer) and chosen(answer.response, dialect) in QUESTION.options:
            return dialect
    raise JobError(
        "the server limits answers in no dialect: constrain=auto has no effect",
        expected=", ".join(DIALECTS),
        remedy="leave constrain away, or serve the model with vLLM, SGLang or llama.cpp",
    )


def chosen(response: str, dialect: Constraint) -> str:
    """Return the option that a limited answer names."""
    return (unwrapped(response) if dialect == "json_schema" else response).strip()
