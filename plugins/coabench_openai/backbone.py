"""The backbone ``openai``: a model behind the OpenAI chat protocol, asked over HTTP."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from coabench.backbone import Answers, Backbone, BackboneRequest, Questions, Viewing
from coabench.decode import GENERATE, SCORE, Decode, Mode
from coabench.dialogue import Question
from coabench.errors import UserError
from coabench.labels import Options as Labels
from coabench_openai.address import USUAL_KEY, Address, is_secret, read_key
from coabench_openai.asking import Constraint, Detail, LengthField, limited
from coabench_openai.client import Client
from coabench_openai.inquiry import Inquiry, Prepared
from coabench_openai.memory import Memory
from coabench_openai.picture import Format, data_url
from coabench_openai.scores import alike
from coabench_openai.waiting import wait_for

if TYPE_CHECKING:
    from PIL.Image import Image

TRIAL = Question("Which colour is this picture?", Labels(), name="trial")
VERSION = 1
"""Raised whenever a request is written otherwise or a reply read otherwise."""


class Server(Backbone[Prepared]):
    """``--backbone openai:MODEL --set base_url=URL``: MODEL is what the server calls it.

    Raises:
        UserError: from the constructor, which sends nothing: no model, no address, options that make no sense.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset({"generates", "scores"})
    remote: ClassVar[bool] = True  # of a server on this machine, too: nobody can tell from here who answers behind it

    @dataclass(frozen=True)
    class Options:
        """What ``--set`` may change. All but the last six can change an answer and are part of the identity.

        Attributes:
            base_url: the address, up to ``/chat/completions``.
            server: what stands for the server in the identity; its address by default.
            max_tokens: how long an answer may become, in tokens.
            length_field: how the server calls that.
            greedy: temperature 0; false sends no temperature, for models that take none.
            seed: sent with every request; ``none`` for servers that refuse it.
            constrain: the dialect in which free answers are limited to the options of the question.
            top_logprobs: how many first tokens are asked for where options are scored.
            image_format: ``png``, without loss, or ``jpeg`` (quality 95).
            max_side: images with a longer side, in pixels, are scaled down to it.
            detail: sent with every image, where the server knows it.
            key_variable: the environment variable that holds the key; ``OPENAI_API_KEY`` by default.
            concurrency: how many requests are under way at once.
            timeout: seconds for one request.
            retries: how often a request is repeated at most.
            ca_file: certificates to trust, PEM, instead of the usual ones.
            check_images: refuse a server that counts no tokens for an image.
        """

        base_url: str | None = None
        server: str | None = None
        max_tokens: int = 256
        length_field: LengthField = "max_tokens"
        greedy: bool = True
        seed: int | None = 0
        constrain: Constraint = "none"
        top_logprobs: int = 20
        image_format: Format = "png"
        max_side: int | None = None
        detail: Detail | None = None
        key_variable: str | None = None
        concurrency: int = 16
        timeout: float = 120.0
        retries: int = 5
        ca_file: str | None = None
        check_images: bool = True

        def __post_init__(self) -> None:
            least = {"max_tokens": 1, "top_logprobs": 1, "max_side": 1, "concurrency": 1, "retries": 0}
            for name, bound in least.items():
                value = getattr(self, name)
                if value is not None and value < bound:
                    raise UserError(f"{name}={value} makes no sense", expected=f"{bound} or more")
            if not (math.isfinite(self.timeout) and self.timeout > 0):
                raise UserError(f"timeout={self.timeout} makes no sense", expected="seconds, more than 0")

    def __init__(self, request: BackboneRequest) -> None:
        o: Server.Options = request.options or self.Options()
        self.options, self.model = o, _checked(request)
        self.address = Address.read(o.base_url)
        key, variable = read_key(o.key_variable), o.key_variable or USUAL_KEY
        if key and is_secret(key) and any(key in text for text in (self.address.url, self.model, o.server or "")):
            raise UserError("the key stands on the command line", remedy="leave it in the environment alone")
        self._sent = "images and key" if key else "images"
        client = Client(self.address, key, variable, o.timeout, o.retries, o.ca_file)
        self.inquiry = Inquiry(self.model, o, client, self.identity())
        self._first: tuple[Question, Mode] = (TRIAL, GENERATE)

    def identity(self) -> Mapping[str, Any]:
        """Return the model's name and the server that it means something to, and all that a request says."""
        o = self.options
        return {
            "model": self.model,
            "server": o.server or self.address.url,
            "requests": VERSION,
            "max_tokens": o.max_tokens,
            "length_field": o.length_field,
            "greedy": o.greedy,
            "seed": o.seed,
            "constrain": o.constrain,
            "top_logprobs": o.top_logprobs,
            "image": {"format": o.image_format, "max_side": o.max_side, "detail": o.detail},
        }

    def details(self) -> Mapping[str, Any]:
        """Return where questions go, how the server calls what answers, and how requests are sent; never the key."""
        o, served = self.options, self.inquiry.served
        notes = [f"images are sent to {self.address.url}"]
        if not self.address.private:
            notes.append(f"the connection is not encrypted: {self._sent} can be read on the way")
        if served and served not in self.model and self.model not in served:
            notes.append(f"the server says that what answers is {served}")
        if not o.greedy:
            notes.append("greedy=false: the server may sample, and a run may not be repeatable")
        if self._first[1].scored:
            notes.append("a score is the probability that the first token begins the option (docs/openai.md)")
        return {
            "device": f"server {self.address.host}",
            "base_url": self.address.url,
            "served": served,
            "concurrency": o.concurrency,
            "timeout": o.timeout,
            "retries": o.retries,
            "ca_file": o.ca_file,
            "check_images": o.check_images,
            "notes": notes,
        }

    def check(self, questions: Sequence[Question], decode: Decode) -> None:
        """Refuse scored questions whose options no first token can tell apart, and a constraint without effect."""
        asked = [(question, question.mode(decode)) for question in questions]
        for question, mode in asked:
            if mode.scored and (same := alike(question.options)):
                raise UserError(
                    f"a server's first-token scores cannot answer the question {question.name!r}",
                    expected="options that differ in their first words",
                    found=" and ".join(same),
                    remedy="use --decode generate, or a strategy that scores basic emotions (pair-scores, top-2-pair)",
                )
        constrain = self.options.constrain
        if asked and constrain != "none" and not any(limited(question, mode, constrain) for question, mode in asked):
            raise UserError(
                f"constrain={constrain} has no effect here",
                expected="a question with options that is answered freely",
                remedy="leave it away, or use --decode generate",
            )
        self._first = next(((q, mode) for q, mode in asked if mode.scored), asked[0] if asked else self._first)

    def remember(self, folder: Path) -> None:
        """Keep in *folder* the answers that the server has given."""
        self.inquiry.memory = Memory(folder)

    def load(self) -> None:
        """Try the server on the first question about a grey picture, and see whether it counts tokens for it.

        Raises:
            JobError: nothing answers, or not this model, or it takes no images.
        """
        wait_for(self.inquiry.try_out(*self._first))

    def prepare(self, images: Sequence[Image], sample: str | None = None) -> Prepared:
        """Encode the images of a sample."""
        return tuple(data_url(image, self.options.image_format, self.options.max_side) for image in images)

    def look(self, batch: Sequence[Prepared]) -> Served:
        """Keep the images: they travel with every question."""
        return Served(self.inquiry, batch)


