"""What ``--set`` may change of the backbone ``openai``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from coabench.backbone import Backbone
from coabench.errors import UserError
from coabench_openai.picture import Format
from coabench_openai.requests import OWN, Constraint, Detail, LengthField


@dataclass(frozen=True)
class ServerOptions(Backbone.Options):
    """What ``--set`` may change. All but the last seven can change an answer and are part of the identity.

    Attributes:
        base_url: the address, up to ``/chat/completions``.
        server: what stands for the server in the identity; its address by default.
        max_tokens: how long an answer may become, in tokens.
        length_field: how the server calls that.
        greedy: temperature 0; false sends no temperature, for models that take none.
        seed: sent with every request, added to that of the draw where answers are sampled; ``none`` for servers that
            refuse it.
        constrain: the dialect in which free answers are limited to the options of the question; ``auto`` for the first
            that the server keeps to.
        scores: what a score is, the probability of a whole option or that of its first token; ``auto`` for the first
            where the server can.
        end_token: the text of the token that ends an answer, for scores of whole options, where it is not found out.
        top_logprobs: how many first tokens are asked for where a score is that of the first token.
        body: further fields of every request.
        image_format: ``png``, without loss, or ``jpeg`` (quality 95).
        max_side: images with a longer side, in pixels, are scaled down to it.
        detail: sent with every image, where the server knows it.
        serve_with: the executable of vLLM, which serves the model for the run.
        serve_args: further arguments of ``vllm serve``.
        serve_within: how many seconds it may take until it is ready.
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
    constrain: Constraint | Literal["auto"] = "none"
    scores: Literal["auto", "exact", "first-token"] = "auto"
    end_token: str | None = None
    top_logprobs: int = 20
    body: Mapping[str, Any] = field(default_factory=dict)
    image_format: Format = "png"
    max_side: int | None = None
    detail: Detail | None = None
    serve_with: str | None = None
    serve_args: str = ""
    serve_within: float = 600.0
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
        for name in ("timeout", "serve_within"):
            if not (math.isfinite(seconds := getattr(self, name)) and seconds > 0):
                raise UserError(f"{name}={seconds} makes no sense", expected="seconds, more than 0")
        for name in self.body:
            if name in OWN:
                raise UserError(
                    f"--set body.{name} is a field that coabench sets itself",
                    expected="a field that it knows nothing of, such as add_special_tokens or chat_template_kwargs",
                    remedy=OWN[name],
                )
