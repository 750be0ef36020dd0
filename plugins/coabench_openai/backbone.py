"""The backbone ``openai``: a model behind the OpenAI chat protocol, asked over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from coabench.backbone import Answers, Backbone, BackboneRequest, Questions, Viewing
from coabench.decode import GENERATE, SAMPLE, SCORE, Decode, Mode
from coabench.dialogue import Question
from coabench.errors import JobError, UserError
from coabench.labels import Choices
from coabench.support.redaction import Redaction
from coabench_openai.address import USUAL_KEY, Address, read_key, refuse_secrets
from coabench_openai.client import Client
from coabench_openai.dispatch import Dispatcher, Prepared
from coabench_openai.event_loop import wait_for
from coabench_openai.exact_scores import Inexact
from coabench_openai.local_server import LocalServer
from coabench_openai.lora import NAME as LORA_NAME
from coabench_openai.lora import ServedLora
from coabench_openai.options import ServerOptions
from coabench_openai.picture import data_url
from coabench_openai.prompt_check import odd_prompt
from coabench_openai.reply_cache import ReplyCache
from coabench_openai.requests import DIALECTS, limited
from coabench_openai.scores import alike

if TYPE_CHECKING:
    from PIL.Image import Image

TRIAL = Question("Which colour is this picture?", Choices(), name="trial")
VERSION = 1
"""Raised whenever a request is written otherwise or a reply read otherwise."""


class Server(Backbone[Prepared]):
    """``--backbone openai:MODEL --set base_url=URL``: MODEL is what the server calls it.

    Raises:
        UserError: from the constructor, which sends nothing: no model, no address, options that make no sense.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"generates", "scores", "samples"})
    remote: ClassVar[bool] = True  # of a server on this machine, too: nobody can tell from here who answers behind it

    Options = ServerOptions

    def __init__(self, request: BackboneRequest) -> None:
        o: ServerOptions = request.options or ServerOptions()
        self.options, self.model = o, _checked(request)
        self._lora = ServedLora.read(request.adapter) if request.adapter else None
        self.local = LocalServer.of(self.model, o, self._lora)
        self.address = self.local.address if self.local else Address.read(o.base_url)
        key, variable = None if self.local else read_key(o.key_variable), o.key_variable or USUAL_KEY
        recorded = {"--backbone": self.model, "--set base_url": self.address.url, "--set server": o.server}
        recorded |= {"--set ca_file": o.ca_file, "--set serve_args": o.serve_args, "--set end_token": o.end_token}
        recorded |= {f"--set body.{name}": json.dumps(value) for name, value in o.body.items()}
        refuse_secrets(recorded, Redaction(key))
        self._sent = "images and key" if key else "images"
        client = Client(self.address, key, variable, o.timeout, o.retries, o.ca_file)
        self._asked = LORA_NAME if self._lora else self.model
        self.dispatcher = Dispatcher(self._asked, o, client)
        self._first: tuple[Question, Mode] = (TRIAL, GENERATE)
        self._samples = False
        self._scores: Literal["exact", "first-token"] | None = None  # None where nothing is scored
        self._inexact = ""  # why a score is that of the first token
        self._odd_prompt: str | None = None
        self.dispatcher.identity = self.identity()

    def identity(self) -> Mapping[str, Any]:
        """Return the model's name and the server that it means something to, and all that a request says."""
        o = self.options
        served = {"serve_args": o.serve_args} if self.local else {}
        scores: dict[str, str] = {"scores": self._scores} if self._scores else {}
        if self._scores == "exact" and o.end_token is not None:
            scores["end_token"] = o.end_token
        return {
            "model": self.model,
            **({"adapter": self._lora.fingerprint} if self._lora else {}),
            "server": o.server or ("vllm" if self.local else self.address.url),
            **served,
            "requests": VERSION,
            "max_tokens": o.max_tokens,
            "length_field": o.length_field,
            "greedy": o.greedy,
            "seed": o.seed,
            "constrain": self.dispatcher.constrain,
            **scores,
            "top_logprobs": o.top_logprobs,
            **({"body": dict(o.body)} if o.body else {}),
            "image": {"format": o.image_format, "max_side": o.max_side, "detail": o.detail},
        }

    def details(self) -> Mapping[str, Any]:
        """Return where questions go, how the server calls what answers, and how requests are sent; never the key."""
        o, served, fingerprints = self.options, self.dispatcher.served, self.dispatcher.fingerprints
        if self.local:
            notes = ["images are sent to a server on this machine that is started for the run: vllm serve"]
        else:
            notes = [f"images are sent to {self.address.url}"]
        if not self.address.private:
            notes.append(f"the connection is not encrypted: {self._sent} can be read on the way")
        if served and served not in self._asked and self._asked not in served:
            notes.append(f"the server says that what answers is {served}")
        if self._samples:
            seeds = "gets no seed" if o.seed is None else "may ignore the seed of a request"
            notes.append(f"answers are drawn by the server, which {seeds}: asked again, it may answer otherwise")
        if not o.greedy:
            notes.append("greedy=false: the server may sample, and a run may not be repeatable")
        if self._scores == "first-token":
            why = f", since the server tells no more: {self._inexact}" if self._inexact else ""
            score = "a score is the probability that the first token begins the option (docs/guides/openai.md)"
            notes.append(f"{score}{why}")
        if self._odd_prompt:
            notes.append(self._odd_prompt)
        if len(fingerprints) > 1:
            notes.append(f"the server has changed during the run: its system_fingerprint was {', '.join(fingerprints)}")
        if self.dispatcher.all_but_empty:
            notes.append("nearly all answers were cut off or white space: raise --set max_tokens, or change constrain")
        return {
            "device": f"server {self.address.host}",
            "base_url": self.address.url,
            "served": served,
            "system_fingerprint": fingerprints[-1] if fingerprints else None,
            **({"server_version": self.local.version, "server_log": str(self.local.log)} if self.local else {}),
            "concurrency": o.concurrency,
            "timeout": o.timeout,
            "retries": o.retries,
            "ca_file": o.ca_file,
            "check_images": o.check_images,
            "notes": notes,
        }

    def check(self, questions: Sequence[Question], decode: Decode) -> None:
        """Refuse questions whose options no first token can tell apart, and settings that contradict or do nothing."""
        asked = [(question, question.mode(decode)) for question in questions]
        self._samples = any(mode is SAMPLE for _, mode in asked)
        if self._samples and not self.options.greedy:
            raise UserError(
                f"greedy=false sends no temperature, which --decode {SAMPLE.name} needs",
                expected="a model that takes a temperature",
                remedy="leave greedy=false away, or use --decode generate",
            )
        self._find_out(asked)
        for question, mode in asked:
            if mode.scored and self._scores == "first-token" and (same := alike(question.options)):
                raise UserError(
                    f"a server's first-token scores cannot answer the question {question.name!r}",
                    expected="options that differ in their first words",
                    found=" and ".join(same)
                    + (f"; the server tells no more: {self._inexact}" if self._inexact else ""),
                    remedy="use --decode generate, or a strategy that scores basic emotions (pair-scores, top-2-pair)",
                )
        self._first = next(((q, mode) for q, mode in asked if mode.scored), asked[0] if asked else self._first)
        self.dispatcher.identity = self.identity()

    def _find_out(self, asked: Sequence[tuple[Question, Mode]]) -> None:
        """Find out what the identity of a run says of the server: whether it scores whole options, and in which dialect
        it limits answers. One that is started for the run is vLLM, which can, as `load` makes sure.

        Raises:
            JobError: nothing answers, or it cannot do what was asked for.
        """
        o = self.options
        limits = o.constrain != "none"
        if asked and limits and not any(limited(question, mode, DIALECTS[0]) for question, mode in asked):
            raise UserError(
                f"constrain={o.constrain} has no effect here",
                expected="a question with options that is answered freely",
                remedy="leave it away, or use --decode generate",
            )
        if o.constrain == "auto" and limits and asked:
            if self.local:
                self.dispatcher.constrain = DIALECTS[0]
            elif self.dispatcher.constrain == "none":
                wait_for(self.dispatcher.find_dialect())
        if not any(mode.scored for _, mode in asked):
            self._scores = None
        elif o.scores == "first-token":
            self._scores = "first-token"
        elif self.local:
            self._scores = "exact"
        elif self._scores is None:
            self._find_scores()

    def _find_scores(self) -> None:
        try:
            wait_for(self.dispatcher.find_scores())
        except Inexact as inexact:
            if self.options.scores == "exact" or self.local:
                raise JobError(
                    "the server tells no scores of whole options",
                    expected="prompt_logprobs of a chat whose last message is continued, as vLLM tells them",
                    found=str(inexact),
                    remedy="score first tokens (--set scores=first-token), or use --decode generate",
                ) from None
            self._scores, self._inexact = "first-token", str(inexact)
        else:
            self._scores = "exact"

    def remember(self, folder: Path) -> None:
        """Keep in *folder* the replies of the server, and beside the run the log of one that is started for it."""
        self.dispatcher.cache = ReplyCache(folder)
        if self.local:
            run = folder.absolute().parent
            self.local.log = run.with_name(f"{run.name}.vllm.log")

    def load(self) -> None:
        """Try the server on the first question about a grey picture, and see whether it counts tokens for it.

        Raises:
            JobError: nothing answers, or not this model, or it takes no images.
        """
        if self.local:
            self.local.start()
            if self._scores == "exact":
                self._find_scores()
        counted = wait_for(self.dispatcher.try_out(*self._first))
        self._odd_prompt = odd_prompt(self.model, self._first[0].messages, counted)

    def close(self) -> None:
        """End the server that was started for the run."""
        if self.local:
            self.local.stop()

    def prepare(self, images: Sequence[Image], sample: str | None = None) -> Prepared:
        """Encode the images of a sample."""
        return tuple(data_url(image, self.options.image_format, self.options.max_side) for image in images)

    def look(self, batch: Sequence[Prepared]) -> Served:
        """Keep the images: they travel with every question."""
        return Served(self.dispatcher, batch)