class Served(Viewing):
    """A batch of samples, asked about over HTTP."""

    def __init__(self, inquiry: Inquiry, batch: Sequence[Prepared]) -> None:
        self._inquiry, self._batch = inquiry, batch

    def generate(self, questions: Questions) -> Answers:
        """Ask all questions at once, for a text each; see `Inquiry.ask`."""
        return wait_for(self._inquiry.ask(self._batch, questions, GENERATE))

    def score(self, questions: Questions) -> Answers:
        """Ask all questions at once, for the likeliest first tokens; see `Inquiry.ask`."""
        return wait_for(self._inquiry.ask(self._batch, questions, SCORE))


def _checked(request: BackboneRequest) -> str:
    """Return the model's name, once it is clear that the rest of the request makes sense for a server."""
    if not request.model:
        raise UserError(
            "the backbone openai needs the name of a model",
            expected="--backbone openai:MODEL, what the server calls it",
            remedy="for instance --backbone openai:my-vlm --set base_url=http://127.0.0.1:8000/v1",
        )
    if request.adapter:
        raise UserError(
            "the backbone openai takes no adapter",
            expected="a server that has merged or loaded it, under a name of its own",
            remedy="leave --adapter away and give that name: --backbone openai:NAME",
        )
    for option, given in (("--device", request.device), ("--dtype", request.dtype)):
        if given != "auto":
            raise UserError(
                f"{option} {given} is for the server to decide",
                remedy=f"leave {option} away, and start the server with it",
            )
    return request.model
