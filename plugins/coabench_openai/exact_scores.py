"""Scores of whole options, by servers that tell the probabilities of a prompt's tokens (``prompt_logprobs``: vLLM).

The option is sent as the beginning of the assistant's turn, followed by the token that ends an answer. Its score is the
sum of the natural-log probabilities of its tokens and of the end token: what the backbones ``phi-3.5-vision`` and
``transformers`` compute.
"""

from __future__ import annotations

import asyncio
import math
import re
from dataclasses import replace

from coabench.dialogue import Answer, Question
from coabench.errors import JobError, SampleError
from coabench_openai.client import RESUME, Client, Halted, Refused
from coabench_openai.replies import PromptReply, Reply, ending_of, read_prompt
from coabench_openai.requests import Body, LengthField, continued

ASKED, SAID = "Which of the two is it, Fear or Anger?", "Fear"
"""What the server is tried on, without a picture."""
LONGEST = 256
"""Tokens of the answer whose end is waited for."""
_SPECIAL = re.compile(r"<[^<>\s]+>|\[[^\[\]\s]+\]")
"""How tokens are spelt that end a turn: ``<|im_end|>``, ``</s>``, ``<end_of_turn>``."""


class Inexact(Exception):
    """The server tells no scores of whole options; the message says why."""


class ExactScores:
    """Asks one model on one server for the scores of options.

    Args:
        client: sends the requests.
        plain: every field of a request but its messages and its length.
        length_field: what the server calls the length.
        at_once: how many requests may be under way.
        end: the text of the token that ends an answer; empty where it is to be found out.
    """

    def __init__(self, client: Client, plain: Body, length_field: LengthField, at_once: int, end: str) -> None:
        self._client, self._length_field, self._end = client, length_field, end
        self._asked: Body = {**plain, "messages": [{"role": "user", "content": ASKED}]}
        self._free = asyncio.Semaphore(at_once)
        self._options: dict[str, tuple[int, ...]] = {}
        self._found = False

    async def find_out(self) -> None:
        """Find out, without a picture, whether the server tells such scores, and which token ends an answer.

        Raises:
            Inexact: it does not, or that token is not to be found out.
            JobError: nothing answers, or not this model.
        """
        try:
            said = await self._told(self._continued(self._asked, SAID))
            if said.tokens is None:
                raise Inexact("it tells no prompt_logprobs")
            if not _follows(said, await self._prompt()):
                raise Inexact("its chat template writes something else before an answer than where one is to follow")
            self._end = self._end or await self._ending(said)
            ended = await self._told(self._continued(self._asked, SAID + self._end))
            if ended.numbers[:-1] != said.numbers:
                raise Inexact(f"{self._end!r} is no single token behind an answer")
        except Refused as refused:
            raise Inexact(f"it refuses to tell prompt_logprobs: {refused}") from None
        self._found = True

    async def _ending(self, said: PromptReply) -> str:
        """Return the text of the token that ends an answer: the one that the chat template writes behind it, where that
        is a token of its own; else the one that the model writes."""
        turn = {"role": "assistant", "content": SAID}
        body = {**self._prompting(self._asked), "add_generation_prompt": False}
        whole = await self._told({**body, "messages": [*body["messages"], turn]})
        if _follows(whole, said) and _SPECIAL.fullmatch(after := (whole.tokens or ())[len(said.numbers)].text):
            return after
        free = {**self._asked, self._length_field: LONGEST, "logprobs": True, "top_logprobs": 1}
        written = await self._client.post(free, ending_of)
        if written is None or not _SPECIAL.fullmatch(written):
            raise Inexact("which token ends an answer is not to be found out; --set end_token=TEXT says it")
        return written

    async def score(self, body: Body, question: Question, halt: asyncio.Event | None) -> Reply:
        """Return the scores of a question's options, asked for one by one.

        Args:
            body: the chat that waits for the answer.

        Raises:
            Refused, Halted, JobError: as `Client.post` does.
        """
        options = list(question.options)
        tokens = {option: await self._tokens_of(option, halt) for option in options}
        tasks = [self._told(self._continued(body, option + self._end), halt) for option in options]
        told = await asyncio.gather(*tasks, return_exceptions=True)
        for problem in sorted((t for t in told if isinstance(t, BaseException)), key=lambda t: isinstance(t, Halted)):
            raise problem
        replies = {option: reply for option, reply in zip(options, told, strict=True) if isinstance(reply, PromptReply)}
        scores = {}
        for option, reply in replies.items():
            if reply.numbers[-len(tokens[option]) :] != tokens[option]:
                return Reply(SampleError(f"the server reads the option {option!r} otherwise here than elsewhere"), None)
            last = (reply.tokens or ())[-len(tokens[option]) :]
            scores[option] = min(math.fsum(token.log_probability for token in last), 0.0)
        best = max(scores, key=scores.__getitem__)
        first = replies[options[0]].reply
        counted = first.answer if isinstance(first.answer, Answer) else Answer("")
        asked = max(counted.prompt_tokens - len(tokens[options[0]]), 0)
        return replace(first, answer=replace(counted, response=best, scores=scores, prompt_tokens=asked, new_tokens=0))

    async def _tokens_of(self, option: str, halt: asyncio.Event | None) -> tuple[int, ...]:
        """Return the ids of the tokens that answer an option, the end token's last, as they stand behind a prompt."""
        if option not in self._options:
            prompt, said = (
                await self._prompt(),
                await self._told(self._continued(self._asked, option + self._end), halt),
            )
            if not _follows(said, prompt):
                raise JobError(
                    f"the server's tokens of the option {option!r} cannot be told from those of the prompt",
                    remedy="score first tokens (--set scores=first-token), or use --decode generate",
                )
            self._options[option] = said.numbers[len(prompt.numbers) :]
        return self._options[option]

    async def _prompt(self) -> PromptReply:
        return await self._told(self._prompting(self._asked))

    def _prompting(self, body: Body) -> Body:
        return {**body, "prompt_logprobs": 0, self._length_field: 1}

    def _continued(self, body: Body, text: str) -> Body:
        return continued(body, text, self._length_field)

    async def _told(self, body: Body, halt: asyncio.Event | None = None) -> PromptReply:
        async with self._free:
            if halt is not None and halt.is_set():
                raise Halted
            told = await self._client.post(body, read_prompt, halt)
        if told.tokens is None and self._found:
            raise JobError("the server tells prompt_logprobs no more", found="an answer without them", remedy=RESUME)
        return told


def _follows(longer: PromptReply, shorter: PromptReply) -> bool:
    """Whether a prompt is another one and more."""
    begun = shorter.numbers
    return longer.numbers[: len(begun)] == begun and len(longer.numbers) > len(begun)
