"""Sends questions to one model on one server, each different one once, and finds out what a failure concerns."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

from coabench.backbone import Questions
from coabench.decode import GENERATE, SAMPLE, Mode
from coabench.dialogue import Answer, Question
from coabench.errors import JobError, SampleError
from coabench.labels import Choices
from coabench_openai.client import RESUME, Client, Halted, Refused
from coabench_openai.exact_scores import ExactScores
from coabench_openai.options import ServerOptions
from coabench_openai.picture import plain_picture
from coabench_openai.replies import Reply, read_reply, unwrapped
from coabench_openai.reply_cache import ReplyCache, key_of
from coabench_openai.requests import (
    DIALECTS,
    Body,
    Constraint,
    constraint,
    drawing,
    limited,
    messages_of,
    scoring,
    without_images,
)

NOBODY_SAYS = Choices(("qzkvx", "wvbjq"))
"""The options of the question that shows whether a server keeps to a dialect."""
Prepared = tuple[str, ...]
"""The images of a sample, each as a ``data:`` URL."""


class Dispatcher:
    """Sends requests to a server, as many at once as the user allows.

    Attributes:
        identity: everything that can change an answer.
        cache: where replies are kept.
        served: the name of the model that the server says has answered; None before the first answer.
        fingerprints: every ``system_fingerprint`` that came, each once.
        constrain: the dialect in which answers are limited.
        exact: asks for the scores of whole options; None where a score is that of the first token.
    """

    def __init__(self, model: str, options: ServerOptions, client: Client) -> None:
        self._model, self._options, self._client = model, options, client
        self.identity: Mapping[str, Any] = {}
        self.cache = ReplyCache()
        self.served: str | None = None
        self.fingerprints: list[str] = []
        self.constrain: Constraint = "none" if options.constrain == "auto" else options.constrain
        self.exact: ExactScores | None = None
        self._begun = False
        self._free_answers = self._empty_answers = 0
        self._tried: dict[str, Reply] = {}
        self._trying = asyncio.Lock()
        self._free = asyncio.Semaphore(options.concurrency)

    @property
    def all_but_empty(self) -> bool:
        """Whether nearly all answers in words were cut off, or white space: nine of ten, of ten or more."""
        return self._free_answers >= 10 and self._empty_answers >= 0.9 * self._free_answers

    async def find_scores(self) -> None:
        """Find out whether the server tells scores of whole options, and use them if so.

        Raises:
            Inexact: it does not.
            JobError: nothing answers, or not this model.
        """
        o = self._options
        exact = ExactScores(self._client, self._plain(), o.length_field, o.concurrency, o.end_token or "")
        await exact.find_out()
        self.exact = exact

    async def find_dialect(self) -> None:
        """Find the first dialect that the server keeps to, and use it.

        Raises:
            JobError: there is none; nothing answers, or not this model.
        """
        question = Question("Which emotion does a face show?", NOBODY_SAYS, name="trial")
        for dialect in DIALECTS:
            body = {**self._plain(), "messages": [{"role": "user", "content": question.prompt}]}
            body |= {self._options.length_field: self._options.max_tokens, **constraint(question, dialect)}
            try:
                answer = (await self._client.post(body, lambda data: read_reply(data, question, GENERATE))).answer
            except Refused:
                continue
            if isinstance(answer, Answer) and _chosen(answer.response, dialect) in NOBODY_SAYS:
                self.constrain = dialect
                return
        raise JobError(
            "the server limits answers in no dialect: constrain=auto has no effect",
            expected=", ".join(DIALECTS),
            remedy="leave constrain away, or serve the model with vLLM, SGLang or llama.cpp",
        )

    async def ask(
        self, samples: Sequence[Prepared], questions: Questions, mode: Mode
    ) -> list[Answer | SampleError | None]:
        """Ask all questions at once, each different request once.

        Raises:
            JobError: one of them cannot be answered for a reason that concerns all; the answers that came are kept.
        """
        if not self._begun:  # no sooner: a run that is overwritten begins with none
            self._begun, before = True, self.cache.fingerprints
            self.fingerprints = list(dict.fromkeys([*before, *self.fingerprints]))
        halt = asyncio.Event()
        asked: dict[str, Coroutine[Any, Any, Reply]] = {}
        keys: list[str | None] = []
        for images, question in zip(samples, questions, strict=True):
            if question is None:
                keys.append(None)
                continue
            body = self._body(question, mode, images)
            # Of servers that take no seed, each draw is still a request of its own; a whole option is one each.
            more: Body = {"draw": question.draw.seed} if mode is SAMPLE else {}
            more |= {"options": list(question.options)} if mode.scored and self.exact else {}
            keys.append(key := key_of(self.identity, {**body, **more}))
            if key not in asked:
                asked[key] = self._reply(key, body, question, mode, halt)
        replies = dict(zip(asked, await asyncio.gather(*asked.values(), return_exceptions=True), strict=True))
        problems = [reply for reply in replies.values() if isinstance(reply, BaseException)]
        for problem in sorted(problems, key=lambda problem: isinstance(problem, Halted)):
            raise problem
        return [None if key is None else replies[key].answer for key in keys]  # type: ignore[union-attr]

    async def _reply(self, key: str, body: Body, question: Question, mode: Mode, halt: asyncio.Event) -> Reply:
        reply = self.cache.get(key)
        if reply is not None and reply.fits(question, mode):
            reply = reply.without(self._client.redaction)  # it may be from a version that knew fewer forms of the key
        else:
            async with self._free:
                if halt.is_set():
                    raise Halted
                try:
                    reply = await self._asked(body, question, mode, halt)
                    self._compare(reply)
                    self.cache.put(key, reply)
                except BaseException:
                    halt.set()
                    raise
        self._compare(reply)  # a cached one, too
        if not mode.scored:
            self._free_answers += 1
            self._empty_answers += reply.empty
        return reply

    async def _asked(self, body: Body, question: Question, mode: Mode, halt: asyncio.Event) -> Reply:
        try:
            reply = await self._post(body, question, mode, halt)
        except Refused as refused:
            await self._try(question, mode, halt, refused.failing)  # is it this sample, or everything?
            what = "fails over" if refused.failing else "refuses"
            return Reply(SampleError(f"the server {what} this sample: {refused}"), None)
        return self._within_constraint(question, mode, reply)

    def _within_constraint(self, question: Question, mode: Mode, reply: Reply) -> Reply:
        """Return a reply, out of its wrapping where it was to be one of the options; refuse any other answer then."""
        answer = reply.answer
        if isinstance(answer, SampleError) or not reply.whole or not limited(question, mode, self.constrain):
            return reply
        text = _chosen(answer.response, self.constrain)
        if text not in question.options:
            raise JobError(
                f"the server does not keep to constrain={self.constrain}",
                expected=f"one of {', '.join(question.options)}",
                found=repr(answer.response[:100]),
                remedy="name the dialect that this server understands, or leave constrain away",
            )
        return replace(reply, answer=replace(answer, response=text))

    def _compare(self, reply: Reply) -> None:
        """Refuse to continue where another model answers than before; note what the server runs on."""
        if reply.fingerprint and reply.fingerprint not in self.fingerprints:
            self.fingerprints.append(reply.fingerprint)
        served = reply.served
        self.served = self.served or served
        if served not in (None, self.served):
            raise JobError(
                "the server answers with another model than before",
                expected=self.served,
                found=served,
                remedy="serve that model again and run the same command, or start a new run with another --output",
            )

    def _plain(self) -> Body:
        """Return the fields that every request has but for its messages, its length and what is drawn."""
        o = self._options
        drawn = {**({"temperature": 0} if o.greedy else {}), **({} if o.seed is None else {"seed": o.seed})}
        return {"model": self._model, **o.body, **drawn}

    def _body(self, question: Question, mode: Mode, images: Prepared) -> Body:
        o = self._options
        body: Body = {**self._plain(), "messages": messages_of(question.messages, images, o.detail)}
        if mode is SAMPLE:
            body |= drawing(question.draw, o.seed)
        if mode.scored:
            return body if self.exact else {**body, **scoring(o.top_logprobs, o.length_field)}
        return {**body, o.length_field: o.max_tokens, **constraint(question, self.constrain)}

    async def try_out(self, question: Question, mode: Mode) -> int:
        """Try the server on a question about grey pictures; see whether its model looks at images.

        Returns:
            the number of tokens of the question without pictures; 0 where that is not known.

        Raises:
            JobError: nothing answers, or not this model, or it takes no images.
        """
        trial = await self._try(question, mode)
        self._compare(trial)
        seen = trial.answer
        if isinstance(seen, SampleError) or not self._options.check_images or not _shown(question):
            return 0
        try:
            blind = (await self._post_blind(question, mode)).answer
        except Refused:
            return 0
        if isinstance(blind, SampleError):
            return 0
        if 0 < seen.prompt_tokens <= blind.prompt_tokens:
            raise JobError(
                f"{self._model} does not look at images: with one or without, its prompt has the same length",
                expected="a model that takes images",
                found=f"{seen.prompt_tokens} tokens with a picture, {blind.prompt_tokens} without",
                remedy="serve a vision-language model; if it is one and is counted so, --set check_images=false",
            )
        return blind.prompt_tokens

    async def _try(self, question: Question, mode: Mode, halt: asyncio.Event | None = None, anew: bool = True) -> Reply:
        """Ask a question about grey pictures.

        Args:
            halt: ends the waiting between repetitions.
            anew: even if it has been answered before.

        Raises:
            JobError: the server refuses even that.
        """
        body = self._body(question, mode, (plain_picture(self._options.image_format),) * _shown(question))
        key = key_of({}, body)
        async with self._trying:
            if halt is not None and halt.is_set():
                raise Halted
            if not anew and key in self._tried:
                return self._tried[key]
            try:
                reply = await self._post(body, question, mode, halt)
            except Refused as refused:
                raise await self._why_useless(question, mode, refused) from None
            self._tried[key] = self._within_constraint(question, mode, reply)
        return reply

    async def _why_useless(self, question: Question, mode: Mode, refused: Refused) -> JobError:
        """Return why no sample can be asked about."""
        url = self._client.address.url
        try:
            await self._post_blind(question, mode)
        except (Refused, JobError):
            if refused.failing:
                return JobError(f"the server at {url} fails over every picture", found=str(refused), remedy=RESUME)
            return JobError(
                f"the server at {url} refuses the question {question.name!r}, even about a plain picture",
                found=str(refused),
                remedy="correct what it names: the model, or an option (seed, constrain, length_field, top_logprobs…)",
            )
        return JobError(
            f"{self._model} takes no images: it answers the question {question.name!r} only without a picture",
            expected="a vision-language model, served so that it takes as many images as the strategy shows",
            found=str(refused),
            remedy="serve such a model, or correct the name after --backbone openai:",
        )

    async def _post_blind(self, question: Question, mode: Mode) -> Reply:
        return await self._post(without_images(self._body(question, mode, ("",) * _shown(question))), question, mode)

    async def _post(self, body: Body, question: Question, mode: Mode, halt: asyncio.Event | None = None) -> Reply:
        """Send a request and return the reply; joined from several texts, it may hold what none of them held."""
        if mode.scored and self.exact:
            reply = await self.exact.score(body, question, halt)
        else:
            reply = await self._client.post(body, lambda data: read_reply(data, question, mode), halt)
        return reply.without(self._client.redaction)


def _chosen(response: str, dialect: Constraint) -> str:
    """Return the option that a limited answer names."""
    return (unwrapped(response) if dialect == "json_schema" else response).strip()


def _shown(question: Question) -> int:
    """Return how many images a sample needs for a question."""
    return max((i for message in question.messages for i in message.images), default=-1) + 1