class Served(Viewing):
    """A batch of samples, asked about over HTTP."""

    def __init__(self, dispatcher: Dispatcher, batch: Sequence[Prepared]) -> None:
        self._dispatcher, self._batch = dispatcher, batch

    def generate(self, questions: Questions) -> Answers:
        """Ask all questions at once, for a text each; see `Dispatcher.ask`."""
        return wait_for(self._dispatcher.ask(self._batch, questions, GENERATE))

    def sample(self, questions: Questions) -> Answers:
        """Ask all questions at once, each with the temperature, top-p and seed of its draw; see `Dispatcher.ask`."""
        return wait_for(self._dispatcher.ask(self._batch, questions, SAMPLE))

    def score(self, questions: Questions) -> Answers:
        """Ask all questions at once, for the likeliest first tokens; see `Dispatcher.ask`."""
        return wait_for(self._dispatcher.ask(self._batch, questions, SCORE))


def _checked(request: BackboneRequest) -> str:
    """Return the model's name, once it is clear that the rest of the request makes sense for a server."""
    if not request.model:
        raise UserError(
            "the backbone openai needs the name of a model",
            expected="--backbone openai:MODEL, what the server calls it",
            remedy="for instance --backbone openai:my-vlm --set base_url=http://127.0.0.1:8000/v1",
        )
    if request.adapter and not (request.options and request.options.serve_with):
        raise UserError(
            "the backbone openai takes no adapter for a server that runs already",
            expected="a server that has merged or loaded it, under a name of its own",
            remedy="leave --adapter away and give that name, --backbone openai:NAME; or have it served for the run, "
            "--backbone openai:BASE --set serve_with=vllm",
        )
    for option, value in (("--device", request.device), ("--dtype", request.dtype)):
        if value != "auto":
            raise UserError(
                f"{option} {value} is for the server to decide",
                remedy=f"leave {option} away, and start the server with it",
            )
    return request.model
